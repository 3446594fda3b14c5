"""Layers that compute nothing."""

import numpy as np

from .casts import cast


def reshape(layer, x: np.ndarray, fraction: int) -> np.ndarray:
    return x


def select(layer, *given) -> np.ndarray:
    """Values and fractions of as many sources; a place of -1 is a zero behind all of them."""
    sources, fractions = given[: len(given) // 2], given[len(given) // 2 :]
    parts = [cast(x, f, layer.result) for x, f in zip(sources, fractions, strict=True)]
    zero = np.zeros((len(parts[0]), 1), parts[0].dtype)
    return np.concatenate([*parts, zero], axis=1)[:, layer.index]


def select_casts(layer, *sources):
    for x in sources:
        yield x.width, x.fraction, layer.result
