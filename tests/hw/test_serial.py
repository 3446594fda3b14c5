"""Bit-weight serial arrays: PE and drain in Amaranth's simulator.

Engines are in ``test_serial_engines``. Here: extremes of digits, data-dependent order, and the
traps of the published RTL.
"""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.sim import Simulator

from matweave.hw.array.group_cell import GroupCell
from matweave.hw.array.serial_cell import SerialCell, carry_places
from matweave.hw.array.serial_drain import SerialDrain
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY
from matweave.hw.pe.serial import RECODINGS
from matweave.sim.cases import values
from matweave.sim.golden import recoding

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
    return SerialCell(pe=pe, width=pe.state_width(terms, 32))


def number(state: int, width: int) -> int:
    """What sum and carries stand for."""
    places = carry_places(width)
    total = state + sum((state >> (width + n) & 1) << place for n, place in enumerate(places))
    return signed(total, width)


def signed(total: int, width: int) -> int:
    total %= 1 << width
    return total - (1 << width) if total >> (width - 1) else total


def accumulate(dut, steps):
    """The PE's number after each of ``steps``, which follow each other cycle by cycle: (clear,
    shift, digits, operands)."""
    seen = []
    late = dut.pe.latency - 2  # of what is done to the state, behind the digits

    async def process(ctx):
        ctx.set(dut.read, 1)
        for now in range(len(steps) + dut.pe.latency):
            _, _, digits, operands = steps[now] if now < len(steps) else (0, 0, [0], [-1])
            clear, shift = steps[now - late][:2] if 0 <= now - late < len(steps) else (0, 0)
            ctx.set(dut.b, packed(operands, dut.pe.b.width))
            ctx.set(dut.select, packed([LINES[digit] for digit in digits], 3))
            ctx.set(dut.clear, clear)
            ctx.set(dut.shift, shift)
            if now >= dut.pe.latency:
                seen.append(number(ctx.get(dut.o), dut.width))
            await ctx.tick()

    simulated(dut, process)
    return seen


@pytest.mark.parametrize("formats", FORMATS, ids=str)
@pytest.mark.parametrize("kind", [*PES, "opt2 of 2", "opt2 of 8"])
def test_sums_of_the_pe(kind, formats, seed):
    """Random digits and operands, a step per cycle; weights and sums begin at any of them."""
    kind, _, lanes = kind.partition(" of ")
    pe = REGISTRY[kind](*formats, **({"lanes": int(lanes)} if lanes else {}))
    dut = SerialCell(pe=pe, width=pe.state_width(64, 32))
    rng = np.random.default_rng(seed)
    steps, expected, total = [], [], 0
    for index in range(300):
        clear = index == 0 or rng.random() < 0.1
        shift = not clear and rng.random() < 0.2
        digits = rng.integers(-2, 3, dut.pe.lanes)
        operands = values(formats[1], ("random", "extremes")[index % 2], digits.shape, rng)
        total = (0 if clear else 4 * total if shift else total) + int(digits @ operands)
        steps.append((clear, shift, digits.tolist(), operands.tolist()))
        expected.append(signed(total, dut.width))
    assert accumulate(dut, steps) == expected


