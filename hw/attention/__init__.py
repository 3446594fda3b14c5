"""Quantised attention: one pass over the keys, integers throughout."""
