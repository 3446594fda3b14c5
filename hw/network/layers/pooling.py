"""Pooling."""

from dataclasses import dataclass, field

import numpy as np

from ...errors import plain
from ...fixed import Fixed
from .base import Layer


@dataclass(frozen=True)
class Pool(Layer):
    """``operation`` of each value's window, cast to ``accum``, then to ``result``
    (``nnet_pooling.h``).

    ``max``: the largest, where what lies outside counts as the raw number ``padding`` of the
    source's format. ``average``: the sum in ``accum``, cast after each addition; divided by the
    value's ``counts`` towards zero.

    ``index``: (size, window), places among the source's values, -1 outside; ``counts``: (size,).
    """

    operation: str
    index: np.ndarray = field(repr=False)
    counts: np.ndarray = field(repr=False)
    padding: int
    accum: Fixed

    def misfit(self, sources):
        (source,) = sources
        if self.operation not in ("max", "average"):
            return f"operation {plain(self.operation)} is neither max nor average"
        if self.index.ndim != 2 or len(self.index) != self.size or not self.index.size:
            return f"index has the shape {list(self.index.shape)}; it must be [{self.size}, window]"
        if self.index.min() < -1 or self.index.max() >= source.size:
            return f"index has numbers that are not -1 to {source.size - 1}"
        if self.counts.shape != (self.size,) or self.counts.min() < 1:
            return "counts must be one number above 0 per value"
        return None
