"""Lookup arrays of floating-point activations, cycle by cycle, bit by bit against the golden model,
which adds in NumPy's formats and knows no tables; tables; and the model against exact sums."""

from fractions import Fraction

import numpy as np
import pytest
from amaranth.sim import Simulator

from matweave.hw.floats import BF16, FP16, FP32, FloatFormat
from matweave.hw.lut.array import LowBitArray
from matweave.hw.lut.float_multiply import FloatMultiplyPe
from matweave.hw.lut.float_sum import FloatDot, kept
from matweave.hw.lut.float_table import FloatTable, FloatTablePe
from matweave.hw.weights import Coding, WeightFormat
from matweave.sim import ports
from matweave.sim.golden import floats, lut, lut_float

from .schedule import Schedule, packed

W1, W2, W3, W4 = (WeightFormat(width) for width in (1, 2, 3, 4))
PES = {
    "fp16_w1": FloatTablePe(FP16, W1),
    "fp16_serial_w4": FloatTablePe(FP16, W4, serial=True, sign=3),
    "fp16_w2": FloatTablePe(FP16, W2, table="half", sign=1),
    "fp16_in_fp16": FloatTablePe(FP16, W3, serial=True, accumulator=FP16),
    "fp16_ternary": FloatTablePe(FP16, WeightFormat(2, Coding.TERNARY), k=3),
    "bf16_w2": FloatTablePe(BF16, W2),
    "bf16_serial_w4": FloatTablePe(BF16, WeightFormat(4, Coding.SYMMETRIC), serial=True),
    "bf16_in_bf16_k2": FloatTablePe(BF16, W1, k=2, accumulator=BF16),
    "mac_fp16_w4": FloatMultiplyPe(FP16, W4),
    "mac_bf16_w1": FloatMultiplyPe(BF16, W1, k=3),
    "bf16_k5_serial": FloatTablePe(BF16, WeightFormat(8), k=5, serial=True),
}


def array(name, columns=3, **options):
    pe = PES[name]
    width = pe.accumulator.width
    sum_width = width if isinstance(pe, FloatTablePe) else 0
    return LowBitArray(pe=pe, rows=2, columns=columns, width=width, sum_width=sum_width, **options)


def tiles(dut, rng, count):
    """Codes of activations and of weights; corners first: overflow, subnormals, zeros of both
    signs, cancelling, infinities, NaN; then at random, in scales from one tile to the next."""
    pe, format = dut.pe, dut.pe.a
    sign = 1 << (format.width - 1)
    for n in range(count):
        length = int(rng.integers(1, 24))
        shape = dut.rows, length
        signs = rng.integers(0, 2, shape) * sign
        if n == 0:
            a = np.full(shape, format.infinity - 1)
        elif n == 1:
            a = rng.integers(0, 1 << format.fraction, shape) | signs
        elif n == 2:
            a = signs
        elif n == 3:
            a = rng.integers(0, format.infinity, shape) | signs
            a[:, 1::2] = a[:, : length // 2 * 2 : 2] ^ sign
        elif n == 4:
            a = rng.integers(0, 1 << format.width, shape)
            a[0, -1] = format.infinity | sign
            a[1, 0] = format.nan
        else:
            values = rng.normal(0, 2.0 ** rng.integers(-12, 12), shape)
            a = floats.codes(floats.stored(values.astype(np.float32), format), format)
        codes = rng.integers(0, 1 << pe.b.width, (dut.columns, length))
        if n == 0:
            codes[:] = np.array([0, -1, 0])[np.arange(dut.columns) % 3, None] % (1 << pe.b.width)
        yield a.astype(np.int64), codes


@pytest.mark.parametrize("name", PES)
def test_array(name):
    rng = np.random.default_rng(22)
    dut = array(name, columns=2, partial=list(PES).index(name) % 2 == 0)
    schedule = Schedule(dut, rng)
    for a, codes in tiles(dut, rng, 6):
        schedule.tile(a, codes)
    schedule.check(ports.simulated)


QUICK = "fp16_serial_w4", "mac_bf16_w1"


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in PES]
)
def test_compiled(name):
    """More columns, many more tiles, and the emitted Verilog."""
    rng = np.random.default_rng(21)
    dut = array(name, columns=3, partial=list(PES).index(name) % 2 == 1)
    schedule = Schedule(dut, rng)
    for a, codes in tiles(dut, rng, 60):
        schedule.tile(a, codes)
    schedule.check(ports.compiled)


