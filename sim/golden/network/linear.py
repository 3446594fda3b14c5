"""Layers that multiply by constants."""

import numpy as np

from .casts import cast, overflow


def dense(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    """Row by row of the source, each with its matrix: bias, then products one after another."""
    accum, matrices = layer.accum, layer.matrices.astype(x.dtype)
    _, inputs, outputs = matrices.shape
    rows = x.reshape(len(x), -1, inputs)
    of_row = matrices[np.arange(rows.shape[1]) % len(matrices)]  # (rows, inputs, outputs)
    total = cast(layer.bias.astype(x.dtype), layer.bias_format.fraction, accum)
    total = np.broadcast_to(total.reshape(1, -1, outputs), (len(x), rows.shape[1], outputs))
    for index in range(inputs):
        product = rows[:, :, index, None] * of_row[None, :, index]
        product = cast(product, fraction + layer.weight_format.fraction, accum)
        total = overflow(total + product, accum)
    return cast(total.reshape(len(x), -1), accum.fraction, layer.result)


def dense_casts(layer, x):
    w, b, accum = layer.weight_format, layer.bias_format, layer.accum
    yield x.width + w.width, x.fraction + w.fraction, accum
    yield b.width, b.fraction, accum
    yield accum.width + 1, accum.fraction, layer.result


def affine(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    product = x * layer.scale.astype(x.dtype)
    of_product, of_bias = fraction + layer.scale_format.fraction, layer.bias_format.fraction
    common = max(of_product, of_bias)
    bias = layer.bias.astype(x.dtype) * (1 << (common - of_bias))
    total = product * (1 << (common - of_product)) + bias
    return cast(total, common, layer.result)


def affine_casts(layer, x):
    s, b = layer.scale_format, layer.bias_format
    common = max(x.fraction + s.fraction, b.fraction)
    width = x.width + s.width + common - x.fraction - s.fraction
    yield max(width, b.width + common - b.fraction) + 1, common, layer.result
