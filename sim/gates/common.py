"""What gates have in common: the engines that they look at, and their pauses."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig

from ..driver import Pause
from .registry import Context


def engines(context: Context) -> list[GemmConfig]:
    """One small engine per array kind; of lookups, one that has all options, and one of floats."""
    names = ["tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube"]
    names += ["tiny_lut", "tiny_lut_serial", "tiny_lut_fp16"]
    if context.quick:
        return [smallest()]
    return [configuration.load(name) for name in names]


def smallest() -> GemmConfig:
    return configuration.load(
        "tiny_os", ["a=int3", "b=int3", "limits={m=4,n=4,k=4}", "array.rows=2", "array.columns=2"]
    )


def random_pauses(rng: np.random.Generator) -> dict[str, Pause]:
    patterns = [(0.0, 1), (0.1, 1), (0.5, 1), (0.05, 20), (0.3, 5)]
    return {
        name: Pause(*patterns[rng.integers(len(patterns))], seed=int(rng.integers(1, 1 << 30)))
        for name in ("a", "b", "c0", "c")
    }
