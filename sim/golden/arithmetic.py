"""Exact integer arithmetic on arrays: overflow and rounding.

Arrays are ``int64`` where every intermediate provably fits, and hold Python integers (``object``)
otherwise; the functions here work on both, and nothing is ever a float.
"""

import numpy as np

from matweave.hw.formats import Format, Overflow, Rounding


def integers(bound: int) -> np.dtype:
    """A type that holds every integer from ``-bound`` to ``bound``: ``int64``, or ``object``."""
    return np.dtype(np.int64 if bound <= np.iinfo(np.int64).max else object)


def magnitude(format: Format) -> int:
    """The largest absolute value of ``format``."""
    return max(format.max, -format.min)


def checked(name: str, values, low: int, high: int, shape: tuple[int | None, ...]) -> np.ndarray:
    """``values`` as an ``int64`` array, or one clear :class:`ValueError`.

    ``None`` in ``shape`` allows any positive size.
    """
    array = np.asarray(values)
    if array.dtype.kind == "f" and np.isnan(array).any():
        where = ", ".join(map(str, np.argwhere(np.isnan(array))[0]))
        raise ValueError(f"{name} must hold integers; element ({where}) is NaN")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold integers, not {array.dtype}")
    if len(array.shape) != len(shape) or any(
        size == 0 if wanted is None else size != wanted
        for size, wanted in zip(array.shape, shape, strict=True)
    ):
        wanted = " × ".join("any" if size is None else str(size) for size in shape) or "one number"
        got = " × ".join(map(str, array.shape)) or "one number"
        raise ValueError(f"{name} must be {wanted}, not {got}")
    if not array.size:
        return array.astype(np.int64)
    least, most = int(array.min()), int(array.max())
    if least < low or most > high:
        worst = least if least < low else most
        where = ", ".join(map(str, np.argwhere(array == worst)[0]))
        element = f" (element ({where}))" if shape else ""
        raise ValueError(f"{name} must be {low} to {high}, not {worst}{element}")
    return array.astype(np.int64)


def wrap(values: np.ndarray, format: Format) -> np.ndarray:
    """``values`` modulo ``2**width``, as numbers of ``format``."""
    if values.dtype == np.int64 and format == Format(64):
        return values
    mask, half = (1 << format.width) - 1, (1 << (format.width - 1)) * format.signed
    return ((values + half) & mask) - half


def saturate(values: np.ndarray, format: Format) -> np.ndarray:
    """``values``, or the nearest number of ``format``."""
    if values.dtype == np.int64 and format == Format(64):
        return values
    return np.clip(values, format.min, format.max)


def overflow(values: np.ndarray, format: Format, mode: Overflow) -> np.ndarray:
    """``values`` brought into ``format``."""
    return {Overflow.WRAP: wrap, Overflow.SATURATE: saturate}[mode](values, format)


def shift_right(values: np.ndarray, shift, rounding: Rounding) -> np.ndarray:
    """``values / 2**shift``, rounded; ``shift`` is 0 to 62, one or an array that broadcasts.

    No intermediate exceeds ``values`` or ``2**63 - 1``.
    """
    shift = np.asarray(shift, values.dtype)
    floor = values >> shift
    rest, unit = values - (floor << shift), 1 << shift
    up, tie = 2 * rest > unit, 2 * rest == unit
    match rounding:
        case Rounding.FLOOR:
            return floor
        case Rounding.TRUNCATE:
            return floor + ((values < 0) & (rest != 0))
        case Rounding.HALF_UP:
            return floor + (up | tie)
        case Rounding.HALF_EVEN:
            return floor + (up | (tie & (floor & 1 == 1)))
        case Rounding.HALF_AWAY:
            return floor + (up | (tie & (values >= 0)))
    raise ValueError(f"{rounding.value} is not a rounding of one shift")