@pytest.mark.parametrize(("format", "k", "sign"), [(FP16, 4, 0), (BF16, 3, 2), (FP16, 5, 1)])
def test_tables(format, k, sign):
    """Every entry, subnormals, zeros and infinities included, in the format that is kept."""
    pe = FloatTablePe(format, W1, k=k, sign=sign)
    component, rng = FloatTable(pe=pe), np.random.default_rng(k)
    drawn = rng.integers(0, 1 << format.width, (40, k))
    drawn[:8] &= (1 << (format.width - 1)) | (1 << format.fraction) - 1
    drawn[8] = 0
    drawn[9, 0] = format.infinity
    wanted = []
    for codes in drawn:
        terms = list(floats.numbers(codes, format)[:, None])
        entries = []
        for index in range(pe.places):
            minus = [index >> place & 1 for place in range(k - 1)]
            minus.insert(sign, 0)
            signed = [-x if down else x for x, down in zip(terms, minus, strict=True)]
            entries.append(lut_float.slice_sum(signed, sign, format)[0])
        wanted.append(entries)
    found = []

    async def bench(ctx):
        for codes in drawn:
            ctx.set(component.i, packed(codes, format.width))
            await ctx.delay(1e-9)
            found.append(ctx.get(component.o))

    simulator = Simulator(component)
    simulator.add_testbench(bench)
    simulator.run()
    wide = kept(format)
    for table, entries in zip(found, wanted, strict=True):
        for place, value in enumerate(entries):
            code = table >> (place * wide.width) & ((1 << wide.width) - 1)
            if np.isfinite(value):
                assert wide.number(code) == Fraction(float(value))
                assert code >> wide.fraction & wide.special or not value, "a subnormal"
            else:
                magnitude = code & ((1 << (wide.width - 1)) - 1)
                assert (magnitude > wide.infinity) == np.isnan(value)
                assert magnitude >= wide.infinity


def operands(rng, format, shape):
    values = rng.normal(0, 1, shape).astype(np.float32)
    return floats.stored(values, format)


@pytest.mark.parametrize("weights", [W1, W4, WeightFormat(4, Coding.SYMMETRIC)], ids=str)
@pytest.mark.parametrize("serial", [False, True])
def test_the_model_is_exact_where_nothing_is_rounded(weights, serial):
    """Small integers: every sum is one of every format."""
    rng = np.random.default_rng(1)
    a, codes = rng.integers(-3, 4, (4, 24)), rng.integers(0, 1 << weights.width, (5, 24))
    found = lut_float.sums(
        a.astype(np.float32), codes, weights, BF16, k=4, serial=serial
    )  # fmt: skip
    assert found.tolist() == lut.uncorrected(a, codes, weights).tolist()
    rows = lut_float.row_sums(a.astype(np.float32), BF16, k=4)
    assert rows.tolist() == a.sum(axis=1).tolist()


@pytest.mark.parametrize("format", [FP16, BF16], ids=str)
def test_the_model_is_near_the_exact_sum(format):
    """Each of a product's additions errs by half a unit in the last place of what it adds up to."""
    rng = np.random.default_rng(2)
    a, codes = operands(rng, format, (4, 64)), rng.integers(0, 16, (6, 64))
    found = lut_float.sums(a, codes, W4, format, k=4).astype(float)
    exact = a.astype(float) @ (2.0 * codes - 15).T
    reach = 15 * np.abs(a).astype(float).sum(axis=1, keepdims=True)
    # Two roundings in the table; in the accumulator, one per plane and slice.
    bound = reach * (2 * 2.0 ** -(format.fraction + 1) + 80 * 2.0 ** -(FP32.fraction + 1))
    assert (np.abs(found - exact) < bound).all()
    assert not np.array_equal(found, exact), "something is rounded"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FloatTablePe(FP16, W1, table="full"), "half or folded, not full"),
        (lambda: FloatTablePe(FP16, W1, accumulator=BF16), "sums of fp16 cannot be bf16"),
        (lambda: FloatMultiplyPe(FP16, W4, serial=True), "all planes of a weight at once"),
        (lambda: FloatTablePe(FloatFormat(2, 3), W1), "e2m3 has too short an exponent"),
        (lambda: FloatDot(pe=PES["fp16_w1"], depth=1, width=31), "sums have the 32 bits"),
    ],
)
def test_what_does_not_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
