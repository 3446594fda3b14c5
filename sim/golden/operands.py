"""Arrays of numbers of a format, whichever it is: checked, as the bits of stream lanes, compared.

Integers are ``int64``; floats float32, whose values the format has (:mod:`.floats`).
"""

import hashlib

import numpy as np

from matweave.hw.floats import FloatFormat
from matweave.hw.formats import Format

from . import arithmetic, floats

Operand = Format | FloatFormat
Shape = tuple[int | None, ...]


def lane_dtype(format: Format) -> np.dtype:
    """The little-endian integer that one lane of ``format`` holds."""
    return np.dtype(f"<{'i' if format.signed else 'u'}{format.lane_width // 8}")


def checked(name: str, values, format: Operand, shape: Shape) -> np.ndarray:
    """``values`` as such an array, or one clear :class:`ValueError`; ``None`` in ``shape`` allows
    any positive size."""
    if not isinstance(format, FloatFormat):
        return arithmetic.checked(name, values, format.min, format.max, shape)
    array = np.asarray(values)
    if array.dtype.kind != "f":
        raise ValueError(f"{name} must hold floats, numbers of {format}, not {array.dtype}")
    arithmetic.check_shape(name, array, shape)
    with np.errstate(over="ignore", invalid="ignore"):
        found = floats.stored(array.astype(np.float32), format)
    other = (found != array) & ~(np.isnan(found) & np.isnan(array))
    if other.any():
        place = tuple(np.argwhere(other)[0])
        where = f"element ({', '.join(map(str, place))})" if shape else "it"
        raise ValueError(
            f"{name} must be numbers of {format}; {where}, {array[place]}, is none, "
            f"the nearest is {found[place]}"
        )
    return found


def lanes(values: np.ndarray, format: Operand) -> np.ndarray:
    """What lanes of a stream hold: unsigned integers of the lane's width, two's complement of
    integers, extended by their sign; of floats their codes."""
    unsigned = np.dtype(f"<u{format.lane_width // 8}")
    if isinstance(format, FloatFormat):
        return floats.codes(values, format).astype(unsigned)
    # Two's complement, whatever the source's type: C conversion keeps the low bits.
    return np.asarray(values).astype(lane_dtype(format)).view(unsigned)


def numbers(lanes: np.ndarray, format: Operand) -> np.ndarray:
    """The inverse: integers of the lane's type, or float32."""
    if isinstance(format, FloatFormat):
        return floats.numbers(lanes, format)
    return lanes.view(lane_dtype(format))


def differences(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which elements differ; floats in any bit, so that -0 is not 0 and NaN is NaN. Two arrays of
    different shapes, or of floats and integers, cannot be compared."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    of_floats = [each.dtype.kind == "f" for each in (found, wanted)]
    if found.shape != wanted.shape or of_floats[0] != of_floats[1]:
        raise ValueError(
            f"{found.dtype} {found.shape} cannot be compared with {wanted.dtype} {wanted.shape}"
        )
    if all(of_floats):
        found, wanted = (np.ascontiguousarray(x, np.float32) for x in (found, wanted))
        return found.view(np.uint32) != wanted.view(np.uint32)
    return found != wanted


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether two arrays are of one shape and nothing in them differs (:func:`differences`)."""
    return np.shape(found) == np.shape(wanted) and not differences(found, wanted).any()


def digest(values: np.ndarray) -> str:
    """The same for the same numbers, whatever the width of their type."""
    whole = np.asarray(values)
    whole = whole.astype(np.float32 if whole.dtype.kind == "f" else np.int64)
    return hashlib.sha256(whole.tobytes()).hexdigest()[:16]
