"""Arrays of every kind and PE, and what is on their ports in each cycle.

A schedule says what is on the input ports and which rows must leave, and when: the latency is
checked to the cycle, and that nothing else ever leaves. Whatever a port is not asked for holds
garbage.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Module
from amaranth.sim import Simulator

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
