"""Every array with every PE it admits, in Amaranth's simulator, cycle by cycle.

Expected sums are the golden model's.
"""

import numpy as np
import pytest

from matweave.hw import catalog, config
from matweave.hw.formats import Format, Overflow
from matweave.sim.golden.gemm import accumulate, magnitude

from .array_schedules import (
    FORMATS,
    INT8,
    KINDS,
    OUTPUT_STATIONARY,
    PES,
    WEIGHT_STATIONARY,
    OutputStationary,
    WeightStationary,
    array,
    combinations,
    operands,
    width_of,
)


def test_every_array_kind_is_covered():
    """Here, or (``digit_serial``) in ``test_serial``."""
    assert set(config.ARRAYS) == {*OUTPUT_STATIONARY, *WEIGHT_STATIONARY, "digit_serial"}


# Output stationary.


@pytest.mark.parametrize(("kind", "pe", "parameters"), combinations(OUTPUT_STATIONARY))
def test_output_stationary(kind, pe, parameters, seed):
    """Back to back, then with gaps; tiles of one block among long ones; corner values."""
    rng = np.random.default_rng(seed)
    for formats in FORMATS.values():
        width = width_of(formats, 6 * parameters.get("depth", 1))
        bench = OutputStationary(array(kind, pe, formats, width=width, **parameters), rng)
        for blocks in (1, 2, 1, 1, 6, 3):
            bench.tile(blocks)
        for values in KINDS:
            bench.tile(int(rng.integers(1, 7)), values, gap=0.3)
        bench.finish()


@pytest.mark.parametrize("pe", sorted(PES))
@pytest.mark.parametrize("pipeline", [0, 1, 2])
def test_sums_wrap(pe, pipeline, seed):
    """An accumulator narrower than the sum, and than a product, is right modulo 2**width."""
    rng = np.random.default_rng(seed)
    for width in (10, 17):
        dut = array(
            "cube", pe, width=width, rows=2, columns=2, depth=2, tile_rows=2, tile_columns=1,
            pipeline=pipeline,
        )  # fmt: skip
        bench = OutputStationary(dut, rng)
        for values in KINDS:
            bench.tile(5, values, gap=0.2)
        bench.finish()


SATURATING = sorted(name for name, facts in catalog.pes().items() if facts.saturates_in_array)


@pytest.mark.parametrize("pe", SATURATING)
@pytest.mark.parametrize(("depth", "pipeline"), [(1, 0), (1, 2), (2, 0), (3, 1)])
def test_sums_saturate_block_by_block(pe, depth, pipeline, seed):
    """The order matters: a block is added exactly, then the sum is limited, then the next."""
    rng = np.random.default_rng(seed)
    dut = array(
        "cube", pe, width=15, rows=2, columns=3, depth=depth, tile_rows=2, tile_columns=2,
        pipeline=pipeline, saturate=True,
    )  # fmt: skip
    bench = OutputStationary(dut, rng)
    for values in ("extremes", "lowest", "extremes", "alternating", "extremes", "random"):
        bench.tile(7, values, gap=0.1)
    bench.finish()


def test_saturation_differs_from_wrapping_and_from_limiting_once(seed):
    """The test above would notice: its data tell the three apart."""
    rng = np.random.default_rng(seed)
    a, b = (operands(rng, INT8, shape, "extremes") for shape in ((2, 14), (14, 3)))
    saturated = accumulate(a, b, magnitude(INT8) ** 2, 2, Format(15), Overflow.SATURATE)
    other_block = accumulate(a, b, magnitude(INT8) ** 2, 1, Format(15), Overflow.SATURATE)
    wrapped = accumulate(a, b, magnitude(INT8) ** 2, 2, Format(15), Overflow.WRAP)
    once = np.clip(a @ b, Format(15).min, Format(15).max)
    for other in (other_block, wrapped, once):
        assert (saturated != other).any()


@pytest.mark.parametrize("kind", OUTPUT_STATIONARY)
def test_output_stationary_reset(kind, seed):
    """Reset in any cycle: nothing of what was under way comes out, the next tile is right."""
    rng = np.random.default_rng(seed)
    parameters = OUTPUT_STATIONARY[kind][-2]
    dut = array(kind, "mac", width=24, **parameters)
    bench = OutputStationary(dut, rng)
    for at in range(dut.latency + 2 * dut.rows + 4):
        begin = len(bench.schedule.cycles)
        for _ in range(2):
            bench.tile(2)
        bench.schedule.idle(dut.latency + dut.rows + 4)
        del bench.schedule.cycles[begin + at :]
        # Whatever stands at the inputs during reset is not taken.
        bench.schedule.add(rst=1, valid=1, first=1, last=1)
        for cycle in [cycle for cycle in bench.schedule.rows if cycle > begin + at]:
            del bench.schedule.rows[cycle]
        bench.last = -(10**9)
        bench.tile(1 + at % 2)
        bench.schedule.idle(dut.latency + dut.rows)
    bench.finish()


# Weight stationary.


@pytest.mark.parametrize(("kind", "pe", "parameters"), combinations(WEIGHT_STATIONARY))
def test_weight_stationary(kind, pe, parameters, seed):
    """Random rows and gaps, loads in any order behind the first while the other bank works."""
    rng = np.random.default_rng(seed)
    for formats in FORMATS.values():
        dut = array(kind, pe, formats, **parameters)
        assert dut.width == width_of(formats, dut.rows)
        bench = WeightStationary(dut, rng)
        blocks = [bench.block(values) for values in KINDS]
        bench.load(blocks[0], 0)
        for number, block in enumerate(blocks):
            bank = number % 2
            pending = []
            if number + 1 < len(blocks):  # taken from the end
                pending = [*(1 + rng.permutation(dut.rows - 1)), 0]
            while pending or rng.random() < 0.7:
                loading = {}
                if pending and rng.random() < 0.6:
                    row = int(pending.pop())
                    loading = bench.load_port(blocks[number + 1], row, 1 - bank)
                if rng.random() < 0.7:
                    bench.row(block, bank, rng.choice(KINDS), **loading)
                else:
                    bench.schedule.add(**loading)
            bench.row(block, bank)
        bench.finish()


