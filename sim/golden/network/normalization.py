"""Normalisation by the values' own mean and variance."""

import numpy as np

from .casts import cast
from .elementwise import towards_zero


def layer_norm(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    accum, bits = layer.accum, layer.accum.fraction

    def mean(values):
        total = values[..., 0] * 0
        for index in range(values.shape[-1]):
            total = cast(total + values[..., index], bits, accum)
        return cast(total * layer.inverse, 2 * bits, accum)[..., None]

    x = cast(x.reshape(len(x), -1, len(layer.scale)), fraction, accum)
    distance = cast(x - mean(x), bits, accum)
    variance = mean(cast(distance * distance, 2 * bits, accum))
    size = len(layer.table)
    index = towards_zero(variance * size, bits - layer.range_power)
    index = (index + (1 << 31)) % (1 << 32) - (1 << 31)  # C's int
    entry = layer.table.astype(x.dtype)[np.clip(index, 0, size - 1).astype(np.int64)]
    product = distance * entry * layer.scale.astype(x.dtype)
    of_product = bits + layer.table_format.fraction + layer.scale_format.fraction
    finest = max(of_product, layer.bias_format.fraction)
    shift = layer.bias.astype(x.dtype) * (1 << (finest - layer.bias_format.fraction))
    total = product * (1 << (finest - of_product)) + shift
    return cast(total.reshape(len(x), -1), finest, layer.result)


def layer_norm_casts(layer, x):
    accum, table, scale, bias = (
        layer.accum, layer.table_format, layer.scale_format, layer.bias_format
    )  # fmt: skip
    yield x.width, x.fraction, accum
    yield 2 * accum.width, 2 * accum.fraction, accum
    index = accum.width + len(layer.table).bit_length() + max(layer.range_power, 0)
    yield index + max(-accum.fraction, 0), 0, accum
    of_product = accum.fraction + table.fraction + scale.fraction
    finest = max(of_product, bias.fraction)
    width = accum.width + table.width + scale.width + finest - of_product
    yield max(width, bias.width + finest - bias.fraction) + 1, finest, layer.result
