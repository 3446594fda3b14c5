"""Softmax of whole rows in the forms that are published, in integers; each returns p by scale.

Rows are the last axis. Logits are integers worth ``scale`` each; masked ones are left out
(``counts``), and a row without any is all 0. Published flaws are fixed where a keyword says so.
"""

import math

import numpy as np

from matweave.hw.formats import Rounding

from . import integers


def _rows(q, counts):
    q = np.asarray(q).astype(object)
    counts = np.ones(q.shape, bool) if counts is None else np.asarray(counts, bool)
    lowest = q.min() if q.size else 0
    highest = np.where(counts, q, lowest).max(axis=-1, keepdims=True)
    return np.where(counts, q - highest, 0), counts


def base2(
    u, *, fraction: int = 6, exponential: int = 16, width: int = 15, lanes: int = 16, counts=None
):
    """By a table of 2**-x: ``u`` in base 2 with ``fraction`` bits; p worth 2**-``width``.

    Exponentials are rounded at places that differ by lane (:func:`.integers.exponential`), p at
    places that differ by beat of so many ``lanes``: without that long rows do not sum up to 1. The
    reciprocal is normalised. Rows of up to ``2**30`` logits.
    """
    u, counts = _rows(u, counts)
    beat, lane = np.divmod(np.arange(u.shape[-1]), lanes)
    table = integers.powers(fraction, exponential)
    e = integers.exponential(
        np.minimum(-u, 1 << 30).astype(np.int64), table, fraction, lane=lane, lanes=lanes
    )
    e = np.where(counts, e, 0)
    total = np.maximum(e.sum(axis=-1, keepdims=True), 1)
    r, k = integers.reciprocal(total, exponential + 30, width + 2)
    shift = (k + 1).astype(object)  # (width + 2) + k − 1, less width
    offset = ((2 * (beat % lanes).astype(object) + 1) << shift) // (2 * lanes)
    p = (e.astype(object) * r + offset) >> shift
    return np.where(counts, np.minimum(p, (1 << width) - 1), 0).astype(np.int64)


def i_exp(q, scale: float):
    """I-BERT's exponential of ``q`` <= 0: (L, z), worth ``L * .35815147 scale**2 / 2**z``.

    L and z are kept apart: shifted together by 30 − z, as published, they leave 32 bits for fine
    scales. Coefficients are those of its code.
    """
    ln2 = math.floor(-0.6931 / scale)
    b, c = math.floor(2.707325 / scale), math.floor(2.792115 / scale**2)
    q = np.maximum(np.asarray(q).astype(object), 30 * ln2)
    z = q // ln2
    r = q - z * ln2
    return (r + b) * r + c, z


def i_bert(q, scale: float, *, width: int = 8, counts=None):
    """I-BERT: polynomial exponential to 16 bits, one floor division per row; p worth 2**-width.

    The row's maximum always has L = c and z = 0, so that the 16-bit scale is a constant: 32767 / c,
    as a multiplier of 18 bits and a shift.
    """
    q, counts = _rows(q, counts)
    polynomial, z = i_exp(q, scale)
    top = math.floor(2.792115 / scale**2)
    shift = top.bit_length() + 2
    multiplier = (2 * 32767 * 2**shift + top) // (2 * top)
    e = integers.scaled(polynomial, multiplier, z + shift, Rounding.HALF_UP)
    e = np.where(counts, e, 0)
    total = e.sum(axis=-1, keepdims=True)
    factor = (1 << 32) // np.maximum(total, 1)
    return ((e * factor) >> (32 - width)).astype(np.int64)


def shift_exp(x, scale: float, *, n: int = 15):
    """I-ViT's exponential of ``x`` <= 0, by shifts: worth ``scale / 2**n``."""
    x = np.asarray(x).astype(object)
    x = x + (x >> 1) - (x >> 4)
    one = math.floor(-1 / scale)
    x = np.maximum(x, n * one)
    q = x // one
    r = x - q * one
    # floor((r / 2 - one) 2**(n - q))
    return np.maximum(((r - 2 * one) << (n - q)) >> 1, 0)


def shiftmax(x, scale: float, *, width: int = 8, n: int = 15, normalise: bool = True, counts=None):
    """I-ViT's Shiftmax; p worth 2**-(width − 1).

    Published, the reciprocal is floor((2**31 − 1) / total), of which few bits are left for long
    rows (``normalise`` false); else leading zeros are counted first.
    """
    x, counts = _rows(x, counts)
    e = np.where(counts, shift_exp(x, scale, n=n), 0)
    total = e.sum(axis=-1, keepdims=True)
    total = np.maximum(total, 1)
    if normalise:
        bits = max(int(total.max()).bit_length(), 1)
        r, k = integers.reciprocal(total, bits, width + 8)
        p = (e * r) >> (width + 8 + k - 1 - (width - 1)).astype(object)
    else:
        total = np.minimum(total, (1 << 31) - 1)
        p = (e * (((1 << 31) - 1) // total)) >> (32 - width)
    return p.astype(np.int64)


def ita(q, *, width: int = 8, shift: int = 5, counts=None):
    """ITA's: exponentials are powers of two, 2**-(distance >> shift) of 8-bit logits.

    ``shift``: logits are worth ``2**-shift`` in base 2. p worth 2**-width: the total's inverse is
    floor((2**16 − 1) 2**8 / total), and p that shifted right as far as the exponential says.
    """
    q, counts = _rows(q, counts)
    by = (-q) >> shift
    e = np.where(counts, (1 << 8) >> np.minimum(by, 62), 0)
    total = np.maximum(e.sum(axis=-1, keepdims=True), 1)
    inverse = ((1 << 8) * ((1 << 16) - 1)) // total
    p = np.where(counts, inverse >> np.minimum(by + 16 - width, 62), 0)
    return np.minimum(p, (1 << width) - 1).astype(np.int64)
