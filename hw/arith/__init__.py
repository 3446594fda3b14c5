"""Arithmetic parts that processing elements and engines share."""
