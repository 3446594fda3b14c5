"""Low-bit weights against wide activations: tables of activation sums with weights as indices, and
the arrays that are compared with them."""
