"""Tests of the simulators and golden models; a package, so that they share engines."""
