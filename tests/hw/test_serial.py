"""Bit-weight serial arrays: PE and drain in Amaranth's simulator, whole engines compiled.

The shared tests (``test_engine``, ``test_native``, ``test_cocotb``) have ``tiny_opt4c`` and
``tiny_opt3`` as well; here is what is particular: extremes of digits, data-dependent order, and the
traps of the published RTL.
"""

import functools

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from matweave.hw import config
from matweave.hw.array.group_cell import GroupCell
from matweave.hw.array.serial_cell import SerialCell
from matweave.hw.array.serial_drain import SerialDrain
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.sim.cases import case, values
from matweave.sim.driver import Pause
from matweave.sim.golden import gemm, recoding
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
            ctx.set(dut.select, packed([LINES[digit] for digit in digits], 3))
            await ctx.tick()
            ctx.set(dut.first, 0)
            ctx.set(dut.select, 0)
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


# The PE that recodes and searches.


def searched(pe, groups, pauses=lambda: False, rubbish=0):
    """The pass after every cycle of a GroupCell that works through ``groups``: (weight, operands of
    A, of B), all of one pass; and the cycles between the loads. ``pauses``: whether it may not
    step. Before them, ``rubbish`` cycles of anything."""
    dut = GroupCell(pe=pe, width=pe.pass_width(64))
    modulus, seen, cycles = 1 << dut.width, [], []
    rng = np.random.default_rng(1)

    def select(load, step, weight=0, operands=(0,) * pe.group):
        top = load << (pe.weight_bits) | step << (pe.weight_bits + 1) | weight
        return top << (pe.group * pe.a.width) | packed(operands, pe.a.width)

    async def process(ctx):
        for _ in range(rubbish):
            ctx.set(dut.select, int.from_bytes(rng.bytes(9)) % (1 << len(dut.select)))
            ctx.set(dut.b, int.from_bytes(rng.bytes(9)) % (1 << len(dut.b)))
            await ctx.tick()
        ctx.set(dut.select, select(0, 0))
        await ctx.tick()
        ctx.set(dut.read, 1)
        todo, first, here, since = list(groups), True, False, 0
        for _ in range(20 * len(groups) + 20):
            step = not pauses()
            leaves = here and step and ctx.get(dut.done)
            load = bool(todo) and (not here or leaves)
            if load:
                weight, operands, others = todo.pop(0)
                ctx.set(dut.select, select(1, int(step), weight, operands))
                ctx.set(dut.b, packed(others, pe.b.width))
                cycles.append(since)
                since = 0
            else:
                ctx.set(dut.select, select(0, int(step)))
                ctx.set(dut.b, packed(rng.integers(-2, 2, pe.group), pe.b.width))
            taken, here = here and step, load or (here and not leaves)
            since += 1
            await ctx.tick()
            ctx.set(dut.first, int(taken and first))
            first = first and not taken
            pair = ctx.get(dut.o)
            total = (pair % modulus + (pair >> dut.width)) % modulus
            seen.append(total - modulus if total >= modulus // 2 else total)

    simulated(dut, process)
    return seen, cycles[1:]


def opt3(formats=FORMATS[0], **options):
    return REGISTRY["opt3"](*formats, **options)


def digits_at(pe, weight, operands):
    if pe.digits == "booth":
        return recoding.booth(operands, pe.a)[..., weight]
    return recoding.ent(operands, pe.a, "sign_magnitude")[..., weight]


@pytest.mark.parametrize("formats", FORMATS, ids=str)
@pytest.mark.parametrize("digits", ["ent", "booth"])
@pytest.mark.parametrize("paused", [False, True], ids=["free", "paused"])
def test_groups_take_a_cycle_per_nonzero_digit(formats, digits, paused, seed):
    """Random groups of any weight, one after another without a gap; a group of zeros that is sent
    takes one. What was in the registers does not matter."""
    pe = opt3(formats, digits=digits)
    rng = np.random.default_rng(seed)
    groups = []
    for index in range(16):
        operands = values(pe.a, ("random", "extremes", "zero")[index % 3], (4,), rng)
        others = values(pe.b, ("random", "extremes")[index % 2], (4,), rng)
        groups.append((int(rng.integers(pe.recoding.n_digits)), operands, others))
    found = [digits_at(pe, weight, a) for weight, a, _ in groups]
    total = sum(int(d @ b) for d, (_, _, b) in zip(found, groups, strict=True))
    seen, cycles = searched(pe, groups, lambda: paused and rng.random() < 0.5, rubbish=5)
    assert seen[-1] == total
    if not paused:
        counts = [max(1, int((d != 0).sum())) for d in found]
        assert cycles == counts[:-1]


@pytest.mark.parametrize(("operand", "digit"), [(-2, -2), (2, 2)])
def test_pitfall_1_in_the_pe_that_recodes(operand, digit):
    """All digits -2 against all -128, as many as the pass is made for."""
    groups = [(0, [operand] * 4, [-128] * 4)] * 16
    assert searched(opt3(), groups)[0][-1] == digit * -128 * 64


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
        ("opt3", "opt3", ["array.share=2", "array.rows=5"]),
        ("groups", "opt3", ["array.synchronise=barrier", "a=uint7", "b=int12", "pe.digits=booth"]),
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
@pytest.mark.parametrize("name", ["opt3", "opt4c", "opt4e", "barrier"])
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
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
def test_pitfall_9_a_new_pass_costs_no_cycle_and_clears_nobody_else(pe, seed):
    """One row: exactly a cycle per nonzero digit. Another row's passes begin and end at other
    times, and its results are right."""
    engine = config.load(
        f"tiny_{pe}", ["name='one_row'", "array.rows=1", "array.columns=3", "limits.k=256"]
    )
    rng = np.random.default_rng(seed)
    a = rng.integers(-128, 128, (16, 256))
    b = rng.integers(-128, 128, (256, 15))
    digits = int((digits_of(engine, a) != 0).sum())
    with Engine(engine) as running:
        result = exact(running, raw(engine, a, b))
    tiles = 5
    start, end = 256 + 2 + 4, 40
    assert digits * tiles <= result.cycles <= start + digits * tiles + end
    with Engine(long(pe)) as running:
        a[::2, 9:] = 0  # short passes next to long ones
        exact(running, raw(long(pe), a, b[:, :9]))


@compiled
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
def test_groups_of_zeros_cost_no_cycle(pe, seed):
    """Where the published schedule spends a cycle on every four zeros of a weight. One row, and A
    and B are there in time: a further row of A takes its digits, once per tile, and nothing else,
    be they all in one group or each in a group of its own, of one weight or of all."""
    engine = config.load(
        f"tiny_{pe}",
        ["name='few'", "array.rows=1", "array.columns=2", "limits={m=16,n=64,k=256}"],
    )
    rng = np.random.default_rng(seed)
    b = rng.integers(-128, 128, (256, 64))
    with Engine(engine) as running:
        for values, places in (
            ([64], range(5, 256, 16)),
            ([1], range(128, 140)),
            ([64, 16, -4, 1], range(0, 256, 8)),
            ([85, -43], range(3, 256, 11)),
            ([-128], range(256)),
            ([-2], range(256)),
        ):
            row = np.zeros(256, int)
            row[list(places)] = np.resize(values, len(places))
            few, more = (
                exact(running, raw(engine, np.tile(row, (m, 1)), b)).cycles for m in (6, 10)
            )
            assert more - few == 4 * 32 * int((digits_of(engine, row) != 0).sum())


@compiled
@pytest.mark.parametrize("pe", ["opt3", "opt4c"])
@pytest.mark.parametrize("synchronise", ["fifo", "barrier"])
def test_pitfall_12_rows_of_very_different_density(synchronise, pe, seed):
    """A row may be dense where its neighbours are empty, panel by panel; results keep their order.

    The slowest row decides: with dense digits in turn the rows run ahead of each other, and a
    barrier costs more than FIFOs do.
    """
    engine = config.load(
        f"tiny_{pe}",
        [f"name='uneven_{synchronise}'", f"array.synchronise='{synchronise}'", "limits.m=64",
         "array.rows=4", "array.columns=3"],
    )  # fmt: skip
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
