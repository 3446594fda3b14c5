"""Floating-point arithmetic: any format by exact fractions, three by NumPy.

:func:`add` and :func:`multiply` are the definition, code by code: the exact result, rounded once.
Arrays of FP16, BF16 and FP32 are float32 whose values the format has; :func:`stored` is where they
are rounded. float32's 24 bits are at least twice a format's and two more: rounding a sum or product
first to float32 and then to the format is the same as rounding once (Figueroa, 1995).
"""

from fractions import Fraction

import numpy as np

from matweave.hw.floats import BF16, FP16, FP32, FloatFormat


def rounded(value: Fraction, format: FloatFormat, negative: bool = False) -> int:
    """The code nearest to ``value``, of two that are as near the even one; ``negative``: the sign
    of 0."""
    if value:
        negative = value < 0
    units, exponent = abs(value) / format.smallest, 0
    while units >= 2 << format.fraction:
        units, exponent = units / 2, exponent + 1
    # Python rounds ties to even; the hidden bit of normal numbers, and a carry, count in the
    # exponent's field.
    code = round(units) + (exponent << format.fraction)
    return min(code, format.infinity) | negative << (format.width - 1)


def parts(code: int, format: FloatFormat) -> tuple[bool, bool, bool]:
    """Whether it is negative, infinite, NaN."""
    magnitude = code & ((1 << (format.width - 1)) - 1)
    negative = bool(code >> (format.width - 1))
    return negative, magnitude == format.infinity, magnitude > format.infinity


def add(x: int, y: int, format: FloatFormat) -> int:
    """The code of the sum of two codes."""
    (x_negative, x_infinite, x_nan), (y_negative, y_infinite, y_nan) = (
        parts(code, format) for code in (x, y)
    )
    if x_nan or y_nan or (x_infinite and y_infinite and x_negative != y_negative):
        return format.nan
    if x_infinite or y_infinite:
        return x if x_infinite else y
    return rounded(format.number(x) + format.number(y), format, x_negative and y_negative)


def multiply(x: int, y: int, format: FloatFormat) -> int:
    """The code of the product of two codes."""
    (x_negative, x_infinite, x_nan), (y_negative, y_infinite, y_nan) = (
        parts(code, format) for code in (x, y)
    )
    negative = x_negative != y_negative
    if x_nan or y_nan:
        return format.nan
    if x_infinite or y_infinite:
        other = y if x_infinite else x
        if not other & ((1 << (format.width - 1)) - 1):
            return format.nan
        return format.infinity | negative << (format.width - 1)
    return rounded(format.number(x) * format.number(y), format, negative)


def stored(values: np.ndarray, format: FloatFormat) -> np.ndarray:
    """``values`` (float32) as ``format`` has them: rounded to nearest, ties to even."""
    values = np.asarray(values, np.float32)
    if format == FP32:
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        if format == FP16:
            return values.astype(np.float16).astype(np.float32)
        if format != BF16:
            raise ValueError(f"arrays are of fp16, bf16 or fp32, not {format}")
        bits = values.view(np.uint32)
        up = (bits >> 16 & 1) + np.uint32(0x7FFF)
        cut = (bits + up & np.uint32(0xFFFF0000)).view(np.float32)
        return np.where(np.isnan(values), np.float32(np.nan), cut).astype(np.float32)


def plus(x: np.ndarray, y: np.ndarray, format: FloatFormat) -> np.ndarray:
    """One addition in ``format``, element by element."""
    with np.errstate(over="ignore", invalid="ignore"):
        return stored(np.asarray(x, np.float32) + np.asarray(y, np.float32), format)


def times(x: np.ndarray, y: np.ndarray, format: FloatFormat) -> np.ndarray:
    """One multiplication in ``format``, element by element."""
    with np.errstate(over="ignore", invalid="ignore"):
        return stored(np.asarray(x, np.float32) * np.asarray(y, np.float32), format)


def codes(values: np.ndarray, format: FloatFormat) -> np.ndarray:
    """The codes of numbers that ``format`` has, as int64; of NaN its one."""
    values = np.ascontiguousarray(values, np.float32)
    if format == FP16:
        with np.errstate(over="ignore", invalid="ignore"):
            found = values.astype(np.float16).view(np.uint16).astype(np.int64)
    else:
        found = values.view(np.uint32).astype(np.int64) >> (32 - format.width)
    return np.where(np.isnan(values), format.nan, found)


def numbers(codes: np.ndarray, format: FloatFormat) -> np.ndarray:
    """What codes stand for, as float32."""
    codes = np.ascontiguousarray(codes)
    if format == FP16:
        return codes.astype(np.uint16).view(np.float16).astype(np.float32)
    return (codes.astype(np.uint32) << np.uint32(32 - format.width)).view(np.float32)
