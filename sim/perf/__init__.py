"""Cycle models: what a job takes, told without simulating it."""

from matweave.hw.config import GemmConfig
from matweave.hw.weights import WeightFormat

from .gemm import predict, utilisation
from .serial import predict_serial

__all__ = ["predict", "predict_job", "predict_serial", "utilisation"]


def predict_job(
    config: GemmConfig, a, n: int, b_format: WeightFormat | None = None, groups: int = 1
) -> int:
    """Cycles of the job that multiplies ``a`` by a matrix of ``n`` columns, on any engine;
    ``b_format``: of a job that says it itself; ``groups``: of a job that has several."""
    if config.array.kind == "digit_serial":
        return predict_serial(config, a, n)
    return predict(config, a.shape[0], n, a.shape[1] // groups, b_format, groups)
