"""Networks whose tokens take turns: the same adders, several cycles per sample."""
