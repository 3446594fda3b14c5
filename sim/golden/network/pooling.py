"""Pooling."""

import numpy as np

from .casts import cast


def pool(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    outside = np.full((len(x), 1), layer.padding if layer.operation == "max" else 0, x.dtype)
    windows = np.concatenate([x, outside], axis=1)[:, layer.index]  # (samples, size, window)
    accum = layer.accum
    if layer.operation == "max":
        return cast(cast(windows.max(axis=2), fraction, accum), accum.fraction, layer.result)
    total = windows[:, :, 0] * 0
    finest = max(fraction, accum.fraction)
    for index in range(windows.shape[2]):
        term = windows[:, :, index] * (1 << (finest - fraction))
        total = cast(total * (1 << (finest - accum.fraction)) + term, finest, accum)
    counts = layer.counts.astype(x.dtype)
    quotient = np.where(total < 0, -(-total // counts), total // counts)  # towards zero
    return cast(quotient, accum.fraction, layer.result)


def pool_casts(layer, x):
    accum = layer.accum
    finest = max(x.fraction, accum.fraction)
    widest = max(x.width + finest - x.fraction, accum.width + finest - accum.fraction)
    yield widest + 1, finest, accum
    yield accum.width, accum.fraction, layer.result
