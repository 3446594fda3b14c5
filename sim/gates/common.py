"""What gates have in common: the engines that they look at, and their pauses."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig
from matweave.hw.engine_table import EngineTable

from ..driver import Pause
from .registry import Context


def engines(context: Context) -> list[GemmConfig]:
    """One small engine per array kind; of lookups, one that has all options, and one of floats."""
    names = ["tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube"]
    names += ["tiny_lut", "tiny_lut_serial", "tiny_lut_fp16"]
    if context.quick:
        return [smallest()]
    return [configuration.load(name) for name in names]


ATTENTION = [
    "q='int3'", "k='int3'", "v='int3'", "array.dimension=2", "output.format='int4'",
    "limits={queries=8,keys=16,kv_heads=2,group=2}", "softmax.exponential=8",
    "softmax.reciprocal=9", "softmax.fraction=4",
]  # fmt: skip
PACKED = ["cache.k='int2'", "cache.v='int2'", "cache.k_group=4", "cache.v_group=2"]
ENCODER = [
    "activation='int4'", "weight='int4'", "array.rows=2",
    "model={width=4,heads=2,hidden=2,layers=1,tokens=3}",
]  # fmt: skip


def small_attention(*more: str) -> EngineTable:
    """With as few gates as each part of it can have, but more queries than can wait, and enough
    keys that their total has every bit."""
    return configuration.load("tiny_attention", [*ATTENTION, *more])


def others(context: Context) -> list[EngineTable]:
    """The engines of other kinds, small ones: attention, with a packed cache, an encoder."""
    found = [small_attention()]
    if not context.quick:
        found.append(small_attention("name='tiny_packed'", *PACKED))
        found.append(configuration.load("tiny_encoder", ENCODER))
    return found


def smallest() -> GemmConfig:
    return configuration.load(
        "tiny_os", ["a=int3", "b=int3", "limits={m=4,n=4,k=4}", "array.rows=2", "array.columns=2"]
    )


def random_pauses(rng: np.random.Generator, names=("a", "b", "c0", "c")) -> dict[str, Pause]:
    patterns = [(0.0, 1), (0.1, 1), (0.5, 1), (0.05, 20), (0.3, 5)]
    return {
        name: Pause(*patterns[rng.integers(len(patterns))], seed=int(rng.integers(1, 1 << 30)))
        for name in names
    }
