"""Layers of two variables."""

import numpy as np

from .casts import cast


def _common(a, b, of_a, of_b):
    """Both with the same bits behind the point, and how many."""
    fraction = max(of_a, of_b)
    return a * (1 << (fraction - of_a)), b * (1 << (fraction - of_b)), fraction


def merge(layer, a: np.ndarray, b: np.ndarray, of_a: int, of_b: int) -> np.ndarray:
    places = np.arange(layer.size)
    a, b = a[:, places % a.shape[1]], b[:, places % b.shape[1]]
    if layer.operation == "multiply":
        return cast(a * b, of_a + of_b, layer.result)
    a, b, fraction = _common(a, b, of_a, of_b)
    if layer.operation == "average":
        return cast(a + b, fraction + 1, layer.result)
    full = {"add": np.add, "subtract": np.subtract, "maximum": np.maximum, "minimum": np.minimum}
    return cast(full[layer.operation](a, b), fraction, layer.result)


def merge_casts(layer, a, b):
    fraction = max(a.fraction, b.fraction)
    yield a.width + b.width, a.fraction + b.fraction, layer.result
    widest = max(each.width + fraction - each.fraction for each in (a, b)) + 1
    yield widest, fraction + (layer.operation == "average"), layer.result


def contraction(layer, a: np.ndarray, b: np.ndarray, of_a: int, of_b: int) -> np.ndarray:
    accum = layer.accum
    a = a.reshape(len(a), layer.batches, -1, 1, layer.contracted)
    b = b.reshape(len(b), layer.batches, 1, -1, layer.contracted)
    total = (a[..., 0] * b[..., 0]) * 0
    for index in range(layer.contracted):
        product, fraction = a[..., index] * b[..., index], of_a + of_b
        if layer.cast_products:
            product, fraction = cast(product, fraction, accum), accum.fraction
        total, product, fraction = _common(total, product, accum.fraction, fraction)
        total = cast(total + product, fraction, accum)
    return cast(total.reshape(len(total), -1), accum.fraction, layer.result)


def contraction_casts(layer, a, b):
    accum, fraction = layer.accum, a.fraction + b.fraction
    finest = max(fraction, accum.fraction)
    product = a.width + b.width + finest - fraction
    yield max(product, accum.width + finest - accum.fraction) + 1, finest, accum
    yield accum.width, accum.fraction, layer.result
