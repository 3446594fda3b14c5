"""Casts to ``ap_fixed`` formats, in exact integers."""

import numpy as np

from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding


def cast(raw: np.ndarray, fraction: int, to: Fixed) -> np.ndarray:
    """``raw * 2**-fraction`` in the format ``to``, as raw integers of it."""
    return overflow(rounded(raw, fraction - to.fraction, to.rounding), to)


def rounded(raw: np.ndarray, drop: int, mode: FixedRounding) -> np.ndarray:
    """``raw / 2**drop`` as an integer; ``drop`` below zero shifts left."""
    if drop <= 0:
        return raw * (1 << -drop)
    floor = raw // (1 << drop)
    rest = raw - floor * (1 << drop)
    half = 1 << (drop - 1)
    negative = raw < 0
    above, tie = rest > half, rest == half
    return (
        floor
        + {
            FixedRounding.TRN: lambda: 0,
            FixedRounding.TRN_ZERO: lambda: (rest > 0) & negative,
            FixedRounding.RND: lambda: above | tie,
            FixedRounding.RND_ZERO: lambda: above | (tie & negative),
            FixedRounding.RND_INF: lambda: above | (tie & ~negative),
            FixedRounding.RND_MIN_INF: lambda: above,
            FixedRounding.RND_CONV: lambda: above | (tie & (floor % 2 == 1)),
        }[mode]()
    )


def overflow(value: np.ndarray, to: Fixed) -> np.ndarray:
    """``value`` in the range of ``to``."""
    if to.overflow is FixedOverflow.WRAP:
        low = -(1 << (to.width - 1)) if to.signed else 0
        return (value - low) % (1 << to.width) + low
    if to.overflow is FixedOverflow.SAT_ZERO:
        return value * ((value >= to.min) & (value <= to.max))
    return np.minimum(np.maximum(value, to.min), to.max)


def quantised(x: np.ndarray, to: Fixed) -> np.ndarray:
    """Real numbers as raw integers of ``to``: exact, as every double is an integer times a power
    of two. Raises :class:`ValueError` for NaN and infinities."""
    x = np.asarray(x, np.float64)
    if not np.isfinite(x).all():
        raise ValueError("inputs must be finite numbers")
    spare = 53  # bits below the format's last that still decide ties
    scaled = x * 2.0 ** (to.fraction + 2)
    small = np.abs(scaled).max(initial=0) < 2.0**52  # two bits more, and a sticky one: exact
    if small and to.width < 62:
        floor = np.floor(scaled)
        raw = floor.astype(np.int64) * 2 + (scaled != floor)
        return cast(raw, to.fraction + 3, to)
    exact = np.array([_exact(value, to.fraction + spare) for value in x.ravel()], object)
    return cast(exact.reshape(x.shape), to.fraction + spare, to).astype(np.int64)


def _exact(value: float, fraction: int) -> int:
    """``floor(value * 2**fraction)`` with a sticky last bit."""
    numerator, denominator = float(value).as_integer_ratio()
    numerator <<= max(fraction, 0)
    denominator <<= max(-fraction, 0)
    floor, rest = divmod(numerator, denominator)
    return floor | (rest != 0)


def bits(width: int, fraction: int, to: Fixed) -> int:
    """Bits of the numbers that :func:`cast` makes of ``width`` bits."""
    drop = fraction - to.fraction
    return max(width + max(-drop, 0) + 1, to.width, drop) + 1
