"""Layers that multiply by constants."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...fixed import Fixed
from .base import Layer


@dataclass(frozen=True)
class Dense(Layer):
    """A matrix for every row of the source: hls4ml's ``latency`` strategy
    (``nnet_dense_latency.h``, and what convolutions and EinsumDense do with their patches).

    Each product is cast to ``accum``; bias first, cast to it too, products are added to it one
    input after another, and each sum is cast to ``accum``; the last one to ``result``.

    ``weight``: (inputs, outputs), for every row of ``inputs`` values, or (matrices, inputs,
    outputs), of which row ``r`` takes ``r % matrices``; ``bias``: (size,), one per value.
    """

    weight: np.ndarray = field(repr=False)
    weight_format: Fixed
    bias: np.ndarray = field(repr=False)
    bias_format: Fixed
    accum: Fixed

    depth: ClassVar[int] = 1

    @property
    def matrices(self) -> np.ndarray:
        """(matrices, inputs, outputs)."""
        return self.weight.reshape(-1, *self.weight.shape[-2:])

    @property
    def n_rows(self) -> int:
        return self.size // self.weight.shape[-1]

    @property
    def n_products(self):
        return int(np.count_nonzero(self.weight)) * (self.n_rows // len(self.matrices))

    def misfit(self, sources):
        (source,) = sources
        shape = self.weight.shape
        rows = self.size // shape[-1] if len(shape) in (2, 3) and shape[-1] else 0
        if not rows or rows * shape[-1] != self.size or rows * shape[-2] != source.size:
            one = [source.size, self.size]
            return f"weight has the shape {list(shape)}; it must be {one}, or that of equal rows"
        if len(shape) == 3 and (not shape[0] or rows % shape[0]):
            return f"weight has {shape[0]} matrices for {rows} rows"
        return self._wrong_part(weight=shape, bias=(self.size,))


@dataclass(frozen=True)
class Affine(Layer):
    """hls4ml's BatchNormalization and ApplyAlpha (``nnet_batchnorm.h``): ``x * scale + bias`` in
    full, cast to ``result``. ``scale`` and ``bias``: (size,)."""

    scale: np.ndarray = field(repr=False)
    scale_format: Fixed
    bias: np.ndarray = field(repr=False)
    bias_format: Fixed

    def misfit(self, sources):
        return self._other_size(sources) or self._wrong_part(scale=(self.size,), bias=(self.size,))
