"""Weights in float to integers, each output with a scale of its own."""

import numpy as np

from matweave.hw.formats import Format
from matweave.hw.weights import Coding, WeightFormat

FEW_BITS = 4
"""Of formats for which the largest magnitude need not have the largest number."""
PARTS = np.geomspace(1, 1 / 64, 64)
"""Of the largest magnitude, which may have it."""
LEAST_PART, LEAST = 1 / 128, 2.0**-40
"""Least scale of an output, as a part of the largest, and at all: the scale of an output with
hardly a weight is not its own, for its bias would not fit."""


def quantised(weight: np.ndarray, format: Format | WeightFormat) -> tuple[np.ndarray, np.ndarray]:
    """``weight`` (outputs, inputs) as integers of ``format``, ``int64``, and their ``scale`` by
    output.

    Formats of more than :data:`FEW_BITS` bits: the largest magnitude is the format's largest
    number. Of fewer the scale is that of :data:`PARTS` with the least sum of squared errors. Binary
    and ternary weights have the scale with the least one there is: the mean magnitude (XNOR-Net,
    Rastegari et al. 2016, equation 6), of those that are not 0 (Ternary Weight Networks, Li et al.
    2016, equation 4, with the best threshold and not an estimate of it).
    """
    coding = getattr(format, "coding", None)
    magnitudes = np.abs(weight)
    if coding in (Coding.BINARY, Coding.TERNARY):
        scale = _of_signs(magnitudes, every=coding is Coding.BINARY)
        scale = _bounded(scale)
        signs = np.where(weight < 0, -1, 1)
        if coding is Coding.TERNARY:
            signs *= magnitudes > scale[:, None] / 2
        return signs, scale
    full = _bounded(magnitudes.max(axis=1)) / format.max
    if format.width > FEW_BITS:
        return _rounded(weight, full, format), full
    tried = np.array([_error(weight, full * part, format) for part in PARTS])
    scale = full * PARTS[tried.argmin(axis=0)]
    return _rounded(weight, scale, format), scale


def _bounded(scale: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(scale, scale.max() * LEAST_PART), LEAST)


def _of_signs(magnitudes: np.ndarray, *, every: bool) -> np.ndarray:
    """The mean of the n largest of each row, of n the best: the error is the sum of all squares
    less n times the mean's."""
    ordered = -np.sort(-magnitudes, axis=1)
    counts = np.arange(1, ordered.shape[1] + 1)
    means = np.cumsum(ordered, axis=1) / counts
    if every:
        return means[:, -1]
    best = (np.sqrt(counts) * means).argmax(axis=1)
    return means[np.arange(len(means)), best]


def _rounded(weight: np.ndarray, scale: np.ndarray, format) -> np.ndarray:
    with np.errstate(over="ignore"):  # what is infinite is clipped, too
        found = np.clip(np.rint(weight / scale[:, None]), format.min, format.max)
    return found.astype(np.int64)


def _error(weight: np.ndarray, scale: np.ndarray, format) -> np.ndarray:
    with np.errstate(over="ignore"):
        return ((_rounded(weight, scale, format) * scale[:, None] - weight) ** 2).sum(axis=1)
