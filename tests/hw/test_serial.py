"""Bit-weight serial arrays: PE and drain in Amaranth's simulator, whole engines compiled.

The shared tests (``test_engine``, ``test_native``, ``test_cocotb``) have ``tiny_opt4c`` as well;
here is what is particular: extremes of digits, data-dependent order, and the traps of the published
RTL.
"""

import functools

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from matweave.hw import config
from matweave.hw.array.serial_cell import SerialCell
from matweave.hw.array.serial_drain import SerialDrain
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.sim.cases import case, values
from matweave.sim.driver import Pause
from matweave.sim.golden import gemm
from matweave.sim.jobs import Job
from matweave.sim.native import Engine
from matweave.sim.perf import predict_serial
from matweave.sim.perf.serial import digits_of

PES = ("opt2", "opt4c", "opt4e")
FORMATS = [(Format(8), Format(8)), (Format(5, False), Format(7)), (Format(3), Format(4, False))]
LINES = {0: 0b000, 1: 0b001, 2: 0b010, -1: 0b101, -2: 0b110}
"""A digit's select lines: one, two, neg."""


def packed(numbers, width: int) -> int:
    return sum((int(x) & ((1 << width) - 1)) << (width * i) for i, x in enumerate(numbers))


def simulated(component, process):
    m = Module()
    m.submodules.dut = component
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


# The PE.


def cell(kind, formats=FORMATS[0], terms=64):
    pe = REGISTRY[kind](*formats)
    return SerialCell(pe=pe, width=pe.pass_width(terms))


