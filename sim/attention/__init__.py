"""Attention engines in every simulator: their jobs, as beats and as register writes."""
