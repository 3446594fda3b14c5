"""The golden GEMM against its definition in Python integers, and against NumPy's own product."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.hw.config import from_tables
from matweave.hw.formats import Format, Overflow, Rounding
from matweave.sim.golden.gemm import for_config, gemm
from matweave.sim.golden.requantize import Requantize

INT8, INT32, INT64 = Format(8), Format(32), Format(64)


def into(value, format, mode):
    if mode is Overflow.SATURATE:
        return min(max(value, format.min), format.max)
    return (value - format.min) % (1 << format.width) + format.min


def by_definition(a, b, c0, bias, block, accumulator, overflow, result):
    """One Python integer after the other, as the interface document spells it."""
    rows = []
    for i, row in enumerate(a.tolist()):
        rows.append([])
        for j, column in enumerate(b.T.tolist()):
            acc = 0
            for start in range(0, len(row), block):
                products = zip(
                    row[start : start + block], column[start : start + block], strict=True
                )
                acc = into(acc + sum(x * y for x, y in products), accumulator, overflow)
            extra = (0 if c0 is None else int(c0[i, j])) + (0 if bias is None else int(bias[j]))
            rows[-1].append(into(acc + extra, result, overflow))
    return np.array(rows)


def draw(rng, format, shape, kind):
    if kind == "random":
        return rng.integers(format.min, format.max, shape, np.int64, endpoint=True)
    if kind == "corners":
        return rng.choice(np.array([format.min, format.max, 0, 1], np.int64), shape)
    return np.full(shape, format.min if kind == "low" else format.max, np.int64)


formats = st.builds(Format, st.integers(2, 16), st.booleans())
kinds = st.sampled_from(["random", "corners", "low", "high"])


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    a_format=formats,
    b_format=formats,
    block=st.integers(1, 6),
    extra_width=st.integers(-1, 4),
    overflow=st.sampled_from(Overflow),
    wide=st.booleans(),
    terms=st.sets(st.sampled_from(["c0", "bias"])),
    seed=st.integers(0, 1 << 32),
    kind=st.tuples(kinds, kinds),
)
def test_definition(
    shape, a_format, b_format, block, extra_width, overflow, wide, terms, seed, kind
):
    m, k, n = shape
    rng = np.random.default_rng(seed)
    accumulator = Format(max(2, a_format.width + b_format.width + extra_width))
    result = INT64 if wide or accumulator.width > 32 else INT32
    a, b = draw(rng, a_format, (m, k), kind[0]), draw(rng, b_format, (k, n), kind[1])
    c0 = draw(rng, result, (m, n), kind[0]) if "c0" in terms else None
    bias = draw(rng, INT32, (n,), kind[1]) if "bias" in terms else None
    expected = by_definition(a, b, c0, bias, block, accumulator, overflow, result)
    options = {
        "a_format": a_format,
        "b_format": b_format,
        "block": block,
        "accumulator": accumulator,
        "overflow": overflow,
        "result": result,
        "c0": c0,
        "bias": bias,
    }
    got = gemm(a, b, **options)
    assert got.dtype == np.int64 and np.array_equal(got, expected)
    assert np.array_equal(gemm(a, b, **options, relu=True), np.maximum(expected, 0))


def exact(a, b, **options):
    """int8 with an exact accumulator."""
    numbers = {
        "a_format": INT8,
        "b_format": INT8,
        "block": 1,
        "accumulator": None,
        "overflow": Overflow.WRAP,
        "result": INT32,
    }
    return gemm(a, b, **{**numbers, **options})


@pytest.mark.parametrize("overflow", Overflow)
@pytest.mark.parametrize("block", [1, 8])
def test_exact_accumulator_is_the_matrix_product(overflow, block):
    rng = np.random.default_rng(1)
    a, b = rng.integers(-128, 128, (37, 129)), rng.integers(-128, 128, (129, 53))
    assert np.array_equal(exact(a, b, overflow=overflow, block=block), a @ b)
    a[:], b[:] = -128, -128
    assert np.array_equal(exact(a, b, overflow=overflow, block=block), a @ b)


@pytest.mark.parametrize("overflow", Overflow)
def test_an_exact_accumulator_is_as_wide_as_it_takes(overflow):
    a = np.full((1, 1 << 14), 1 << 15)
    options = {"a_format": Format(17), "b_format": Format(17), "overflow": overflow}
    assert exact(a, a.T, **options, result=INT64).item() == 1 << 44
    assert exact(a, -a.T, **options, result=INT64).item() == -(1 << 44)


def test_saturation_depends_on_the_blocks():
    a, b = np.array([[127, 127, -128, -128]]), np.full((4, 1), 127)
    options = {"accumulator": Format(15), "overflow": Overflow.SATURATE}
    # 16129 + 16129 stops at 16383; in pairs, +32258 stops there too; all four at once are -254.
    assert exact(a, b, **options, block=1).item() == max(16383 - 16256 - 16256, -16384)
    assert exact(a, b, **options, block=2).item() == -16129
    assert exact(a, b, **options, block=4).item() == -254


def test_accumulator_wider_than_the_result_wraps_or_saturates():
    a, b = np.full((1, 4), 1 << 15), np.full((4, 1), 1 << 15)
    options = {"a_format": Format(16, False), "b_format": Format(16, False)}
    options |= {"accumulator": Format(40), "result": INT32}
    assert exact(a, b, **options).item() == 0
    assert exact(a, b, **options, overflow=Overflow.SATURATE).item() == (1 << 31) - 1


def test_64_bit_sums_do_not_overflow_on_the_way():
    c0 = np.array([[INT64.max, INT64.min]])
    a, b = np.array([[1]]), np.array([[1, -1]])
    options = {"result": INT64, "c0": c0}
    wrapped = exact(a, b, **options)
    assert wrapped.tolist() == [[INT64.min, INT64.max]]
    assert np.array_equal(exact(a, b, **options, overflow=Overflow.SATURATE), c0)


def test_requantized():
    a, b = np.array([[3, -4]]), np.array([[1, 5], [2, -6]])
    scale = Requantize(
        multiplier=np.array([3, 1]), shift=np.array([1, 2]), zero_point=1, format=Format(4)
    )
    # [-5, 39]: -7.5 -> -7 (half up) + 1, 9.75 -> 10 + 1, clamped to 7
    assert exact(a, b, requantize=scale).tolist() == [[-6, 7]]
    assert exact(a, b, requantize=scale, relu=True).tolist() == [[1, 7]]


def test_small_dtypes_do_not_overflow():
    a = np.full((2, 300), -128, np.int8)
    assert exact(a, a.T).tolist() == [[300 * 16384] * 2] * 2


CONFIG = {
    "kind": "gemm",
    "name": "golden",
    "a": "int8",
    "b": "int8",
    "limits": {"m": 16, "n": 16, "k": 16},
    "array": {"kind": "cube", "rows": 2, "columns": 2, "depth": 2},
    "accumulator": {"width": 16, "overflow": "saturate"},
    "output": {"format": "int8", "rounding": "half_even", "scale": "tensor"},
}


def test_for_config():
    golden = for_config(from_tables(CONFIG))
    rng = np.random.default_rng(2)
    a, b = rng.integers(-128, 128, (5, 7)), rng.integers(-128, 128, (7, 3))
    c0, bias = rng.integers(-999, 999, (5, 3)), rng.integers(-999, 999, 3)
    expected = by_definition(a, b, c0, bias, 2, Format(16), Overflow.SATURATE, INT32)
    assert np.array_equal(golden(a, b, c0, bias=bias), expected)
    scaled = golden(
        a, b, c0, bias=bias, multiplier=3, shift=9, zero_point=-7, relu=True, requantize=True
    )
    scale = Requantize(
        multiplier=3, shift=9, zero_point=-7, format=INT8, rounding=Rounding.HALF_EVEN
    )
    assert np.array_equal(scaled, scale(expected, INT32, relu=True))
    with pytest.raises(ValueError, match="needs a multiplier and a shift"):
        golden(a, b, requantize=True)
    with pytest.raises(ValueError, match="the scale is per tensor"):
        golden(a, b, multiplier=np.array([1, 2, 3]), shift=1, requantize=True)


EXACT = CONFIG | {"accumulator": {"width": "exact"}, "output": {"mode": "raw"}}


def test_an_exact_configuration_shares_no_width_with_the_hardware(monkeypatch):
    """Were the hardware's too narrow, the golden model must not be wrong in the same way."""
    config = from_tables(EXACT | {"a": "int16", "b": "int16", "limits": {"m": 4, "n": 4, "k": 6}})
    for wrong in ("accumulator_format", "result_format"):
        monkeypatch.setattr(type(config), wrong, property(lambda _: Format(20)))
    a = np.full((1, 6), -(1 << 15))
    assert for_config(config)(a, a.T).item() == 6 << 30


