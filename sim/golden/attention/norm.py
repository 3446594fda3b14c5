"""LayerNorm and RMSNorm in integers, by an integer square root. Rows are the last axis."""

import numpy as np

from matweave.hw.formats import Format, Rounding

from . import integers

PRECISION = 19
"""Bits of the reciprocal of a root: more than any result's."""


def isqrt(n: int) -> int:
    """floor(sqrt(n)), bit by bit from the top: non-restoring, as many steps as half the bits."""
    if n < 0:
        raise ValueError(f"n must not be negative, and is {n}")
    root = 0
    for place in reversed(range((n.bit_length() + 1) // 2)):
        if (root + (1 << place)) ** 2 <= n:
            root += 1 << place
    return root


def i_sqrt(n: int) -> int:
    """The same by I-BERT's Newton iteration (its paper; its code takes a float's)."""
    if n < 2:
        return n
    x = 1 << -(-n.bit_length() // 2)
    while (y := (x + n // x) >> 1) < x:
        x = y
    return x


def normalised(q, *, fraction: int = 7, epsilon: int = 1, guard: int = 4, centred: bool = True):
    """(q − mean) / sqrt(variance + epsilon), worth 2**-``fraction``; the first half of a norm.

    ``q`` integers, (…, D). With ``centred`` false nothing is subtracted: RMSNorm. ``epsilon`` > 0
    is in units of q**2, added to the mean of squares: with zero variance the result is 0, as all
    differences are. Mean and root have ``guard`` fraction bits, without which an integer mean
    dominates the error of rows with few steps. The root's reciprocal has ``PRECISION`` bits, the
    product is rounded half up.
    """
    if epsilon < 1:
        raise ValueError(f"epsilon must be at least 1, not {epsilon}")
    q = np.asarray(q).astype(object)
    size = q.shape[-1]
    q = q << guard
    if centred:
        total = q.sum(axis=-1, keepdims=True)
        q = q - (2 * total + size) // (2 * size)
    square = (q * q).sum(axis=-1, keepdims=True) // size + (epsilon << 2 * guard)
    roots = np.array([isqrt(int(each)) for each in np.ravel(square)], object).reshape(square.shape)
    r, k = integers.reciprocal(roots, 64, PRECISION)
    return integers.scaled(q, r << fraction, PRECISION + k - 1, Rounding.HALF_UP)


def norm(
    q, gain, bias, *, shift: int, format: Format, fraction: int = 7, epsilon: int = 1,
    guard: int = 4, centred: bool = True,
) -> np.ndarray:  # fmt: skip
    """``clamp(round((normalised * gain + bias) / 2**shift))``; gain and bias integers per element.

    The bias is added, not divided by the gain as I-BERT's, which a gain near 0 would blow up.
    """
    y = normalised(q, fraction=fraction, epsilon=epsilon, guard=guard, centred=centred)
    y = y * np.asarray(gain).astype(object) + np.asarray(bias).astype(object)
    return integers.clamped(integers.scaled(y, 1, shift, Rounding.HALF_UP), format)
