"""Synthesis flows and parsers of their reports."""
