"""Floating-point units: small formats exhaustively against exact fractions, FP16, BF16 and FP32 at
their corners and at random against NumPy, which the fractions check in their turn."""

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from matweave.hw.arith.float_add import FloatAdd
from matweave.hw.arith.float_convert import FloatNormalise, FloatStore
from matweave.hw.arith.float_multiply import FloatMultiply
from matweave.hw.floats import BF16, FP16, FP32, FloatFormat
from matweave.sim import ports
from matweave.sim.golden import floats

SMALL = [FloatFormat(3, 2), FloatFormat(2, 3), FloatFormat(4, 1)]
WIDE = [FP16, BF16, FP32]
UNITS = {
    "add": (FloatAdd, floats.add, floats.plus),
    "multiply": (FloatMultiply, floats.multiply, floats.times),
}
"""RTL, its definition by fractions, and by NumPy."""


class Several(wiring.Component):
    """All units of each format: ``i_unit_format``, ``c_unit_format``, ``o_unit_format``."""

    def __init__(self, formats):
        self.formats = formats
        super().__init__(
            {
                f"{port}_{unit}_{format}": flow(format.width)
                for unit in UNITS
                for format in formats
                for port, flow in (("i", In), ("c", In), ("o", Out))
            }
        )

    def elaborate(self, platform):
        m = Module()
        for unit, (cls, *_) in UNITS.items():
            for format in self.formats:
                name = f"{unit}_{format}"
                m.submodules[name] = dut = cls(format=format)
                m.d.comb += [
                    dut.i.eq(getattr(self, f"i_{name}")),
                    dut.c.eq(getattr(self, f"c_{name}")),
                    getattr(self, f"o_{name}").eq(dut.o),
                ]
        return m


def results(formats, operands):
    """Of every unit and format, by ``operands`` of the format, two arrays of codes."""
    inputs = {
        f"{port}_{unit}_{format}": operands[format][place].tolist()
        for unit in UNITS
        for format in formats
        for place, port in enumerate("ic")
    }
    return ports.compiled(Several(formats), inputs)


@pytest.mark.requires_tool("verilator")
def test_every_pair_of_small_formats():
    pairs = {
        format: np.array(list(itertools.product(range(1 << format.width), repeat=2))).T
        for format in SMALL
    }
    found = results(SMALL, pairs)
    for unit, (_, exact, _) in UNITS.items():
        for format in SMALL:
            wanted = [exact(int(x), int(y), format) for x, y in pairs[format].T]
            assert found[f"o_{unit}_{format}"] == wanted, (unit, format)


def corners(format: FloatFormat) -> list[int]:
    """Zeros, ends of subnormals and normals, ones, infinities, NaN, and their neighbours."""
    one = format.bias << format.fraction
    ends = [0, 1, 2, (1 << format.fraction) - 1, 1 << format.fraction, (1 << format.fraction) + 1,
            one - 1, one, one + 1, format.infinity - 1, format.infinity, format.nan,
            format.infinity + 1]  # fmt: skip
    return [end | sign << (format.width - 1) for end in ends for sign in (0, 1)]


def operands(format: FloatFormat, rng, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of corners; then at random, the second often near the first, or its negative."""
    pairs = np.array(list(itertools.product(corners(format), repeat=2)), np.int64)
    x = rng.integers(0, 1 << format.width, count)
    near = x + (rng.integers(-3, 4, count) << rng.integers(0, format.fraction + 3, count))
    near ^= rng.integers(0, 2, count) << (format.width - 1)
    mask = (1 << format.width) - 1
    y = np.where(rng.integers(0, 2, count) == 1, near & mask, rng.integers(0, mask + 1, count))
    return np.append(pairs[:, 0], x), np.append(pairs[:, 1], y)


@pytest.mark.requires_tool("verilator")
def test_wide_formats():
    rng = np.random.default_rng(5)
    given = {format: operands(format, rng, 30_000) for format in WIDE}
    found = results(WIDE, given)
    for unit, (*_, numpy) in UNITS.items():
        for format in WIDE:
            values = numpy(*(floats.numbers(each, format) for each in given[format]), format)
            wanted = floats.codes(values, format)
            assert found[f"o_{unit}_{format}"] == wanted.tolist(), (unit, format)


@pytest.mark.parametrize("format", WIDE, ids=str)
@pytest.mark.parametrize("unit", UNITS)
def test_numpy_rounds_as_fractions_do(format, unit):
    _, exact, numpy = UNITS[unit]
    x, y = operands(format, np.random.default_rng(6), 500)
    values = numpy(floats.numbers(x, format), floats.numbers(y, format), format)
    found = floats.codes(values, format)
    assert found.tolist() == [exact(int(a), int(b), format) for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("to", [FloatFormat(3, 2), FloatFormat(3, 4), FloatFormat(5, 3)], ids=str)
def test_conversions(to):
    """Every code to the format without subnormals, and on to one that has its numbers or not."""
    format, between = FloatFormat(3, 2), FloatFormat(4, 2)
    normalise = FloatNormalise(format=format, to=between)
    store = FloatStore(format=between, to=to)
    codes = list(range(1 << format.width))
    middle = ports.simulated(normalise, {"i": codes})["o"]
    assert all(code & ~(1 << 6) == 0 or code >> 2 & between.special for code in middle)
    # Four times as large, too: the sum of what is kept may be beyond ``to``.
    for factor in (0, 2):
        moved = [
            code + (factor << between.fraction)
            if 0 < (code >> between.fraction & between.special) < between.special - factor
            else code
            for code in middle
        ]
        found = ports.simulated(store, {"i": moved})["o"]
        for code, result in zip(codes, found, strict=True):
            negative, infinite, nan = floats.parts(code, format)
            if infinite:
                assert result == to.infinity | negative << (to.width - 1)
            elif nan:
                assert result == to.nan
            else:
                number = format.number(code) * (1 << factor)
                assert result == floats.rounded(number, to, negative)
                assert abs(number) > to.largest or to.number(result) == number


def test_formats():
    assert [FP16.number(code) for code in (0x3C00, 0xC000, 0x0001, 0x7BFF)] == [
        1, -2, FP16.smallest, 65504,
    ]  # fmt: skip
    assert str(FP16) == "fp16" and str(FloatFormat(4, 3)) == "e4m3"
    assert FloatFormat.parse("e4m3") == FloatFormat(4, 3) and FloatFormat.parse("bf16") == BF16
    assert FP32.contains(BF16) and FP32.contains(FP16) and not BF16.contains(FP16)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FloatFormat(1, 3), "exponent must be an integer of at least 2, not 1"),
        (lambda: FloatFormat(5, 0), "fraction must be an integer of at least 1, not 0"),
        (lambda: FloatFormat.parse("fp8"), "'fp8' is not a float format; allowed are fp16"),
        (lambda: FP16.number(FP16.nan), "0x7e00 is not a finite number of fp16"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
