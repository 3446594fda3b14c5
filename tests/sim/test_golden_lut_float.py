"""The golden model of lookup engines with floating-point activations against int64 where nothing
is rounded, against exact sums where it is, and at its special values; arrays of floats."""

import numpy as np
import pytest

from matweave.hw.floats import BF16, FP16, FP32
from matweave.hw.weights import Coding, WeightFormat
from matweave.sim.golden import floats, lut_float, operands

INT8, UINT4, TERNARY, BINARY = (
    WeightFormat.parse(x) for x in ("int8", "uint4", "ternary", "binary")
)
WEIGHTS = [UINT4, INT8, TERNARY, BINARY, WeightFormat.parse("uint1"), WeightFormat.parse("int2")]


def drawn(rng, weights, k, n):
    return weights.number(rng.integers(0, 1 << weights.width, (k, n)))


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_it_is_exact_where_nothing_is_rounded(weights, serial):
    """Small integers, K no multiple of a slice: every sum is one of every format."""
    rng = np.random.default_rng(3)
    a, b = rng.integers(-3, 4, (4, 10)), drawn(rng, weights, 10, 5)
    zeros, wanted = None, a @ b
    if weights.coding is Coding.ASYMMETRIC:
        zeros = rng.choice([0, 1, (1 << weights.width) - 1, 1 << weights.width], 5)
        wanted = a @ (b - zeros)
    c0, bias = rng.integers(-50, 50, (4, 5)), rng.integers(-50, 50, 5)
    for relu in (False, True):
        found = lut_float.gemm(
            a.astype(np.float32), b, a_format=BF16, b_format=weights, accumulator=FP32, k=4,
            sign=2, serial=serial, zeros=zeros, c0=c0.astype(np.float32),
            bias=bias.astype(np.float32), relu=relu,
        )  # fmt: skip
        total = wanted + c0 + bias
        assert found.tolist() == (np.maximum(total, 0) if relu else total).tolist()


@pytest.mark.parametrize("format", [FP16, BF16], ids=str)
def test_it_is_near_the_exact_product(format):
    rng = np.random.default_rng(4)
    a = floats.stored(rng.normal(size=(4, 64)), format)
    b, zeros = drawn(rng, UINT4, 64, 6), rng.integers(0, 17, 6)
    found = lut_float.gemm(
        a, b, a_format=format, b_format=UINT4, accumulator=FP32, k=4, zeros=zeros
    )
    exact = a.astype(float) @ (b - zeros)
    # As of sums alone, and of the sum of activations, times z'.
    reach = 32 * np.abs(a).astype(float).sum(axis=1, keepdims=True)
    bound = reach * (2 * 2.0 ** -(format.fraction + 1) + 100 * 2.0 ** -(FP32.fraction + 1))
    assert (np.abs(found - exact) < bound).all()
    assert not np.array_equal(found, exact), "something is rounded"


def one(a, b, weights, accumulator=FP32, **options):
    """C of one row and one column."""
    a = np.array([a], np.float32)
    (found,) = lut_float.gemm(
        a, np.array(b)[:, None], a_format=FP16, b_format=weights, accumulator=accumulator, k=2,
        **options,
    )[0]  # fmt: skip
    return found


def test_special_values():
    largest, infinite = float(FP16.largest), np.inf
    # z' = 0 takes nothing of an infinite sum of activations; z' = 1 makes NaN of it.
    assert one([infinite, 0], [1, 1], BINARY) == infinite
    assert one([infinite, 0], [1, -1], TERNARY) == infinite
    assert np.isnan(one([infinite, 0], [1, 1], INT8))
    # An entry that overflows in A's format, though the accumulator's would hold it.
    assert one([largest, largest], [1, 1], BINARY) == infinite
    assert one([largest, 0], [1, 1], BINARY) == largest
    # D overflows in FP16, its half would not.
    assert one([largest, 0], [1, 0], WeightFormat.parse("uint1"), FP16) == infinite
    assert one([largest, 0], [1, 0], WeightFormat.parse("uint1"), FP32) == largest


def test_halves_of_subnormals():
    """Exact of an even number of the least, else to even; of a zero the sign stays."""
    least = float(FP16.smallest)
    tiny = np.float32([least, -least, 3 * least, -3 * least, 4 * least])
    total = lut_float.times(tiny, np.float32(0.5), FP16)
    assert (total / np.float32(least)).tolist() == [0, 0, 2, -2, 2]
    assert np.signbit(total).tolist() == [False, True, False, True, False]
    assert one([least, 0], [1, 0], TERNARY, FP16) == least
    # S = -a, R = a, z' = -1: D = 0, and no sum of opposite numbers is -0.
    zero = one([least, 0], [0, 0], WeightFormat.parse("uint1"), FP16)
    assert zero == 0 and not np.signbit(zero)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[0.1]],
            r"a must be numbers of fp16; element \(0, 0\), 0.1, is none, the nearest is 0.0999",
        ),
        ([[1, 2]], "a must hold floats, numbers of fp16, not int64"),
        ([1.0], "a must be any × any, not 1"),
        ([[1e6]], "the nearest is inf"),
    ],
)
def test_what_is_no_number_of_a_format(values, message):
    with pytest.raises(ValueError, match=message):
        operands.checked("a", np.array(values), FP16, (None, None))


def test_comparison_is_of_bits():
    assert not operands.same(np.float32([0.0]), np.float32([-0.0]))
    assert operands.same(np.float32([np.nan, 1]), np.float32([np.nan, 1]))
    assert not operands.same(np.float32([1]), np.float32([[1]]))
    assert operands.differences(np.int32([1, 2]), np.int64([1, 3])).tolist() == [False, True]
    with pytest.raises(ValueError, match="cannot be compared"):
        operands.differences(np.float32([1]), np.int64([1]))


@pytest.mark.parametrize("format", [FP16, BF16, FP32], ids=str)
def test_lanes_are_codes_and_back(format):
    codes = np.arange(1 << 16, dtype=np.uint32) << (format.width - 16)
    numbers = operands.numbers(codes.astype(f"<u{format.width // 8}"), format)
    found = operands.lanes(numbers, format)
    of_nan = np.isnan(numbers)
    assert (found[of_nan] == format.nan).all() and (found == codes)[~of_nan].all()
