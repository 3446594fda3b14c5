"""Encoders: their jobs, and the way from a trained model to integers."""
