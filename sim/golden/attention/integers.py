"""What the blocks have in common: division, rounding and tables of exact integers."""

import math
from fractions import Fraction

import numpy as np

from matweave.hw.formats import Format, Rounding

from ..arithmetic import shift_right


def scaled(values, multiplier, shift, rounding: Rounding) -> np.ndarray:
    """``round(values * multiplier / 2**shift)`` in Python integers, as an object array.

    ``multiplier`` and ``shift`` broadcast against ``values``.
    """
    product = np.asarray(values).astype(object) * np.asarray(multiplier).astype(object)
    shift = np.broadcast_to(np.asarray(shift).astype(object), product.shape)
    return shift_right(product, shift, rounding)


def halved(values: np.ndarray, times) -> np.ndarray:
    """``values / 2**times``, rounded half up, of ``int64``; ``times`` broadcasts, 0 to 62."""
    return (((values << 1) >> times) + 1) >> 1


def clamped(values, format: Format) -> np.ndarray:
    """``values`` limited to ``format``, as ``int64``."""
    return np.clip(values, format.min, format.max).astype(np.int64)


def bits(values) -> np.ndarray:
    """Bits of each positive integer; 0 of 0."""
    return np.array([int(value).bit_length() for value in np.ravel(values)], np.int64).reshape(
        np.shape(values)
    )


def rounded(value: float) -> int:
    """The nearest integer, ties upwards, of the exact value of a float."""
    return math.floor(Fraction(value) + Fraction(1, 2))


def powers(fraction: int, width: int) -> np.ndarray:
    """``2**(-i / 2**fraction)`` with ``width`` bits after the point, rounded, below 1."""
    steps = 1 << fraction
    values = [rounded(2.0**width * 2.0 ** (-i / steps)) for i in range(steps)]
    return np.minimum(np.array(values, np.int64), (1 << width) - 1)


def exponential(t, table: np.ndarray, fraction: int, *, lane=0, lanes: int = 1) -> np.ndarray:
    """``2**(-t / 2**fraction)`` for ``t`` >= 0 by ``table`` (:func:`powers`), rounded.

    What is added before the shift is ``(2 lane + 1) / (2 lanes)`` of the last place: one half of a
    single lane; with several the sum over lanes is right also of values far below the last place.
    """
    t = np.asarray(t, np.int64)
    shift = np.minimum(t >> fraction, 40)
    offset = ((2 * np.asarray(lane, np.int64) + 1) << shift) // (2 * lanes)
    return (table[t & ((1 << fraction) - 1)] + offset) >> shift


def reciprocal(total, width: int, precision: int) -> tuple[np.ndarray, np.ndarray]:
    """r and k with ``1 / total`` = r / 2**(precision + k - 1), r rounded down.

    ``total`` positive, of at most ``width`` bits; k is its bits. r is more than half of
    2**precision, and has precision + 1 bits. Leading zeros are counted first, so that its relative
    error is below 2**(1 - precision) whatever the total (I-ViT's has none left for a large one).
    """
    k = bits(total)
    total = np.asarray(total).astype(object)
    mantissa = total << (width - k).astype(object)
    return (1 << (width - 1 + precision)) // mantissa, k
