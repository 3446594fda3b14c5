"""Functions of one value each."""

import numpy as np

from .casts import cast


def plain_casts(layer, x):
    yield x.width, x.fraction, layer.result


def relu(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    return cast(np.maximum(x, 0), fraction, layer.result)


def each(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    """Casts with a format of its own for every value."""
    columns = []
    for column, to in zip(x.T, layer.formats, strict=True):
        if to is None:
            columns.append(column * 0)
        else:
            columns.append(cast(cast(column, fraction, to), to.fraction, layer.result))
    return np.stack(columns, axis=1)


def each_casts(layer, x):
    for to in set(layer.formats) - {None}:
        yield x.width, x.fraction, to
        yield to.width, to.fraction, layer.result


def towards_zero(raw: np.ndarray, fraction: int) -> np.ndarray:
    """``raw * 2**-fraction`` as an integer."""
    if fraction <= 0:
        return raw * (1 << -fraction)
    return np.where(raw < 0, -(-raw >> fraction), raw >> fraction)


def lookup(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    index = towards_zero(x * layer.numerator, fraction + layer.denominator.bit_length() - 1)
    index = (index + (1 << 31)) % (1 << 32) - (1 << 31)  # C's int
    index = np.clip(index + layer.offset, 0, len(layer.contents) - 1)
    contents = layer.contents.astype(x.dtype)[index.astype(np.int64)]
    result = cast(contents, layer.contents_format.fraction, layer.result)
    if layer.slope is None:
        return result
    other = cast(x * layer.slope, fraction + layer.slope_format.fraction, layer.result)
    return np.where(x < 0, result, other)


def lookup_casts(layer, x):
    shift = abs(fraction) if (fraction := x.fraction + layer.denominator.bit_length()) < 0 else 0
    yield x.width + abs(layer.numerator).bit_length() + shift, 0, layer.contents_format
    yield layer.contents_format.width, layer.contents_format.fraction, layer.result
    if layer.slope is not None:
        slope = layer.slope_format
        yield x.width + slope.width, x.fraction + slope.fraction, layer.result


def leaky_relu(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    product = x * layer.slope.astype(x.dtype)
    product = cast(product, fraction + layer.slope_format.fraction, layer.result)
    return np.where(x > 0, cast(x, fraction, layer.result), product)


def leaky_relu_casts(layer, x):
    yield x.width, x.fraction, layer.result
    slope = layer.slope_format
    yield x.width + slope.width, x.fraction + slope.fraction, layer.result


def threshold(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    finest = max(fraction, layer.theta_format.fraction)
    theta = layer.theta << (finest - layer.theta_format.fraction)
    above = x * (1 << (finest - fraction)) > theta
    return np.where(above, cast(x, fraction, layer.result), 0)


def threshold_casts(layer, x):
    yield x.width, x.fraction, layer.result
    yield x.width + max(layer.theta_format.fraction - x.fraction, 0), x.fraction, layer.result


def hard_sigmoid(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    of_product, of_shift = fraction + layer.slope_format.fraction, layer.shift_format.fraction
    finest = max(of_product, of_shift, 0)
    y = x * layer.slope * (1 << (finest - of_product)) + (layer.shift << (finest - of_shift))
    one = 1 << finest
    y = np.minimum(np.maximum(y, 0), one)
    return cast(2 * y - one if layer.symmetric else y, finest, layer.result)


def hard_sigmoid_casts(layer, x):
    slope, shift = layer.slope_format, layer.shift_format
    finest = max(x.fraction + slope.fraction, shift.fraction, 0)
    product = x.width + slope.width + finest - x.fraction - slope.fraction
    yield max(product, shift.width + finest - shift.fraction) + 1, finest, layer.result
    yield finest + 2, finest, layer.result
