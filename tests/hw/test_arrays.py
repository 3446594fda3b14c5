"""Every array with every PE it admits, in Amaranth's simulator, cycle by cycle.

A schedule says what is on the input ports in each cycle and which rows must leave, and when: the
latency is checked to the cycle, and that nothing else ever leaves. Whatever a port is not asked
for holds garbage. Expected sums are the golden model's.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Module
from amaranth.sim import Simulator

from matweave.hw import catalog, config
from matweave.hw.arith.compress import Operand, reduce
from matweave.hw.array.output_stationary import OutputStationaryArray
from matweave.hw.array.tree import TreeArray
from matweave.hw.array.weight_stationary import WeightStationaryArray
from matweave.hw.formats import Format, Overflow, accumulator_width
from matweave.hw.pe import variants
from matweave.hw.pe.base import Dot, Pe
from matweave.sim.golden.gemm import accumulate, magnitude


class CarrySaveDot(Dot):
    """The shortest PE with a redundant state: proves the interface, not an architecture."""

    def elaborate(self, platform):
        m = Module()
        products = [a * b for a, b in zip(self.numbers("a"), self.numbers("b"), strict=True)]
        rows = [self.c.word_select(n, self.width) for n in range(2)]
        operands = [Operand(row, False) for row in rows] + [Operand(p, True) for p in products]
        m.d.comb += self.o.eq(Cat(*reduce(m, operands, self.width)))
        return m


class CarrySavePe(Pe):
    dot_class = CarrySaveDot
    words = 2
    resolve_latency = 1


PES = {**variants(), "carry_save": CarrySavePe}
INT8, UINT4, INT5 = Format(8), Format(4, False), Format(5)
FORMATS = {"int8": (INT8, INT8), "mixed": (UINT4, INT5)}

# kind -> sizes: one cell, ragged tiles, tiles that divide, several levels of blocks.
OUTPUT_STATIONARY = {
    "output_stationary": [
        {"rows": 1, "columns": 1},
        {"rows": 3, "columns": 4},
        {"rows": 5, "columns": 4, "tile_columns": 3},
        {"rows": 5, "columns": 4, "tile_rows": 2, "tile_columns": 3},
        {"rows": 5, "columns": 6},
    ],
    "matrix": [
        {"rows": 3, "columns": 2, "tile_rows": 3, "tile_columns": 2, "pipeline": 0},
        {"rows": 2, "columns": 5, "tile_rows": 2, "tile_columns": 5, "pipeline": 1},
        {"rows": 1, "columns": 2, "tile_rows": 1, "tile_columns": 2, "pipeline": 2},
    ],
    "cube": [
        {"rows": 2, "columns": 3, "depth": 4, "tile_rows": 2, "tile_columns": 3, "pipeline": 0},
        {"rows": 2, "columns": 2, "depth": 3, "tile_rows": 2, "tile_columns": 2, "pipeline": 1},
        {"rows": 1, "columns": 1, "depth": 2, "tile_rows": 1, "tile_columns": 1, "pipeline": 2},
    ],
}
WEIGHT_STATIONARY = {
    "weight_stationary": [
        {"rows": 1, "columns": 1},
        {"rows": 4, "columns": 3},
        {"rows": 5, "columns": 3, "tile_rows": 2, "tile_columns": 2},
        {"rows": 3, "columns": 5, "tile_rows": 3, "tile_columns": 1},
        {"rows": 5, "columns": 5, "tile_rows": 1, "tile_columns": 2},
    ],
    "tree": [
        {"columns": 3, "depth": 4, "pipeline": 0},
        {"columns": 1, "depth": 5, "pipeline": 1},
        {"columns": 2, "depth": 3, "pipeline": 2},
    ],
}
CLASSES = {"weight_stationary": WeightStationaryArray, "tree": TreeArray}


def combinations(kinds):
    """Every kind, PE and size; of PEs with an option that is not the default only one size, and
    the others with the slow tests."""
    return [
        pytest.param(
            kind, pe, sizes,
            id="-".join(map(str, (kind, pe, *sizes.values()))),
            marks=pytest.mark.slow if "-" in pe and sizes is not kinds[kind][-2] else (),
        )
        for kind, pe in itertools.product(kinds, sorted(PES))
        for sizes in kinds[kind]
    ]  # fmt: skip


def array(kind, pe, formats=(INT8, INT8), **parameters):
    cls = CLASSES.get(kind, OutputStationaryArray)
    return cls(pe=PES[pe](*formats), **parameters)


@dataclass
class Schedule:
    """Input ports by cycle, and the rows that leave by cycle."""

    cycles: list[dict] = field(default_factory=list)
    rows: dict[int, list[int]] = field(default_factory=dict)

    def add(self, **ports) -> int:
        """One more cycle; its number."""
        self.cycles.append(ports)
        return len(self.cycles) - 1

    def idle(self, count: int) -> None:
        for _ in range(count):
            self.add()

    def check(self, dut, rng) -> None:
        """Simulate; compare the output in every cycle."""
        top = Module()
        top.domains.sync = domain = ClockDomain()
        top.submodules.dut = dut
        ports = {name: getattr(dut, name) for name, m in dut.signature.members.items()}
        inputs = {name: port for name, port in ports.items() if name not in ("o", "o_valid")}
        columns = dut.columns
        width = len(dut.o) // columns
        quiet = {"valid": 0, "w_valid": 0}

        async def process(ctx):
            for number, cycle in enumerate(self.cycles):
                for name, port in inputs.items():
                    if name in cycle:
                        value = cycle[name]
                    elif name in quiet:
                        value = 0
                    else:
                        value = int.from_bytes(rng.bytes(-(-len(port) // 8)), "little")
                    ctx.set(port, value & ((1 << len(port)) - 1))
                ctx.set(domain.rst, cycle.get("rst", 0))
                _, _, o, o_valid = await ctx.tick().sample(dut.o, dut.o_valid)
                assert o_valid == (number in self.rows), f"o_valid in cycle {number}"
                if o_valid:
                    assert unpacked(o, width, columns) == self.rows[number], f"cycle {number}"

        simulator = Simulator(top)
        simulator.add_clock(1e-6)
        simulator.add_testbench(process)
        simulator.run()


def packed(values, width: int) -> int:
    mask = (1 << width) - 1
    return sum((int(value) & mask) << (i * width) for i, value in enumerate(np.ravel(values)))


def unpacked(bits: int, width: int, count: int) -> list[int]:
    values = [bits >> (i * width) & ((1 << width) - 1) for i in range(count)]
    return [value - (value >> (width - 1) << width) for value in values]


def operands(rng, format: Format, shape, kind: str):
    low, high = format.min, format.max
    if kind == "lowest":
        return np.full(shape, low)
    if kind == "extremes":
        return np.where(rng.integers(2, size=shape), low, high)
    if kind == "alternating":
        return np.where(np.indices(shape).sum(axis=0) % 2, low, high)
    if kind == "zero":
        return np.zeros(shape, int)
    return rng.integers(low, high, shape, endpoint=True)


KINDS = ("random", "lowest", "extremes", "alternating", "zero")


class OutputStationary:
    """Tiles for an array that keeps its sums."""

    def __init__(self, dut, rng):
        self.dut, self.rng = dut, rng
        self.accumulator = Format(dut.width)
        self.overflow = Overflow.SATURATE if dut.saturate else Overflow.WRAP
        self.schedule = Schedule()
        self.last = -(10**9)

    def tile(self, blocks: int, kind="random", gap=0.0, expect=True) -> None:
        """One tile of ``blocks`` blocks, as early as the array allows, with random gaps."""
        dut, pe, rng = self.dut, self.dut.pe, self.rng
        a = operands(rng, pe.a, (dut.rows, blocks * dut.depth), kind)
        b = operands(rng, pe.b, (blocks * dut.depth, dut.columns), kind)
        size = int(rng.integers(1, dut.rows + 1)) if rng.random() < 0.5 else dut.rows
        for block in range(blocks):
            final = block == blocks - 1
            while rng.random() < gap or (
                final and len(self.schedule.cycles) - self.last < dut.rows
            ):
                self.schedule.idle(1)
            part = slice(block * dut.depth, (block + 1) * dut.depth)
            now = self.schedule.add(
                a=packed(a[:, part], pe.a.width),
                b=packed(b[part], pe.b.width),
                valid=1,
                first=block == 0,
                last=final,
                **({"size": size} if final else {}),
            )
        self.last = now
        if expect:
            largest = magnitude(pe.a) * magnitude(pe.b)
            c = accumulate(a, b, largest, dut.depth, self.accumulator, self.overflow)
            for row, values in enumerate(c[:size].tolist()):
                self.schedule.rows[now + dut.latency + row] = values

    def finish(self) -> None:
        self.schedule.idle(self.dut.latency + self.dut.rows + 3)
        self.schedule.check(self.dut, self.rng)


class WeightStationary:
    """Blocks of B and rows of A for an array that keeps its weights."""

    def __init__(self, dut, rng):
        self.dut, self.rng = dut, rng
        self.schedule = Schedule()

    def load_port(self, block, row: int, bank: int) -> dict:
        w = packed(block[row], self.dut.pe.b.width)
        return {"w": w, "w_row": row, "w_valid": 1, "w_bank": bank}

    def load(self, block, bank: int, order=None) -> None:
        for row in range(self.dut.rows) if order is None else order:
            self.schedule.add(**self.load_port(block, row, bank))

    def block(self, kind="random"):
        return operands(self.rng, self.dut.pe.b, (self.dut.rows, self.dut.columns), kind)

    def row(self, block, bank: int, kind="random", *, expect=True, **loading) -> None:
        a = operands(self.rng, self.dut.pe.a, (1, self.dut.rows), kind)
        now = self.schedule.add(a=packed(a, self.dut.pe.a.width), valid=1, bank=bank, **loading)
        if expect:
            self.schedule.rows[now + self.dut.latency] = (a @ block)[0].tolist()

    def finish(self) -> None:
        self.schedule.idle(self.dut.latency + 4)
        self.schedule.check(self.dut, self.rng)


def width_of(formats, terms: int) -> int:
    return accumulator_width(*formats, terms)


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