def accumulate(dut, steps):
    """What the PE's sum and carry add up to after each of ``steps``: (first, digits, operands)."""
    seen = []
    modulus = 1 << dut.width

    async def process(ctx):
        ctx.set(dut.read, 1)
        for first, digits, operands in steps:
            ctx.set(dut.b, packed(operands, dut.pe.b.width))
            await ctx.tick()  # operands come a cycle before their digits
            ctx.set(dut.b, packed([-1] * dut.pe.lanes, dut.pe.b.width))
            ctx.set(dut.first, first)
            ctx.set(dut.digits, packed([LINES[digit] for digit in digits], 3))
            await ctx.tick()
            ctx.set(dut.first, 0)
            ctx.set(dut.digits, 0)
            pair = ctx.get(dut.o)
            total = (pair % modulus + (pair >> dut.width)) % modulus
            seen.append(total - modulus if total >= modulus // 2 else total)

    simulated(dut, process)
    return seen


@pytest.mark.parametrize("formats", FORMATS, ids=str)
@pytest.mark.parametrize("kind", PES)
def test_passes_of_the_pe(kind, formats, seed):
    """Random digits and operands; a new pass starts in the cycle after the last of the other."""
    dut = cell(kind, formats)
    rng = np.random.default_rng(seed)
    steps, expected, total = [], [], 0
    for index in range(200):
        first = index == 0 or rng.random() < 0.1
        digits = rng.integers(-2, 3, dut.pe.lanes)
        operands = values(formats[1], ("random", "extremes")[index % 2], digits.shape, rng)
        total = (0 if first else total) + int(digits @ operands)
        steps.append((first, digits.tolist(), operands.tolist()))
        expected.append(total)
        if abs(total) > 64 * formats[1].max:  # within 64 terms in any case
            total, steps[-1], expected[-1] = 0, (1, [0] * dut.pe.lanes, operands), 0
    assert accumulate(dut, steps) == expected


@pytest.mark.parametrize("kind", PES)
def test_pitfall_1_minus_two_times_the_most_negative_is_positive(kind):
    """-2 · -128 = +256 in every term: the pass is one bit wider than ±254 per term suggests."""
    terms = 64
    dut = cell(kind, terms=terms)
    lanes = dut.pe.lanes
    steps = [(i == 0, [-2] * lanes, [-128] * lanes) for i in range(terms // lanes)]
    assert accumulate(dut, steps)[-1] == 256 * terms
    steps = [(i == 0, [2] * lanes, [-128] * lanes) for i in range(terms // lanes)]
    assert accumulate(dut, steps)[-1] == -256 * terms


@pytest.mark.parametrize("kind", PES)
def test_pitfall_2_an_idle_pe_adds_nothing(kind, seed):
    """No enable, and B is not zero while nothing comes: only the digit zero keeps the pass."""
    dut = cell(kind)
    lanes = dut.pe.lanes
    rng = np.random.default_rng(seed)
    steps = [(1, [-2] * lanes, [-128] * lanes)]
    steps += [(0, [0] * lanes, rng.integers(-128, 128, lanes).tolist()) for _ in range(20)]
    assert set(accumulate(dut, steps)) == {256 * lanes}


@pytest.mark.parametrize("kind", PES)
def test_pitfall_10_what_was_in_the_registers_does_not_matter(kind, seed):
    """The registers have no reset: the first pass must not see what is in them."""
    dut = cell(kind)
    lanes = dut.pe.lanes
    rng = np.random.default_rng(seed)
    rubbish = [(0, rng.integers(-2, 3, lanes), rng.integers(-128, 128, lanes)) for _ in range(9)]
    assert accumulate(dut, [*rubbish, (1, [1] * lanes, [7] * lanes)])[-1] == 7 * lanes


# The drain.


@pytest.mark.parametrize("eager", [True, False], ids=["taken at once", "taken late"])
@pytest.mark.parametrize("rows", [1, 3])
def test_pitfall_11_every_pass_is_shifted_once_by_its_own_weight(rows, eager, seed):
    """Rows offer passes of random weights, often at once; grants follow each other immediately."""
    columns, width, pass_width, n_digits = 2, 24, 12, 4
    dut = SerialDrain(
        rows=rows, columns=columns, n_digits=n_digits, pass_width=pass_width, width=width
    )
    rng = np.random.default_rng(seed)
    mask = (1 << pass_width) - 1
    todo, expected = [], []
    for _ in range(rows):
        mine, results = [], []
        for tile in range(12):
            total = np.zeros(columns, int)
            count = int(rng.integers(1, 5))
            for number in range(count):
                sums = rng.integers(-(1 << 11), 1 << 11, columns)
                carries = rng.integers(0, 1 << 12, columns)
                pair = [(int(s - c) & mask, int(c)) for s, c in zip(sums, carries, strict=True)]
                weight = int(rng.integers(n_digits))
                total += sums << (2 * weight)
                flags = (number == 0, number == count - 1, tile % 2)
                mine.append((weight, *flags, [half for both in pair for half in both]))
            results.append(total.tolist())
        todo.append(mine)
        expected.append(results)

    async def process(ctx):
        wait, got = [0] * rows, [[] for _ in range(rows)]
        on_bus = None
        turn = 0
        for _ in range(3000):
            due = [bool(todo[row]) and wait[row] == 0 for row in range(rows)]
            heads = [todo[row][0] if due[row] else (0, 0, 0, 0, None) for row in range(rows)]
            ctx.set(dut.due, packed(due, 1))
            ctx.set(dut.weight, packed([head[0] for head in heads], 2))
            for name, field in (("opens", 1), ("closes", 2), ("slot", 3)):
                ctx.set(getattr(dut, name), packed([head[field] for head in heads], 1))
            ctx.set(dut.bus, packed(on_bus or [0] * 2 * columns, pass_width))
            row, slot = turn % rows, turn // rows % 2
            take = ctx.get(dut.ready) >> (slot * rows + row) & 1 and (eager or rng.random() < 0.1)
            ctx.set(dut.take, int(take))
            ctx.set(dut.take_row, row)
            ctx.set(dut.take_slot, slot)
            grant = ctx.get(dut.grant)
            assert grant & packed(due, 1) == grant and grant.bit_count() <= 1
            granted = grant.bit_length() - 1
            on_bus = heads[granted][4] if grant else None
            await ctx.tick()
            if take:
                word = ctx.get(dut.o)
                number = [word >> (n * width) & ((1 << width) - 1) for n in range(columns)]
                got[row].append([n - (n >> (width - 1) << width) for n in number])
                turn += 1
            wait = [max(0, n - 1) for n in wait]
            if grant:
                todo[granted].pop(0)
                wait[granted] = int(rng.integers(3))
            if turn == 12 * rows:
                break
        assert got == expected

    simulated(dut, process)


# Engines.

LONG = {
    name: (f"tiny_{pe}", [f"name='long_{name}'", "limits={m=24,n=9,k=300}", *changes])
    for name, pe, changes in (
        ("opt4c", "opt4c", []),
        ("opt4e", "opt4e", ["array.rows=5", "array.share=2"]),
        ("opt2", "opt2", []),
        ("barrier", "opt4c", ["array.synchronise=barrier", "array.share=1", "a=uint7", "b=int12"]),
        ("mixed", "opt4e", ["a=int3", "b=uint9", "array.columns=1", "accumulator.width=14"]),
    )
}

compiled = pytest.mark.requires_tool("verilator", "g++", "perl")


@functools.cache
def long(name):
    preset, changes = LONG[name]
    return config.load(preset, changes)


def raw(engine, a, b, **more) -> Job:
    return Job(a=np.asarray(a), b=np.asarray(b), **more).checked(engine)


def exact(running, job, **how):
    result = running.job(job, **how)
    np.testing.assert_array_equal(result.c, gemm.for_config(running.config)(**job.arguments()))
    return result


@compiled
@pytest.mark.parametrize("name", LONG)
def test_extremes_over_a_long_k(name):
    """Every pair of constant matrices from the ends of both ranges, and the worst digits."""
    engine = long(name)
    with Engine(engine) as running:
        for x in {engine.a.min, engine.a.min + 1, -2, -8, 2, engine.a.max, 0}:
            for y in (engine.b.min, engine.b.max):
                if engine.a.min <= x:
                    job = raw(engine, np.full((6, 300), x), np.full((300, 4), y))
                    exact(running, job)


@compiled
@pytest.mark.parametrize("name", LONG)
def test_random_jobs_under_pauses(name, seed):
    engine = long(name)
    rng = np.random.default_rng(seed)
    with Engine(engine, seed=seed) as running:
        for index in range(60):
            pauses = dict.fromkeys(("a", "b", "c0", "c"), Pause(rng.random() * 0.6, 1 + index % 9))
            exact(running, case(engine, seed, index).job, pauses=pauses, fill=rng)


@compiled
@pytest.mark.parametrize("name", ["opt4c", "opt4e", "barrier"])
def test_zeros_cost_next_to_nothing_and_are_zero(name, seed):
    """Rows, columns and whole matrices of zeros, among dense ones."""
    engine = long(name)
    rng = np.random.default_rng(seed)
    with Engine(engine) as running:
        a = values(engine.a, "random", (22, 260), rng)
        b = values(engine.b, "random", (260, 8), rng)
        full = exact(running, raw(engine, a, b)).cycles
        for rows in ([0], [3], range(4), range(1, 22), range(22)):
            for columns in (slice(0), slice(250), slice(None)):
                holes = a.copy()
                holes[np.ix_(list(rows), range(260)[columns])] = 0
                result = exact(running, raw(engine, holes, b))
                assert result.cycles <= full + 20  # who waits for whom may change
                assert result.cycles == predict_serial(engine, holes, 8)
        # All zero: nothing but loading A and B takes time.
        panels, tiles = -(-22 // engine.array.rows), -(-8 // engine.array.columns)
        assert result.cycles < (panels + tiles) * 260 + 50
        b[:, 3] = 0
        exact(running, raw(engine, a, b))


@compiled
def test_pitfall_9_a_new_pass_costs_no_cycle_and_clears_nobody_else(seed):
    """One row: exactly a cycle per nonzero digit. Another row's passes begin and end at other
    times, and its results are right."""
    engine = config.load("tiny_opt4c", ["name='one_row'", "array.rows=1", "limits.k=256"])
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (16, 256))
    b = rng.integers(-128, 128, (256, 15))
    digits = int((digits_of(engine, a) != 0).sum())
    with Engine(engine) as running:
        result = exact(running, raw(engine, a, b))
    tiles = 5
    start, end = 256 + 2 + 4, 40
    assert digits * tiles <= result.cycles <= start + digits * tiles + end
    with Engine(long("opt4c")) as running:
        a[::2, 9:] = 0  # short passes next to long ones
        exact(running, raw(long("opt4c"), a, b[:, :9]))


@compiled
@pytest.mark.parametrize("synchronise", ["fifo", "barrier"])
def test_pitfall_12_rows_of_very_different_density(synchronise, seed):
    """A row may be dense where its neighbours are empty, panel by panel; results keep their order.

    The slowest row decides: with dense digits in turn the rows run ahead of each other, and a
    barrier costs more than FIFOs do.
    """
    engine = config.load(
        "tiny_opt4c",
        [f"name='uneven_{synchronise}'", f"array.synchronise='{synchronise}'", "limits.m=64"],
    )
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (64, 16))
    a[(np.arange(64) % 4 != np.arange(64) // 4 % 4)] = 0  # row n of panel n mod 4 is dense
    b = rng.integers(-128, 128, (16, 16))
    with Engine(engine) as running:
        cycles = exact(running, raw(engine, a, b)).cycles
        for pauses in ({"c": Pause(0.7, 9)}, {"a": Pause(0.5, 4)}, {"c0": Pause(0.9, 30)}):
            exact(running, raw(engine, a, b, c0=-(a @ b)), pauses=pauses)
    assert cycles == predict_serial(engine, a, 16)
    twin = engine.model_copy(
        update={"array": engine.array.model_copy(update={"synchronise": "barrier"})}
    )
    if synchronise == "fifo":
        assert cycles < predict_serial(twin, a, 16)
