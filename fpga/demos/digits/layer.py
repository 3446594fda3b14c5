"""One layer of a network as jobs of an engine."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Layer:
    """What one layer needs besides its input: the engine's arguments.

    ``multiplier`` and ``shift`` are ``None`` where the raw sums are the result.
    """

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray | None = None
    shift: np.ndarray | None = None
    zero_point: int = 0

    def job(self, activations: np.ndarray) -> dict:
        """Keyword arguments of ``gemm`` (the engine's and the golden model's alike)."""
        job = {"a": activations, "b": self.weights, "bias": self.bias}
        if self.multiplier is None:
            return job
        scale = {"multiplier": self.multiplier, "shift": self.shift}
        return job | scale | {"zero_point": self.zero_point, "requantize": True, "relu": True}