@pytest.mark.parametrize("kind", PES)
def test_pitfall_1_minus_two_times_the_most_negative_is_positive(kind):
    """-2 · -128 = +256 in every term: one bit wider than ±254 per term suggests."""
    terms = 64
    dut = cell(kind, terms=terms)
    lanes = dut.pe.lanes
    for digit in (-2, 2):
        steps = [(i == 0, 0, [digit] * lanes, [-128] * lanes) for i in range(terms // lanes)]
        assert accumulate(dut, steps)[-1] == -128 * digit * terms
        dut = cell(kind, terms=terms)
    # The largest product: -128 · -128, whose top digit is -2.
    steps = [(i == 0, 0, [-2] * lanes, [-128] * lanes) for i in range(terms // lanes)]
    steps += [(0, 1, [0] * lanes, [-128] * lanes)] * 3
    assert accumulate(dut, steps)[-1] == 128 * 128 * terms


@pytest.mark.parametrize("kind", PES)
def test_pitfall_2_an_idle_pe_adds_nothing(kind, seed):
    """No enable, and B is not zero while nothing comes: only the digit zero keeps the sum."""
    dut = cell(kind)
    lanes = dut.pe.lanes
    rng = np.random.default_rng(seed)
    steps = [(1, 0, [-2] * lanes, [-128] * lanes)]
    steps += [(0, 0, [0] * lanes, rng.integers(-128, 128, lanes).tolist()) for _ in range(20)]
    assert set(accumulate(dut, steps)) == {256 * lanes}


@pytest.mark.parametrize("kind", PES)
def test_pitfall_10_what_was_in_the_registers_does_not_matter(kind, seed):
    """The registers have no reset: the first digits must not see what is in them."""
    dut = cell(kind)
    lanes = dut.pe.lanes
    rng = np.random.default_rng(seed)
    rubbish = [
        (0, i % 3 == 0, rng.integers(-2, 3, lanes), rng.integers(-128, 128, lanes))
        for i in range(9)
    ]
    assert accumulate(dut, [*rubbish, (1, 0, [1] * lanes, [7] * lanes)])[-1] == 7 * lanes


@pytest.mark.parametrize("kind", PES)
def test_pitfall_11_every_digit_is_shifted_once_by_its_own_weight(kind, seed):
    """Four weights of random numbers of digits, empty ones among them, and sum after sum."""
    dut = cell(kind, terms=200)
    rng = np.random.default_rng(seed)
    steps, ends, expected = [], [], []
    for _ in range(12):
        total = 0
        for weight in (3, 2, 1, 0):
            for place in range(max(1, int(rng.integers(-3, 12)))):
                digits = rng.integers(-2, 3, dut.pe.lanes)
                operands = values(dut.pe.b, "random", digits.shape, rng)
                total += int(digits @ operands) << (2 * weight)
                opens = place == 0
                now = (opens and weight == 3, opens and weight < 3)
                steps.append((*now, digits.tolist(), operands.tolist()))
        ends.append(len(steps) - 1)
        expected.append(signed(total, dut.width))
    seen = accumulate(dut, steps)
    assert [seen[end] for end in ends] == expected


# The PE that recodes and searches.


def searched(pe, groups, pauses=lambda: False, rubbish=0):
    """The number after every cycle of a GroupCell that works through ``groups``: (whether the
    number is shifted for it, weight, operands of A, of B), all of one sum; and the cycles between
    the loads. ``pauses``: whether it may not step. Before them, ``rubbish`` cycles of anything."""
    dut = GroupCell(pe=pe, width=pe.state_width(64, 32))
    seen, cycles = [], []
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
        todo, begins, here, since = list(groups), (0, 0), False, 0
        for _ in range(20 * len(groups) + 20):
            step = not pauses()
            leaves = here and step and ctx.get(dut.done)
            load = bool(todo) and (not here or leaves)
            # With a group's first digit.
            clear, shift = begins if here and step else (0, 0)
            if here and step:
                begins = (0, 0)
            if load:
                shifts, weight, operands, others = todo.pop(0)
                begins = (int(not cycles), int(shifts))
                ctx.set(dut.select, select(1, int(step), weight, operands))
                ctx.set(dut.b, packed(others, pe.b.width))
                cycles.append(since)
                since = 0
            else:
                ctx.set(dut.select, select(0, int(step)))
                ctx.set(dut.b, packed(rng.integers(-2, 2, pe.group), pe.b.width))
            here = load or (here and not leaves)
            since += 1
            await ctx.tick()
            ctx.set(dut.clear, clear)
            ctx.set(dut.shift, shift)
            seen.append(number(ctx.get(dut.o), dut.width))

    simulated(dut, process)
    return seen, cycles[1:]


def opt3(formats=FORMATS[0], **options):
    return REGISTRY["opt3"](*formats, **options)


def digits_at(pe, weight, operands):
    return recoding.SERIAL[pe.digits](operands, pe.a)[..., weight]


@pytest.mark.parametrize("formats", FORMATS, ids=str)
@pytest.mark.parametrize("digits", RECODINGS)
@pytest.mark.parametrize("paused", [False, True], ids=["free", "paused"])
def test_groups_take_a_cycle_per_nonzero_digit(formats, digits, paused, seed):
    """Random groups of any weight, one after another without a gap, some of them behind a shift; a
    group of zeros that is sent takes a cycle. What was in the registers does not matter."""
    pe = opt3(formats, digits=digits)
    rng = np.random.default_rng(seed)
    groups = []
    for index in range(16):
        operands = values(pe.a, ("random", "extremes", "zero")[index % 3], (4,), rng)
        others = values(pe.b, ("random", "extremes")[index % 2], (4,), rng)
        shifts = index > 0 and rng.random() < 0.3
        groups.append((shifts, int(rng.integers(pe.recoding.n_digits)), operands, others))
    found = [digits_at(pe, weight, a) for _, weight, a, _ in groups]
    total = 0
    for now, (shifts, _, _, others) in zip(found, groups, strict=True):
        total = (4 * total if shifts else total) + int(now @ others)
    seen, cycles = searched(pe, groups, lambda: paused and rng.random() < 0.5, rubbish=5)
    assert seen[-1] == signed(total, pe.state_width(64, 32))
    if not paused:
        counts = [max(1, int((d != 0).sum())) for d in found]
        assert cycles == counts[:-1]


@pytest.mark.parametrize(("operand", "digit"), [(-2, -2), (2, 2)])
def test_pitfall_1_in_the_pe_that_recodes(operand, digit):
    """All digits -2 against all -128, as many as the number is made for."""
    groups = [(0, 0, [operand] * 4, [-128] * 4)] * 16
    assert searched(opt3(), groups)[0][-1] == digit * -128 * 64


# The drain.


@pytest.mark.parametrize("eager", [True, False], ids=["taken at once", "taken late"])
@pytest.mark.parametrize("rows, width", [(1, 24), (3, 24), (3, 7), (2, 2)])
def test_the_drain_resolves_what_was_granted(rows, width, eager, seed):
    """Rows offer random states, often at once; grants follow each other immediately, those of one
    row too. Nothing is lost, nothing replaced, and each comes out in its own row and slot."""
    columns, tiles, latency = 2, 14, 3
    dut = SerialDrain(rows=rows, columns=columns, latency=latency, width=width)
    rng = np.random.default_rng(seed)
    bits = width + len(carry_places(width))
    states = rng.integers(0, 1 << bits, (rows, tiles, columns))
    states[:, ::5] = (1 << bits) - 1  # the longest way of a carry
    states[:, 1::5] = (1 << width) - 1 | 1 << min(width, bits - 1)
    expected = [[[number(int(x), width) for x in tile] for tile in row] for row in states]

    async def process(ctx):
        wait, granted, got = [0] * rows, [0] * rows, [[] for _ in range(rows)]
        on_bus = [[]]  # what each grant reads, the newest first
        turn = 0
        for _ in range(3000):
            due = [granted[row] < tiles and wait[row] == 0 for row in range(rows)]
            ctx.set(dut.due, packed(due, 1))
            ctx.set(dut.slot, packed([count % 2 for count in granted], 1))
            row, slot = turn % rows, turn // rows % 2
            take = ctx.get(dut.ready) >> (slot * rows + row) & 1 and (eager or rng.random() < 0.1)
            ctx.set(dut.take, int(take))
            ctx.set(dut.take_row, row)
            ctx.set(dut.take_slot, slot)
            grant = ctx.get(dut.grant)
            assert grant & packed(due, 1) == grant and grant.bit_count() <= 1
            reads = on_bus[latency - 1] if len(on_bus) >= latency else []
            assert ctx.get(dut.read) == (1 << reads[0] if reads else 0)
            bus = on_bus[latency] if len(on_bus) > latency else []
            ctx.set(dut.bus, packed(states[tuple(bus)] if bus else [0] * columns, bits))
            which = grant.bit_length() - 1
            on_bus.insert(0, [which, granted[which]] if grant else [])
            await ctx.tick()
            if take:
                word = ctx.get(dut.o)
                got[row].append([signed(word >> (n * width), width) for n in range(columns)])
                turn += 1
            wait = [max(0, n - 1) for n in wait]
            if grant:
                granted[which] += 1
                wait[which] = int(rng.integers(3))
            if turn == tiles * rows:
                break
        assert got == expected

    simulated(dut, process)
