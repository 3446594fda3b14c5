"""Arrays of every low-bit PE, cycle by cycle, against the golden model: in Amaranth's simulator,
and many more tiles compiled."""

from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.formats import Format
from matweave.hw.lut.array import LowBitArray
from matweave.hw.lut.multiply import MultiplyPe
from matweave.hw.lut.popcount import PopcountPe
from matweave.hw.lut.quantised_table import Quantise, QuantisedTablePe
from matweave.hw.lut.shift_add import ShiftAddPe
from matweave.hw.lut.table import TablePe
from matweave.hw.weights import WIDTHS, Coding, WeightFormat
from matweave.sim import ports
from matweave.sim.golden import lut

from .schedule import Schedule

INT8 = Format(8)
BINARY, TERNARY = WeightFormat(1, Coding.BINARY), WeightFormat(2, Coding.TERNARY)


def w(width, coding=Coding.ASYMMETRIC):
    return WeightFormat(width, coding)


PES = {
    **{f"w{width}": TablePe(INT8, w(width)) for width in WIDTHS},
    **{f"serial_w{width}": TablePe(INT8, w(width), serial=True) for width in (2, 4, 8)},
    **{f"k{k}": TablePe(INT8, w(2), k=k, sign=k - 1) for k in (2, 3, 5, 6)},
    **{f"half_sign_{sign}": TablePe(INT8, w(3), table="half", sign=sign) for sign in (0, 2)},
    **{f"folded_sign_{sign}": TablePe(INT8, w(1), sign=sign) for sign in (1, 2, 3)},
    **{f"full_k{k}": TablePe(INT8, w(3), k=k, table="full") for k in (2, 4)},
    "full_serial": TablePe(INT8, w(3), table="full", serial=True),
    "symmetric": TablePe(INT8, w(4, Coding.SYMMETRIC)),
    "binary": TablePe(INT8, BINARY),
    "ternary": TablePe(INT8, TERNARY),
    "ternary_serial": TablePe(INT8, TERNARY, serial=True),
    "int4": TablePe(Format(4), w(4)),
    "int16": TablePe(Format(16), w(4)),
    "int16_serial": TablePe(Format(16), w(8), serial=True, sign=2),
    **{
        f"{table}_in_lanes": TablePe(INT8, w(2), table=table, decode="lane", sign=sign)
        for table, sign in (("full", 0), ("half", 2), ("folded", 1))
    },
    "quantised": QuantisedTablePe(INT8, w(2)),
    "quantised_serial": QuantisedTablePe(INT8, w(4), serial=True, sign=3, k=5),
    "quantised_int16": QuantisedTablePe(Format(16), w(1)),
    "quantised_to_3_bits": QuantisedTablePe(INT8, w(3), k=3, table="half", entry=3),
    **{f"mac_w{width}": MultiplyPe(INT8, w(width)) for width in (1, 4, 8)},
    "mac_ternary": MultiplyPe(INT8, TERNARY),
    "mac_symmetric": MultiplyPe(INT8, w(4, Coding.SYMMETRIC)),
    "opt1": MultiplyPe(INT8, w(4), multiplier="opt1"),
    **{f"shift_add_w{width}": ShiftAddPe(INT8, w(width)) for width in (1, 3)},
    "shift_add_serial": ShiftAddPe(INT8, w(4), serial=True),
    "shift_add_ternary": ShiftAddPe(INT8, TERNARY),
    "popcount": PopcountPe(INT8, w(2)),
    "popcount_k16": PopcountPe(INT8, w(4, Coding.SYMMETRIC), k=16),
}

BOTH = ("w1", "w2", "serial_w4", "mac_w1", "popcount")
"""Tried without and with a register behind the products; the others with every second one."""

ARRAYS = [(name, bool(n % 2)) for n, name in enumerate(PES)]
ARRAYS += [(name, not partial) for name, partial in ARRAYS if name in BOTH]

TERMS = 40
"""Most activations of a sum here."""


def array(name, rows=2, columns=3, **options):
    pe = PES[name]
    has_sum = not isinstance(pe, PopcountPe) and name != "opt1"
    sums = {"sum_width": INT8.width + 8 + pe.a.width} if has_sum else {}
    return LowBitArray(
        pe=pe, rows=rows, columns=columns, width=pe.sum_width(TERMS), **sums, **options
    )


