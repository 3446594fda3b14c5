"""Rounding and requantisation against independent definitions: fractions, and gemmlowp's C++."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.hw.formats import Format, Rounding
from matweave.sim.golden import arithmetic
from matweave.sim.golden.requantize import Requantize

SINGLE = [rounding for rounding in Rounding if rounding is not Rounding.TFLITE_DOUBLE]
INT32, INT64 = Format(32), Format(64)


def exactly(value: Fraction, rounding: Rounding) -> int:
    """The definition in words: the nearest integer, and where ties go."""
    low, high = math.floor(value), math.ceil(value)
    if rounding is Rounding.FLOOR:
        return low
    if rounding is Rounding.TRUNCATE:
        return int(value)
    if value - low != Fraction(1, 2):
        return low if value - low < Fraction(1, 2) else high
    return {
        Rounding.HALF_UP: high,
        Rounding.HALF_EVEN: round(value),
        Rounding.HALF_AWAY: high if value > 0 else low,
    }[rounding]


# gemmlowp fixedpoint/fixedpoint.h and TensorFlow Lite kernels/internal/common.h, line by line, with
# C's integers: int32 wraps here where C++ leaves it undefined, "/" truncates, ">>" is arithmetic.


def c_int32(x):
    return (x + (1 << 31)) % (1 << 32) - (1 << 31)


def c_divide(x, y):
    return abs(x) // y * (1 if x >= 0 else -1)


def saturating_rounding_doubling_high_mul(a, b):
    overflow = a == b and a == -(1 << 31)
    ab_64 = a * b
    nudge = (1 << 30) if ab_64 >= 0 else (1 - (1 << 30))
    ab_x2_high32 = c_int32(c_divide(ab_64 + nudge, 1 << 31))
    return (1 << 31) - 1 if overflow else ab_x2_high32


def rounding_divide_by_pot(x, exponent):
    assert 0 <= exponent <= 31
    mask = c_int32((1 << exponent) - 1)
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def multiply_by_quantized_multiplier_double(x, quantized_multiplier, shift):
    left_shift = shift if shift > 0 else 0
    right_shift = 0 if shift > 0 else -shift
    return rounding_divide_by_pot(
        saturating_rounding_doubling_high_mul(c_int32(x * (1 << left_shift)), quantized_multiplier),
        right_shift,
    )


def multiply_by_quantized_multiplier_single(x, quantized_multiplier, shift):
    total_shift = 31 - shift
    round_ = 1 << (total_shift - 1)
    result = x * quantized_multiplier + round_
    return result >> total_shift


def requantize(values, multiplier, shift, rounding, *, out=INT64, zero_point=0, **options):
    scale = Requantize(
        multiplier=multiplier, shift=shift, zero_point=zero_point, format=out, rounding=rounding
    )
    return scale(np.array(values).reshape(-1, 1), options.pop("source", INT32), **options).ravel()


@pytest.mark.parametrize("rounding", SINGLE)
def test_every_small_tie(rounding):
    values = np.arange(-300, 301)
    for shift in range(11):
        expected = [exactly(Fraction(int(v), 1 << shift), rounding) for v in values]
        for dtype in (np.int64, object):
            assert (
                arithmetic.shift_right(values.astype(dtype), shift, rounding).tolist() == expected
            )


def test_named_ties():
    values = np.array([-5, -3, -1, 1, 3, 5])  # halves
    ties = {rounding: arithmetic.shift_right(values, 1, rounding).tolist() for rounding in SINGLE}
    assert ties == {
        Rounding.FLOOR: [-3, -2, -1, 0, 1, 2],
        Rounding.TRUNCATE: [-2, -1, 0, 0, 1, 2],
        Rounding.HALF_UP: [-2, -1, 0, 1, 2, 3],
        Rounding.HALF_EVEN: [-2, -2, 0, 0, 2, 2],
        Rounding.HALF_AWAY: [-3, -2, -1, 1, 2, 3],
    }


def test_double_is_not_a_single_shift():
    with pytest.raises(ValueError, match="tflite_double"):
        arithmetic.shift_right(np.array([1]), 1, Rounding.TFLITE_DOUBLE)


EDGES_32 = [-(1 << 31), -(1 << 31) + 1, -(1 << 30), -3, -1, 0, 1, 3, (1 << 30), (1 << 31) - 1]
EDGES_64 = [value << 32 for value in EDGES_32] + [(1 << 63) - 1, -(1 << 62) - 1]
MULTIPLIERS = [0, 1, 2, 3, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, (1 << 31) - 1]


@pytest.mark.parametrize("rounding", SINGLE)
@pytest.mark.parametrize("source, values", [(INT32, EDGES_32), (INT64, EDGES_64)], ids=str)
def test_extremes(rounding, source, values):
    out = Format(16)
    for multiplier in MULTIPLIERS:
        for shift in range(63):
            expected = [exactly(Fraction(v * multiplier, 1 << shift), rounding) for v in values]
            expected = [min(max(value, out.min), out.max) for value in expected]
            got = requantize(values, multiplier, shift, rounding, out=out, source=source)
            assert got.tolist() == expected


@given(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, (1 << 31) - 1),
    st.integers(0, 62),
    st.sampled_from(SINGLE),
)
def test_any_32_bits(value, multiplier, shift, rounding):
    expected = exactly(Fraction(value * multiplier, 1 << shift), rounding)
    assert requantize([value], multiplier, shift, rounding).tolist() == [expected]


@given(
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, (1 << 31) - 1),
    st.integers(0, 62),
    st.sampled_from(SINGLE),
)
def test_any_64_bits(value, multiplier, shift, rounding):
    expected = exactly(Fraction(value * multiplier, 1 << shift), rounding)
    expected = min(max(expected, -(1 << 63)), (1 << 63) - 1)
    assert requantize([value], multiplier, shift, rounding, source=INT64).tolist() == [expected]


@given(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, (1 << 31) - 1),
    st.integers(0, 62),
)
def test_double_rounding_is_gemmlowp(value, multiplier, shift):
    expected = multiply_by_quantized_multiplier_double(value, multiplier, 31 - shift)
    assert requantize([value], multiplier, shift, Rounding.TFLITE_DOUBLE).tolist() == [expected]


def test_double_rounding_at_the_edges():
    for multiplier in MULTIPLIERS:
        for shift in range(63):
            expected = [
                multiply_by_quantized_multiplier_double(v, multiplier, 31 - shift) for v in EDGES_32
            ]
            got = requantize(EDGES_32, multiplier, shift, Rounding.TFLITE_DOUBLE)
            assert got.tolist() == expected


def test_double_rounding_rounds_twice():
    # 0.4921875 rounds to 0; first to 31 bits and then to integers it is 0.5, and rounds to 1.
    value, multiplier, shift = 1, (1 << 30) - 1, 31
    assert requantize([value], multiplier, shift, Rounding.HALF_UP).tolist() == [0]
    value, multiplier, shift = 1, (1 << 31) - 1, 32
    assert requantize([value], multiplier, shift, Rounding.HALF_UP).tolist() == [0]
    assert requantize([value], multiplier, shift, Rounding.TFLITE_DOUBLE).tolist() == [1]


@given(
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(1 << 30, (1 << 31) - 1),
    st.integers(1, 61),
)
def test_half_up_is_tflite_single_rounding(value, multiplier, shift):
    expected = multiply_by_quantized_multiplier_single(value, multiplier, 31 - shift)
    assert requantize([value], multiplier, shift, Rounding.HALF_UP).tolist() == [expected]


@pytest.mark.parametrize(
    "out", [Format(8), Format(8, False), Format(2), Format(16, False)], ids=str
)
@pytest.mark.parametrize("zero_point", [-(1 << 16), -128, -3, 0, 5, 200, (1 << 16) - 1])
@pytest.mark.parametrize("relu", [False, True])
def test_zero_point_clamp_and_relu(out, zero_point, relu):
    values = [*range(-300, 301), -(1 << 31), (1 << 31) - 1]
    # ReLU is max(real value, 0), and real zero is the zero point, as near as the format has it.
    low = min(max(zero_point, out.min), out.max) if relu else out.min
    expected = [min(max(value + zero_point, low), out.max) for value in values]
    got = requantize(values, 1, 0, Rounding.HALF_UP, out=out, zero_point=zero_point, relu=relu)
    assert got.tolist() == expected


def test_per_channel():
    values = np.array([[100, 100, 100], [-100, -100, -100]])
    scale = Requantize(multiplier=np.array([1, 2, 3]), shift=np.array([0, 1, 3]), format=Format(16))
    assert scale(values, INT32).tolist() == [[100, 100, 38], [-100, -100, -37]]
    for multiplier, shift in ((np.array([1, 2]), 1), (1, np.array([1, 2]))):
        scale = Requantize(multiplier=multiplier, shift=shift, format=Format(8))
        with pytest.raises(ValueError, match=r"must be one number or 3, one per column, not 2"):
            scale(values, INT32)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"multiplier": -1}, "multiplier must be 0 to 2147483647, not -1"),
        ({"multiplier": 1 << 31}, "multiplier must be 0 to 2147483647, not 2147483648"),
        ({"multiplier": 0.5}, "multiplier must hold integers, not float64"),
        ({"multiplier": float("nan")}, r"multiplier must hold integers; element \(\) is NaN"),
        ({"multiplier": True}, "multiplier must hold integers, not bool"),
        ({"multiplier": np.ones((2, 2), int)}, "multiplier must be any, not 2 × 2"),
        ({"shift": np.array([], int)}, "shift must be any, not 0"),
        ({"shift": 63}, "shift must be 0 to 62, not 63"),
        ({"shift": np.array([1, -1])}, r"shift must be 0 to 62, not -1 \(element \(1\)\)"),
        ({"zero_point": 1 << 16}, "zero_point must be -65536 to 65535, not 65536"),
        ({"zero_point": np.array([1])}, "zero_point must be one number, not 1"),
    ],
)
def test_bad_scale(options, message):
    with pytest.raises(ValueError, match=message):
        Requantize(**{"multiplier": 1, "shift": 0, "format": Format(8), **options})


def test_double_rounding_needs_32_bits():
    scale = Requantize(multiplier=1, shift=0, format=Format(8), rounding=Rounding.TFLITE_DOUBLE)
    with pytest.raises(ValueError, match="32-bit results only"):
        scale(np.array([[1]]), INT64)
