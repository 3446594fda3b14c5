"""Requantisers as the libraries define them, on Python integers (object arrays)."""

import math
from fractions import Fraction

import numpy as np

from matweave.hw.formats import Rounding

from . import integers

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def dyadic(scale: float) -> tuple[int, int]:
    """(b, c) with ``scale`` ≈ b / 2**c, as HAWQ-V3, I-BERT and I-ViT: b of 31 bits, half up.

    b may be 2**31 itself there, which takes 33 signed bits; here c is one less then.
    """
    if not scale > 0:
        raise ValueError(f"scale must be positive, not {scale}")
    mantissa, exponent = math.frexp(scale)
    b, c = math.floor(Fraction(mantissa) * (1 << 31) + Fraction(1, 2)), 31 - exponent
    return (b >> 1, c - 1) if b == 1 << 31 else (b, c)


def hawq(z, b: int, c: int):
    """``z * b / 2**c``, half to even."""
    return integers.scaled(z, b, c, Rounding.HALF_EVEN)


def srdhm(a, b: int):
    """gemmlowp's SaturatingRoundingDoublingHighMul of 32-bit integers: truncates after a nudge."""
    product = np.asarray(a).astype(object) * b
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30)).astype(object)
    high = integers.scaled(nudged, 1, 31, Rounding.TRUNCATE)
    return np.minimum(high, INT32_MAX)


def rounding_divide_by_pot(x, exponent: int):
    """gemmlowp's: half away from zero."""
    return integers.scaled(x, 1, exponent, Rounding.HALF_AWAY)


def tflite(x, multiplier: int, shift: int, *, single: bool = False):
    """TensorFlow Lite's MultiplyByQuantizedMultiplier: ``x * multiplier * 2**(shift − 31)``.

    ``shift`` −31 to 30, positive left. Double rounding by default, ``single`` as with
    ``TFLITE_SINGLE_ROUNDING``.
    """
    if single:
        return integers.scaled(x, multiplier, 31 - shift, Rounding.HALF_UP)
    left, right = max(shift, 0), max(-shift, 0)
    x = np.asarray(x).astype(object) << left
    if x.size and (x.min() < INT32_MIN or x.max() > INT32_MAX):
        raise ValueError(f"x * 2**{left} leaves 32 bits")
    return rounding_divide_by_pot(srdhm(x, multiplier), right)


def ita(x, multiplier: int, shift: int):
    """ITA's: 8-bit multiplier and shift, ``(p >> s) + p[s − 1]``, which is half up."""
    return integers.scaled(x, multiplier, shift, Rounding.HALF_UP)