def tiles(dut, rng, count):
    """Activations and codes: corners first."""
    pe = dut.pe
    for n in range(count):
        length = TERMS if n == 0 else int(rng.integers(1, TERMS + 1))
        a = rng.integers(pe.a.min, pe.a.max, (dut.rows, length), endpoint=True)
        codes = rng.integers(0, 1 << pe.b.width, (dut.columns, length))
        if n == 0:  # an entry, and the whole sum, are as large as they become
            a[:] = pe.a.min
            codes[:] = np.array([0, -1, 0, -1])[np.arange(dut.columns) % 4, None] & (
                (1 << pe.b.width) - 1
            )
        elif n == 1:
            a[:] = 0
        elif n == 2:
            a[:, 1::2] = -np.maximum(a[:, : length // 2 * 2 : 2], -pe.a.max)
        yield a, codes


@pytest.mark.parametrize("name, partial", ARRAYS)
def test_array(name, partial):
    rng = np.random.default_rng(7)
    dut = array(name, partial=partial)
    schedule = Schedule(dut, rng)
    for a, codes in tiles(dut, rng, 4):
        schedule.tile(a, codes)
    schedule.check(ports.simulated)


@pytest.mark.parametrize("name", ["w1", "w2", "serial_w4", "k6", "ternary"])
def test_every_code_in_every_lane_and_plane(name):
    """One slice per tile: all words of a slice, in every column, with a most negative row."""
    dut = array(name)
    pe, rng = dut.pe, np.random.default_rng(3)
    schedule = Schedule(dut, rng, gaps=False)
    count = 1 << pe.b.width
    for start in range(count):
        codes = (start + np.arange(dut.columns)[:, None] * 5 + np.arange(pe.k) * 3) % count
        a = rng.integers(pe.a.min, pe.a.max, (dut.rows, pe.k), endpoint=True)
        a[start % dut.rows] = pe.a.min
        schedule.tile(a, codes)
    schedule.check(ports.simulated)


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize("name", ["w2", "serial_w4", "mac_w4"])
def test_compiled(name):
    """More columns than a block has, and the emitted Verilog."""
    rng = np.random.default_rng(11)
    dut = array(name, columns=6)
    schedule = Schedule(dut, rng)
    for a, codes in tiles(dut, rng, 100):
        schedule.tile(a, codes)
    schedule.check(ports.compiled)


@pytest.mark.parametrize(("i_width", "width", "most"), [(10, 8, 3), (7, 2, 6), (9, 9, 1)])
def test_quantise(i_width, width, most):
    """Every number by every exponent."""
    reach, limit = 1 << (i_width - 1), (1 << (width - 1)) - 1
    pairs = [(x, e) for x in range(-reach, reach) for e in range(most + 1)]
    inputs = {"i": [x & 2 * reach - 1 for x, _ in pairs], "exponent": [e for _, e in pairs]}
    found = ports.simulated(Quantise(i_width=i_width, width=width, most=most), inputs)["o"]
    for (x, e), code in zip(pairs, found, strict=True):
        wanted = max(-limit, min(limit, round(Fraction(x, 1 << e))))  # Python's ties are even
        assert code == wanted & 2 * limit + 1, (x, e)


def test_exponents_are_the_least_that_limit_nothing():
    rng = np.random.default_rng(9)
    a = np.concatenate([rng.integers(-128, 128, (40, 8)), np.full((1, 8), -128), np.zeros((1, 8))])
    a = a.astype(np.int64)
    codes = rng.integers(0, 16, (30, 8))
    found = lut.exponents(a, 4, 8)
    most = np.abs(a.reshape(-1, 2, 4)).sum(axis=2).max(axis=1)
    assert (np.rint(most / 2.0**found) <= 127).all()
    assert ((found == 0) | (np.rint(most / 2.0 ** (found - 1)) > 127)).all()
    sums, totals = lut.quantised(a, found, codes, w(4), k=4, entry=8)
    error = sums * (1 << found)[:, None] - lut.uncorrected(a, codes, w(4))
    assert (np.abs(error) <= (1 << found)[:, None] / 2 * 2 * 15).all()
    exact = found == 0
    assert exact.any() and not error[exact].any() and error.any()
    assert (totals * (1 << found) - a.sum(axis=1))[exact].any() == 0


def test_too_narrow_a_sum_is_noticed():
    """The test can fail: a bit less than sum_width, and the most negative sum wraps."""
    pe = PES["w4"]
    dut = LowBitArray(pe=pe, rows=1, columns=2, width=pe.sum_width(TERMS) - 1)
    rng = np.random.default_rng(0)
    schedule = Schedule(dut, rng)
    schedule.tile(*next(tiles(dut, rng, 1)))
    with pytest.raises(AssertionError, match="cycle"):
        schedule.check(ports.simulated)


def test_widths_of_the_paper():
    assert TablePe(INT8, w(4)).sum_width(4096) == 24
    assert TablePe(INT8, w(1)).sum_width(4096) == 21


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TablePe(INT8, w(2), k=7), "2 to 6 activations, not 7"),
        (lambda: TablePe(INT8, w(2), sign=4), "sign must be 0 to 3, not 4"),
        (lambda: TablePe(INT8, w(2), table="none"), "not 'none'"),
        (lambda: TablePe(INT8, w(2), decode="row"), "decode must be edge, lane, not 'row'"),
        (lambda: QuantisedTablePe(INT8, w(2), table="full"), "half or folded, not full"),
        (lambda: QuantisedTablePe(INT8, w(2), entry=11), "entry must be 2 to 10 bits"),
        (lambda: TablePe(Format(8, False), w(2)), "must be signed, not uint8"),
        (lambda: MultiplyPe(INT8, w(2), serial=True), "all planes"),
        (lambda: PopcountPe(INT8, w(2), serial=False), "one plane"),
        (lambda: LowBitArray(pe=PES["w1"], rows=0, columns=1, width=9), "rows must be a positive"),
    ],
)
def test_what_does_not_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
