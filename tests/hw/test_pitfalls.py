"""Where encoder-based engines go wrong, one test each, for every PE with each of its options.

The published RTL of this family falls into most of these; random operands find few of them. Traps 2
to 5 are the recoders' (``test_recoding.py``), 2 and 9 to 12 in the digit-serial PEs' own form in
``test_serial.py`` and ``test_serial_engines.py``, and 10 (registers that were never reset) is the
Icarus run from unknown state.
"""

import itertools

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from matweave.hw.arith.compress import Operand, total
from matweave.hw.arith.recoding import Digit, multiple
from matweave.hw.formats import Format, accumulator_width
from matweave.hw.pe import variants

from .array_schedules import PES, OutputStationary, array, packed
from .test_pe import Chain

INT8, UINT8 = Format(8), Format(8, False)
VARIANTS = sorted(variants())
CARRY_SAVE = sorted(name for name, pe in PES.items() if pe(INT8, INT8).words == 2)


def constant_tile(bench, a: int, b: int, blocks: int) -> int:
    """A tile of equal operands, back to back with what was before; its number of terms."""
    dut = bench.dut
    for block in range(blocks):
        now = bench.schedule.add(
            a=packed(np.full(dut.rows * dut.depth, a), dut.pe.a.width),
            b=packed(np.full(dut.columns * dut.depth, b), dut.pe.b.width),
            valid=1,
            first=block == 0,
            last=block == blocks - 1,
            size=dut.rows,
        )
    terms = blocks * dut.depth
    for row in range(dut.rows):
        bench.schedule.rows[now + dut.latency + row] = [a * b * terms] * dut.columns
    return terms


@pytest.mark.parametrize("pe", VARIANTS)
def test_pitfall_1_minus_two_times_the_most_negative_is_positive(pe, seed):
    """Digits -2 against all -128, the most negative on both sides, over a long K, in accumulators
    that hold exactly that and no more."""
    dut = array("cube", pe, width=accumulator_width(INT8, INT8, 96), rows=2, columns=2, depth=3)
    bench = OutputStationary(dut, np.random.default_rng(seed))
    for a, b in ((-2, -128), (-128, -128), (-8, -128), (-128, -2), (127, -128), (-86, -128)):
        constant_tile(bench, a, b, 32)
    assert dut.width == 22  # 96 * 2**14 needs 22 bits
    bench.finish()


@pytest.mark.parametrize("signed", [True, False])
def test_pitfall_6_a_negative_multiple_is_complete_only_with_its_one(signed):
    """``~x + 1`` at the digit's own weight, for x = 0 too, and nothing for the digit zero."""
    format = Format(8, signed)
    m = Module()
    one, two, neg, b = Signal(), Signal(), Signal(), Signal(8)
    rows = multiple(m, Digit(one, two, neg), b, format, shift=4)
    result = total(m, rows, 16)
    without = total(m, rows[:1], 16, name="without")
    digits = {0: (0, 0, 0), 1: (1, 0, 0), 2: (0, 1, 0), -1: (1, 0, 1), -2: (0, 1, 1)}

    async def process(ctx):
        for (digit, lines), value in itertools.product(
            digits.items(), range(format.min, format.max + 1)
        ):
            for line, level in zip((one, two, neg), lines, strict=True):
                ctx.set(line, level)
            ctx.set(b, value & 0xFF)
            await ctx.delay(1e-9)
            assert ctx.get(result) == (digit * value << 4) % (1 << 16)
            assert (ctx.get(without) != ctx.get(result)) == (digit < 0)

    simulator = Simulator(m)
    simulator.add_testbench(process)
    simulator.run()


@pytest.mark.parametrize("pe", VARIANTS)
def test_pitfall_7_partial_products_reach_the_top_of_a_wide_accumulator(pe):
    """A negative product changes every bit above it, up to 48 bits; from sums of either sign."""
    unit = PES[pe](INT8, INT8)
    vectors = [([a, c], [b, d]) for a, b, c, d in itertools.product((-128, -1, 1, 127), repeat=4)]
    Chain(unit, depth=1, width=48, blocks=2).check(vectors)


@pytest.mark.parametrize("pe", CARRY_SAVE)
@pytest.mark.parametrize("kind", ["weight_stationary", "tree"])
def test_pitfall_8_sum_and_carry_are_added_before_they_are_extended(kind, pe, seed):
    """What leaves an array is one number of the array's width: the same number's sum and carry,
    extended one by one, would often be wrong (the second half of the test)."""
    sizes = {"rows": 2, "columns": 2} if kind == "weight_stationary" else {"columns": 2, "depth": 2}
    assert len(array(kind, pe, **sizes).o) == 2 * accumulator_width(INT8, INT8, 2)

    unit, width = PES[pe](INT8, INT8), accumulator_width(INT8, INT8, 2)
    rng = np.random.default_rng(seed)
    m = Module()
    m.submodules.resolve = resolve = unit.resolve_class(pe=unit, width=width)
    wrong = 0

    async def process(ctx):
        nonlocal wrong
        for _ in range(300):
            number, low = (int(rng.integers(-(1 << bits), 1 << bits)) for bits in (15, width - 1))
            words = [word % (1 << width) for word in (low, number - low)]
            ctx.set(resolve.i, packed(words, width))
            await ctx.delay(1e-9)
            assert ctx.get(resolve.o) == number % (1 << width)
            wrong += sum(word - (word >> (width - 1) << width) for word in words) != number

    simulator = Simulator(m)
    simulator.add_testbench(process)
    simulator.run()
    assert wrong > 0


@pytest.mark.parametrize("pe", VARIANTS)
@pytest.mark.parametrize("tile_rows", [1, 3])
def test_pitfall_9_a_tile_starts_in_the_cycle_after_the_last_and_loses_nothing(pe, tile_rows, seed):
    """Tiles back to back through a skewed wavefront: the first products of one count, while PEs
    further on still work on the one before."""
    dut = array("output_stationary", pe, width=24, rows=3, columns=4, tile_rows=tile_rows)
    bench = OutputStationary(dut, np.random.default_rng(seed))
    for a, b in ((-128, -128), (127, 127), (-1, 1), (-128, 127), (0, -128), (1, -1)):
        constant_tile(bench, a, b, dut.rows)
    bench.finish()


def test_a_sum_of_signed_rows_is_a_number_only_as_a_whole():
    """The compressor's own contract, of which trap 8 is the consequence."""
    m = Module()
    a = Signal(4)
    result = total(m, [Operand(a, True), Operand(a, True, 1)], 8)

    async def process(ctx):
        for value in range(-8, 8):
            ctx.set(a, value & 0xF)
            await ctx.delay(1e-9)
            assert ctx.get(result) == 3 * value % 256

    simulator = Simulator(m)
    simulator.add_testbench(process)
    simulator.run()
