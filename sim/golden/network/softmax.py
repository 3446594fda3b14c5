"""Softmax in the ways that hls4ml has."""

import numpy as np

from .casts import cast
from .elementwise import towards_zero


def _slices(layer, x):
    """(samples, outer, inner, slice)."""
    return x.reshape(len(x), layer.outer, -1, layer.inner).swapaxes(2, 3)


def _flat(slices):
    return slices.swapaxes(2, 3).reshape(len(slices), -1)


def _entry(raw, to, table):
    """What the highest bits of ``raw``, of the format ``to``, find in a table."""
    places = (raw % (1 << to.width)) >> (to.width - (len(table).bit_length() - 1))
    return table.astype(raw.dtype)[places.astype(np.int64)]


def _tree(terms, accum):
    """The sum over the last axis: of the first half that is a power of two, and of the rest."""
    count = terms.shape[-1]
    if count == 1:
        return terms[..., 0]
    left = 1 << ((count - 1).bit_length() - 1)
    total = _tree(terms[..., :left], accum) + _tree(terms[..., left:], accum)
    return cast(total, accum.fraction, accum)


def softmax(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    x = _slices(layer, x)
    if layer.stable:
        x = cast(x.max(axis=3, keepdims=True) - x, fraction, layer.norm)
    terms = _entry(x, layer.norm, layer.exp_table)
    terms = cast(terms, layer.exp_table_format.fraction, layer.accum)
    total = cast(_tree(terms, layer.accum), layer.accum.fraction, layer.inv_input)
    inverse = _entry(total, layer.inv_input, layer.inv_table)
    of_result = layer.accum.fraction + layer.inv_table_format.fraction
    return _flat(cast(terms * inverse[..., None], of_result, layer.result))


def softmax_casts(layer, x):
    accum, inverse = layer.accum, layer.inv_table_format
    if layer.stable:
        yield x.width + 1, x.fraction, layer.norm
    yield layer.exp_table_format.width, layer.exp_table_format.fraction, accum
    yield accum.width + 1, accum.fraction, accum
    yield accum.width, accum.fraction, layer.inv_input
    yield accum.width + inverse.width, accum.fraction + inverse.fraction, layer.result


def legacy(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    x, to = _slices(layer, x), layer.table_format
    exp_table, inv_table = (each.astype(x.dtype) for each in (layer.exp_table, layer.inv_table))
    one = cast(np.ones(1, x.dtype), 0, to)[0]
    results = []
    for place in range(x.shape[3]):
        total = x[..., 0] * 0
        for other in range(x.shape[3]):
            term = one
            if other != place:
                scaled = (x[..., other] - x[..., place]) * len(exp_table)
                index = towards_zero(scaled, fraction + 4) + len(exp_table) // 2
                term = exp_table[np.clip(index, 0, len(exp_table) - 1).astype(np.int64)]
            total = cast(total + term, to.fraction, to)
        index = towards_zero(total * len(inv_table), to.fraction + 6)
        results.append(inv_table[np.clip(index, 0, len(inv_table) - 1).astype(np.int64)])
    return _flat(cast(np.stack(results, axis=3), to.fraction, layer.result))


def legacy_casts(layer, x):
    to = layer.table_format
    yield x.width + 1 + len(layer.exp_table).bit_length(), 0, to
    yield to.width + 1 + len(layer.inv_table).bit_length(), to.fraction, layer.result


def argmax(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    x = _slices(layer, x)
    first = x.astype(object).argmax(axis=3) if x.dtype == object else x.argmax(axis=3)
    one = cast(np.ones(1, x.dtype), 0, layer.result)[0]
    return _flat((np.arange(x.shape[3]) == first[..., None]) * one)
