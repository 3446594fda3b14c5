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