@pytest.mark.parametrize("k", range(1, 6))
@pytest.mark.parametrize("a, b", [("int16", "int16"), ("uint16", "int16"), ("uint16", "uint16")])
def test_the_width_of_exact_results_is_the_configurations(a, b, k):
    config = from_tables(EXACT | {"a": a, "b": b, "limits": {"m": 4, "n": 4, "k": k}})
    a, b = np.full((1, k), config.a.max), np.full((k, 1), config.b.max)
    c0 = np.array([[config.result_format.max]])
    expected = by_definition(a, b, c0, None, 2, Format(48), Overflow.WRAP, config.result_format)
    assert np.array_equal(for_config(config)(a, b, c0), expected)


A, B = np.ones((2, 3), np.int8), np.ones((3, 4), np.int8)


@pytest.mark.parametrize(
    "a, b, options, message",
    [
        (A.astype(float), B, {}, "a must hold integers, not float64"),
        (np.where(A, np.nan, 0), B, {}, r"a must hold integers; element \(0, 0\) is NaN"),
        (A > 0, B, {}, "a must hold integers, not bool"),
        (A[0], B, {}, "a must be any × any, not 3"),
        (A, B[:2], {}, "b must be 3 × any, not 2 × 4"),
        (A[:0], B, {}, "a must be any × any, not 0 × 3"),
        (A.astype(int) * 128, B, {}, r"a must be -128 to 127, not 128 \(element \(0, 0\)\)"),
        (
            A,
            np.full((3, 4), 2**63, np.uint64),
            {},
            "b must be -128 to 127, not 9223372036854775808",
        ),
        (A, B, {"c0": np.ones((4, 2), int)}, "c0 must be 2 × 4, not 4 × 2"),
        (A, B, {"c0": np.full((2, 4), 1 << 31)}, "c0 must be -2147483648 to 2147483647"),
        (A, B, {"bias": np.ones(3, int)}, "bias must be 4, not 3"),
        (A, B, {"bias": np.ones(4)}, "bias must hold integers, not float64"),
        (A, B, {"bias": np.full(4, -(1 << 31) - 1)}, "bias must be -2147483648 to"),
        (A, B, {"block": 0}, "block must be a positive integer, not 0"),
    ],
)
def test_bad_operands(a, b, options, message):
    with pytest.raises(ValueError, match=message) as error:
        exact(a, b, **options)
    assert "\n" not in str(error.value)
