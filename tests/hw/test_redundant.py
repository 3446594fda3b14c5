"""Carry-save states: fewer carries than bits, steps of the bits above, the addition at the end."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator

from matweave.hw.arith.compress import Operand
from matweave.hw.arith.redundant import GUARD, AddRedundant, accumulate, rows, stepped
from matweave.hw.array.resolve import Resolver
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY

INT8 = Format(8)


def simulate(module, process, *, clock=False):
    simulator = Simulator(module)
    if clock:
        simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_up_and_down_by_one(size):
    m = Module()
    value, up, down = Signal(size), Signal(), Signal()
    result = stepped(m, value, up=up, down=down)

    async def process(ctx):
        for number in range(1 << size):
            ctx.set(value, number)
            for step in (-1, 0, 1):
                ctx.set(up, step == 1)
                ctx.set(down, step == -1)
                await ctx.delay(1e-9)
                assert ctx.get(result) == (number + step) % (1 << size)

    simulate(m, process)


def test_every_state_and_every_term_of_a_small_accumulator():
    """8 bits, 4 carries: all 4,096 states with all terms from -4 to 4."""
    width, carries = 8, 4
    m = Module()
    state, term = Signal(width + carries), Signal(signed(4))
    after = accumulate(m, state, [Operand(term, True)], width, carries)
    assert len(after) == len(state)

    async def process(ctx):
        for bits in range(1 << (width + carries)):
            ctx.set(state, bits)
            number = (bits & 0xFF) + (bits >> width)
            for value in range(-4, 5):
                ctx.set(term, value)
                await ctx.delay(1e-9)
                found = ctx.get(after)
                assert ((found & 0xFF) + (found >> width) - number - value) % (1 << width) == 0

    simulate(m, process)


@pytest.mark.parametrize("digits", ["ent", "booth"])
def test_steps_go_up_and_down_through_all_bits(digits):
    """From states at the ends of their range, the largest products of either sign."""
    pe = REGISTRY["opt1"](INT8, INT8, digits=digits).summing(1)
    width = 32
    carries = pe.carries(width)
    assert carries < width - GUARD and pe.state_bits(width) == width + carries
    m = Module()
    state = Signal(pe.state_bits(width))
    m.submodules.add = add = AddRedundant(width=width, carries=carries, i_width=carries + GUARD)
    pair = Signal(2 * (carries + GUARD))
    m.d.comb += [add.i.eq(pair), add.c.eq(state)]
    rng = random.Random(1)

    async def process(ctx):
        for start in (0, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << carries) - 1):
            number = start
            ctx.set(state, start | (1 << carries) - 1 << width)  # and all carries
            number += (1 << carries) - 1
            for step in range(200):
                product = rng.choice((-(1 << 14), 1 << 14, -1, 0, rng.randint(-16256, 16384)))
                if step < 40:
                    product = 1 << 14 if start & 1 else -(1 << 14)
                low = rng.getrandbits(carries + GUARD)
                high = (product - low) % (1 << (carries + GUARD))
                ctx.set(pair, low | high << (carries + GUARD))
                await ctx.delay(1e-9)
                number += product
                found = ctx.get(add.o)
                assert ((found & 0xFFFFFFFF) + (found >> width) - number) % (1 << width) == 0
                ctx.set(state, found)

    simulate(m, process)


def test_a_pair_of_another_width_is_refused():
    with pytest.raises(ValueError, match="pair of products"):
        AddRedundant(width=32, carries=17, i_width=32)


@pytest.mark.parametrize("width", [5, 8, 17, 19, 32, 48])
@pytest.mark.parametrize("terms", [0, 1])
def test_the_final_addition_takes_a_number_every_cycle(width, terms):
    """Carries through whole groups of ones, and random states, one after another."""
    pe = REGISTRY["opt1"](INT8, INT8).summing(terms)
    m = Module()
    m.submodules.resolver = resolver = Resolver(pe=pe, width=width)
    state = Signal(pe.state_bits(width))
    low, high = rows(state, width, pe.carries(width))
    number = Signal(width)
    m.d.comb += [resolver.i.eq(state), number.eq(low + high)]
    rng = random.Random(2)
    ones = (1 << width) - 1
    states = [0, ones | 1 << width, (ones - 1) | 1 << width, ones, (1 << len(state)) - 1]
    states += [((1 << place) - 1) | 1 << width for place in range(1, width)]
    states += [rng.getrandbits(len(state)) for _ in range(200)]
    expected = []

    async def process(ctx):
        for bits in [*states, 0, 0]:
            ctx.set(state, bits)
            expected.append(ctx.get(number))
            if len(expected) > 2:
                assert ctx.get(resolver.o) == expected[-3]
            await ctx.tick()

    simulate(m, process, clock=True)
