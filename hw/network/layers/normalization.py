"""Normalisation by the values' own mean and variance."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...fixed import Fixed
from .base import MAX_ENTRIES, Layer


@dataclass(frozen=True)
class LayerNorm(Layer):
    """hls4ml's LayerNormalization of each row (``nnet_layernorm.h``).

    All numbers up to the variance are cast to ``accum``: the values, each sum, the mean (the sum
    times ``inverse``, a raw number of that format), distances to it, their squares, each sum of
    these, the variance. ``variance * entries * 2**range_power``, towards zero and no more than the
    last, finds ``1/sqrt`` in ``table``. ``distance * entry * scale + bias`` in full is cast to
    ``result``. ``scale`` and ``bias``: (row's values,).
    """

    scale: np.ndarray = field(repr=False)
    scale_format: Fixed
    bias: np.ndarray = field(repr=False)
    bias_format: Fixed
    accum: Fixed
    inverse: int
    table: np.ndarray = field(repr=False)
    table_format: Fixed
    range_power: int

    depth: ClassVar[int] = 4

    @property
    def n_products(self):
        return 2 * self.size

    def misfit(self, sources):
        if self.scale.ndim != 1 or not self.scale.size or self.size % self.scale.size:
            return f"has {self.size} values, which are not rows of {self.scale.size}"
        if self.table.ndim != 1 or not 1 <= len(self.table) <= MAX_ENTRIES:
            return f"has a table of {self.table.size} entries; it may have 1 to {MAX_ENTRIES}"
        return self._other_size(sources) or self._wrong_part(
            scale=self.scale.shape, bias=self.scale.shape, table=self.table.shape
        )
