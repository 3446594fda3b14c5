"""Pooling over all tokens of a sample: they are added up, or compared, as they come.

Each channel has one register, and what is left to do with it is done once per sample.
"""

from dataclasses import replace

import numpy as np

from ...fixed import FixedOverflow
from ..layers import Layer, Pool
from ..lower.builder import fits
from .tokens import Way, chosen


def total_of(layer: Layer, way: Way | None, source: Layer) -> str | None:
    """What ``layer`` makes of all tokens of its source: ``add`` or ``maximum``; ``None``: it is no
    such layer, or sums are cast on the way to what they do not fit."""
    if not isinstance(layer, Pool) or way is None or not _is_global(layer, way):
        return None
    if layer.operation == "max":
        return "maximum"
    values, accum, count = source.result, layer.accum, layer.index.shape[1]
    if accum.fraction < values.fraction or (layer.counts != layer.counts[0]).any():
        return None
    exact = accum.overflow is FixedOverflow.WRAP or fits(
        min(values.min * count, 0), max(values.max * count, 0), -values.fraction, accum
    )
    return "add" if exact else None


def _is_global(layer, way):
    """Whether its windows are the values in a token's places, of all tokens in their order."""
    tokens = [chosen(way.owners, token) for token in range(way.pace.tokens)]
    return np.array_equal(layer.index, np.stack(tokens, axis=1))


def of_totals(layer: Pool) -> Pool:
    """``layer`` for totals in place of its windows."""
    return replace(layer, index=np.arange(layer.size)[:, None])
