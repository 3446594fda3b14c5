"""Cycle models: what a job takes, told without simulating it."""

from .gemm import predict, utilisation

__all__ = ["predict", "utilisation"]