@pytest.mark.parametrize("tight", ["first", "last"])
@pytest.mark.parametrize(("kind", "pe", "parameters"), combinations(WEIGHT_STATIONARY))
def test_weights_change_at_the_last_moment(kind, pe, parameters, tight, seed):
    """A row of A every cycle. ``first``: a bank's first new weight comes with the last row of A
    that needs the old one. ``last``: its last weight in the cycle before its first row of A."""
    rng = np.random.default_rng(seed)
    dut = array(kind, pe, **parameters)
    bench = WeightStationary(dut, rng)
    blocks = [bench.block() for _ in range(7)]
    loads = [bench.load_port(blocks[0], row, 0) for row in range(dut.rows)]
    if tight == "first":
        loads.append(bench.load_port(blocks[1], 0, 1))
    for ports in loads:
        bench.schedule.add(**ports)
    for number, block in enumerate(blocks[:-1]):
        bank = number % 2
        following = [bench.load_port(blocks[number + 1], row, 1 - bank) for row in range(dut.rows)]
        if tight == "first":
            after = blocks[number + 2 : number + 3]
            following = following[1:] + [bench.load_port(w, 0, bank) for w in after]
        for ports in following or [{}]:
            bench.row(block, bank, **ports)
    bench.finish()


@pytest.mark.parametrize("kind", WEIGHT_STATIONARY)
def test_a_bank_keeps_rows_that_are_not_loaded(kind, seed):
    """Loading one row changes that row of that bank only, from the next cycle on, but the first
    clears the bank's others."""
    rng = np.random.default_rng(seed)
    dut = array(kind, "mac", **WEIGHT_STATIONARY[kind][-2])
    bench = WeightStationary(dut, rng)
    banks = [bench.block(), bench.block()]
    for bank, block in enumerate(banks):
        bench.load(block, bank)
    for _ in range(20):
        row, bank = int(rng.integers(dut.rows)), int(rng.integers(2))
        new = banks[bank].copy() if row else np.zeros_like(banks[bank])
        new[row] = bench.block()[row]
        bench.row(banks[bank], bank, **bench.load_port(new, row, bank))
        banks[bank] = new
        bench.row(banks[bank], bank)
        bench.row(banks[1 - bank], 1 - bank)
    bench.finish()


@pytest.mark.parametrize("kind", WEIGHT_STATIONARY)
def test_weight_stationary_reset(kind, seed):
    """Reset in any cycle: no row under way comes out, no load under way arrives."""
    rng = np.random.default_rng(seed)
    dut = array(kind, "mac", **WEIGHT_STATIONARY[kind][-2])
    bench = WeightStationary(dut, rng)
    for at in range(dut.latency + dut.rows + 4):
        block, bank = bench.block(), at % 2
        bench.load(block, bank)
        begin = len(bench.schedule.cycles)
        for row in range(dut.rows):
            bench.row(block, bank, **bench.load_port(bench.block(), row, 1 - bank))
        bench.schedule.idle(dut.latency + 4)
        del bench.schedule.cycles[begin + at :]
        now = bench.schedule.add(rst=1, valid=1, w_valid=1)
        for cycle in [cycle for cycle in bench.schedule.rows if cycle > now]:
            del bench.schedule.rows[cycle]
        # The first row clears what was there before.
        first = np.zeros_like(block)
        first[0] = block[0]
        bench.load(block, bank, [0])
        bench.row(first, bank)
        bench.load(block, 1 - bank)
        bench.row(block, 1 - bank)
        bench.schedule.idle(dut.latency + 1)
    bench.finish()


# Attributes and refusals.


@pytest.mark.parametrize(
    ("parameters", "latency"),
    [
        ({"rows": 8, "columns": 8}, 2 + 7),
        ({"rows": 8, "columns": 8, "tile_columns": 4}, 2 + 1),
        ({"rows": 8, "columns": 8, "tile_rows": 2, "tile_columns": 4}, 3 + 1),
        ({"rows": 8, "columns": 8, "tile_rows": 8, "tile_columns": 8, "pipeline": 2}, 3 + 2),
    ],
)
def test_stated_latency(parameters, latency):
    """The figures of the documentation; that they are true is what every schedule checks."""
    assert array("output_stationary", "mac", width=24, **parameters).latency == latency


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("output_stationary", {"rows": 0, "columns": 2, "width": 8}, "rows must be a positive"),
        ("output_stationary", {"rows": 2, "columns": -1, "width": 8}, "columns must be a positive"),
        ("cube", {"rows": 2, "columns": 2, "depth": 0, "width": 8}, "depth must be a positive"),
        ("matrix", {"rows": 2, "columns": 2, "width": 8, "pipeline": 3}, "pipeline must be 0, 1"),
        ("weight_stationary", {"rows": 0, "columns": 2}, "rows must be a positive integer, not 0"),
        ("weight_stationary", {"rows": 2, "columns": 0}, "columns must be a positive integer"),
        ("tree", {"columns": 0, "depth": 2}, "columns must be a positive integer, not 0"),
        ("tree", {"columns": 2, "depth": -3}, "depth must be a positive integer, not -3"),
        ("tree", {"columns": 2, "depth": 2, "pipeline": -1}, "pipeline must be 0, 1 or 2 stages"),
    ],
)
def test_refuses_nonsense(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        array(kind, "mac", **parameters)
