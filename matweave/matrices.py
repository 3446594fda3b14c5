"""Matrices from ``.npy`` files: checked before they are believed, and before they are loaded."""

import io
import math
import os
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from matweave.hw.errors import UserError, plain, shown
from matweave.hw.floats import FloatFormat
from matweave.hw.formats import Format
from matweave.sim.golden import operands


class MatrixError(UserError):
    """A matrix that the engine cannot take; the message is one line."""


def load(path: Path, what: str, limits: Format, shape: tuple[int | str, ...]) -> np.ndarray:
    """The integers in ``path`` as int64.

    ``shape`` is what they must have: a number where the size is known, a letter where it is not.
    ``limits`` is the format whose range they must be in. Raises :class:`MatrixError`, before
    memory is allocated if the header is wrong.
    """
    label = f"{what} {plain(path)}"
    array = _checked(path, label, shape, "iu", "integers")
    return check_range(array, label, limits.min, limits.max)


def _checked(path: Path, label: str, shape, kinds: str, allowed: str) -> np.ndarray:
    """The array in ``path``, of one of the ``kinds`` of elements."""
    found, dtype = _header(path, label)
    if dtype.kind not in kinds:
        raise MatrixError(f"{label}: has elements of type {plain(dtype)}; allowed are {allowed}")
    if len(found) != len(shape) or any(
        isinstance(wanted, int) and wanted != size
        for wanted, size in zip(shape, found, strict=True)
    ):
        wanted = " × ".join(map(str, shape))
        raise MatrixError(f"{label}: is {_by(found)}; it must be {wanted}")
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise MatrixError(f"{label}: cannot be read: {plain(error)}") from error


def load_numbers(
    path: Path, what: str, format: Format | FloatFormat, shape: tuple[int | str, ...]
) -> np.ndarray:
    """The numbers of ``format`` in ``path``: integers as :func:`load` gives them, or floats,
    infinities and NaN among them, as float32. Those between two of the format are refused."""
    if not isinstance(format, FloatFormat):
        return load(path, what, format, shape)
    label = f"{what} {plain(path)}"
    array = _checked(path, label, shape, "f", f"floating-point numbers, of {format}")
    try:
        return operands.checked(label, array, format, array.shape)
    except ValueError as error:
        raise MatrixError(str(error)) from None


def load_reals(path: Path, what: str, shape: tuple[int | str, ...]) -> np.ndarray:
    """The finite floats in ``path`` as float64; as :func:`load` otherwise."""
    label = f"{what} {plain(path)}"
    with np.errstate(over="ignore"):  # a long double may be finite only as such
        array = _checked(path, label, shape, "f", "floating-point numbers").astype(np.float64)
    if not np.isfinite(array).all():
        raise MatrixError(f"{label}: has elements that are not finite")
    return array


def check_range(array: np.ndarray, label: str, low: int, high: int) -> np.ndarray:
    """``array`` as int64, if all of its elements are in ``low`` to ``high``."""
    least, most = int(array.min()), int(array.max())
    if least < low or most > high:
        bad = least if least < low else most
        where = [int(i) for i in np.unravel_index((array == bad).argmax(), array.shape)]
        raise MatrixError(f"{label}: element {where} is {bad}; allowed are {low} to {high}")
    return array.astype(np.int64)


def to_npy(array: np.ndarray) -> bytes:
    """The bytes of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _header(path: Path, label: str) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and element type, from a header whose claims the file's size bears out."""
    try:
        if not path.is_file():
            what = "is not a regular file" if path.exists() else "does not exist"
            raise MatrixError(f"{label}: {what}")
        with path.open("rb") as file:
            version = npy.read_magic(file)
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(file)
            data = os.fstat(file.fileno()).st_size - file.tell()
    except OSError as error:
        raise MatrixError(f"{label}: cannot be read: {plain(error.strerror)}") from error
    except Exception as error:  # whatever a malformed header makes NumPy raise
        if isinstance(error, MatrixError):
            raise
        raise MatrixError(f"{label}: is not an .npy file") from error
    if any(size < 1 for size in shape):
        raise MatrixError(f"{label}: is {_by(shape)}; every size must be at least 1")
    if dtype.kind != "O" and math.prod(shape) * dtype.itemsize > data:
        raise MatrixError(f"{label}: claims {_by(shape)} elements, more than the file holds")
    return shape, dtype


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(shown, shape)) if shape else "a single number"
