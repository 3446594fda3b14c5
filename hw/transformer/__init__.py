"""Transformer layers as one engine: products, attention, norms, and the memory between them."""
