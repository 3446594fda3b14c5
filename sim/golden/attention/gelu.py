"""GELU in the forms that are published, in integers. ``scale``: what one of the input is worth."""

import math

import numpy as np

from . import integers
from .softmax import shift_exp

A, B, C = -0.2888, -1.769, 1.0
"""I-BERT's erf: sgn(x) (A (min(|x|, −B) + B)**2 + C)."""


def i_gelu(q, scale: float, *, n: int = 0):
    """I-BERT: (integers, what one of them is worth).

    ``n``: bits that the polynomial is shifted right. Published is 14, for accumulators as input
    (scale below about 1e-3); 8-bit inputs want 0.
    """
    q = np.asarray(q).astype(object)
    s = scale / 1.4142
    b, c = math.floor(B / s), math.floor(C / A / s**2)
    a = np.minimum(abs(q), -b)
    erf = np.sign(q) * (((a + b) ** 2 + c) >> n)  # negative: its scale is
    erf_scale = A * s**2 * 2**n
    one = math.floor(1 / erf_scale)
    return q * (erf + one), scale * erf_scale / 2


def shift_gelu(x, scale: float, *, width: int = 8, n: int = 15, row: bool = False):
    """I-ViT's ShiftGELU, x · sigmoid(1.702 x): (integers, what one of them is worth).

    Published, the exponential is relative to the row's maximum (``row``), a reduction that costs a
    pass, and its sum is limited to 2**31 − 1, which ruins 16-bit inputs. Else it is relative to
    max(x, 0), which the sigmoid of each x needs alone, and nothing is limited.
    """
    x = np.asarray(x).astype(object)
    s = 1.702 * scale
    highest = x.max(axis=-1, keepdims=True) if row else np.maximum(x, 0)
    e, of_zero = shift_exp(x - highest, s, n=n), shift_exp(-highest, s, n=n)
    total = np.maximum(e + of_zero, 1)
    if row:
        total = np.minimum(total, (1 << 31) - 1)
        sigmoid = (e * (((1 << 31) - 1) // total)) >> (32 - width)
    else:
        sigmoid = (e << (width - 1)) // total
    return x * sigmoid, scale / 2 ** (width - 1)


def gelu(x):
    """The function itself, of floats."""
    x = np.asarray(x, float)
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def silu(x):
    """x · sigmoid(x), of floats."""
    x = np.asarray(x, float)
    return x / (1 + np.exp(-x))


def table(function, scale: float, result_scale: float, *, width: int = 8) -> np.ndarray:
    """The 2**width entries of ``function`` for two's complement inputs, entry 0 the lowest input's:
    each the nearest integer, limited to ``width`` bits."""
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    values = np.asarray(function(np.arange(low, high + 1) * scale)) / result_scale
    return np.array([min(max(integers.rounded(v), low), high) for v in values.tolist()], np.int64)


def lookup(q, entries: np.ndarray):
    """``entries`` (:func:`table`) of each of ``q``."""
    return entries[np.asarray(q, np.int64) + len(entries) // 2]
