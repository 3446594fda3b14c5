"""Cycle models: what a job takes, told without simulating it."""

from matweave.hw.config import GemmConfig

from .gemm import predict, utilisation
from .serial import predict_serial

__all__ = ["predict", "predict_job", "predict_serial", "utilisation"]


def predict_job(config: GemmConfig, a, n: int) -> int:
    """Cycles of the job that multiplies ``a`` by a matrix of ``n`` columns, on any engine."""
    if config.array.kind == "digit_serial":
        return predict_serial(config, a, n)
    return predict(config, a.shape[0], n, a.shape[1])
