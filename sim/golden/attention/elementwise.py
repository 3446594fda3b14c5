"""What else a layer needs: rotary position embedding by table, residuals, products of gates."""

import math

import numpy as np

from matweave.hw.formats import Format, Rounding

from . import integers


def rope_table(positions: int, d: int, *, base: float = 10_000.0, fraction: int = 14):
    """(cosines, sines) of each position and pair, (positions, d/2), ``fraction`` bits, rounded."""
    if d % 2:
        raise ValueError(f"d must be even, not {d}")
    angles = [[p * base ** (-2 * i / d) for i in range(d // 2)] for p in range(positions)]
    one = 2.0**fraction
    return tuple(
        np.array([[integers.rounded(f(a) * one) for a in row] for row in angles], np.int64)
        for f in (math.cos, math.sin)
    )


def rope(x, cosines, sines, *, format: Format, fraction: int = 14, interleaved: bool = False):
    """``x`` (positions, d) with each pair rotated by its position's angle, rounded half up once.

    Pairs are (i, i + d/2) as in Llama, or ``interleaved`` (2i, 2i + 1) as in the paper. The
    rotation may exceed ``format`` by a factor of sqrt(2), and saturates.
    """
    x = np.asarray(x).astype(object)
    half = x.shape[-1] // 2
    even, odd = (x[:, ::2], x[:, 1::2]) if interleaved else (x[:, :half], x[:, half:])
    rotated = [even * cosines - odd * sines, even * sines + odd * cosines]
    rotated = [
        integers.clamped(integers.scaled(part, 1, fraction, Rounding.HALF_UP), format)
        for part in rotated
    ]
    if interleaved:
        return np.stack(rotated, axis=-1).reshape(x.shape)
    return np.concatenate(rotated, axis=-1)


def residual(a, b, *, of_a, of_b, format: Format, once: bool = True, rounding=Rounding.HALF_UP):
    """``a + b`` where each has its own scale: ``of_a`` and ``of_b`` are (multiplier, shift).

    Rounded ``once``, of the exact sum; or each branch and then added, as HAWQ-V3 has it, which
    may differ by one.
    """
    if not once:
        parts = [integers.scaled(x, *of, rounding) for x, of in ((a, of_a), (b, of_b))]
        return integers.clamped(sum(parts), format)
    shift = max(of_a[1], of_b[1])
    total = sum(
        np.asarray(x).astype(object) * (of[0] << (shift - of[1]))
        for x, of in ((a, of_a), (b, of_b))
    )
    return integers.clamped(integers.scaled(total, 1, shift, rounding), format)


def scaled_product(a, b, *, multiplier: int, shift: int, format: Format):
    """``a b multiplier / 2**shift``, rounded half up once."""
    product = np.asarray(a).astype(object) * np.asarray(b).astype(object)
    return integers.clamped(integers.scaled(product, multiplier, shift, Rounding.HALF_UP), format)
