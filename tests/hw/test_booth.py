"""Booth recoding and partial products, exhaustively where that is possible."""

import gc
import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from matweave.hw.arith import compress
from matweave.hw.arith.booth import BoothRecoder, n_digits, partial_products
from matweave.hw.formats import Format


def formats(widths):
    return [Format(width, signed) for width in widths for signed in (True, False)]


def number(bits, format):
    return bits - (1 << format.width) if format.signed and bits >> (format.width - 1) else bits


def simulate(module, process):
    simulator = Simulator(module)
    simulator.add_testbench(process)
    simulator.run()


@pytest.mark.parametrize("format", formats(range(2, 17)), ids=str)
def test_digits_sum_to_the_operand(format):
    recoder = BoothRecoder(format=format)
    assert recoder.n_digits == n_digits(format) and len(recoder.o) == 3 * recoder.n_digits
    digit_of = {0b000: 0, 0b001: 1, 0b010: 2, 0b101: -1, 0b110: -2}  # 100 is not a digit
    rng = random.Random(format.width)
    count = 1 << format.width
    values = range(count) if count <= 1024 else [0, count - 1, count // 2, count // 2 - 1]
    values = [*values, *(rng.randrange(count) for _ in range(1000))]

    async def process(ctx):
        for bits in values:
            ctx.set(recoder.i, bits)
            await ctx.delay(1e-9)
            code = ctx.get(recoder.o)
            digits = [digit_of[code >> (3 * k) & 7] for k in range(recoder.n_digits)]
            assert sum(digit << (2 * k) for k, digit in enumerate(digits)) == number(bits, format)

    simulate(recoder, process)


def test_number_of_digits():
    assert [n_digits(Format(w)) for w in (2, 3, 8, 15, 16)] == [1, 2, 4, 8, 8]
    assert [n_digits(Format(w, False)) for w in (2, 3, 8, 15, 16)] == [2, 2, 5, 8, 9]


@pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")
def test_bad_format():
    for width in (1, 17):
        with pytest.raises(ValueError, match="2 to 16 bits"):
            BoothRecoder(format=Format(width))
    gc.collect()  # the warning comes when the refused component is collected


def multiplier(a_format, b_format, width):
    m = Module()
    m.submodules.recoder = recoder = BoothRecoder(format=a_format)
    bus = Signal(a_format.width + b_format.width)
    m.d.comb += recoder.i.eq(bus[: a_format.width])
    b = bus[a_format.width :]
    rows = partial_products(m, recoder.o, b, a_format=a_format, b_format=b_format)
    return m, bus, compress.total(m, rows, width)


def check_products(a_format, b_format, width, pairs):
    m, bus, product = multiplier(a_format, b_format, width)

    async def process(ctx):
        for x, y in pairs:
            ctx.set(bus, x | y << a_format.width)
            await ctx.delay(1e-9)
            expected = number(x, a_format) * number(y, b_format) % (1 << width)
            assert ctx.get(product) == expected, (x, y)

    simulate(m, process)


@pytest.mark.parametrize("b_format", formats(range(2, 5)), ids=str)
@pytest.mark.parametrize("a_format", formats(range(2, 5)), ids=str)
def test_products_exhaustively(a_format, b_format):
    pairs = [(x, y) for x in range(1 << a_format.width) for y in range(1 << b_format.width)]
    check_products(a_format, b_format, a_format.width + b_format.width, pairs)


@pytest.mark.parametrize("b_format", formats([8, 15, 16]), ids=str)
@pytest.mark.parametrize("a_format", formats([8, 15, 16]), ids=str)
def test_products_at_corners(a_format, b_format):
    def corners(format):
        low, high = format.min, format.max
        all_minus_two = sum(-2 << (2 * k) for k in range(format.width // 2))  # …10101010
        values = {low, low + 1, -1, 0, 1, high - 1, high, all_minus_two, 0x5555}
        return sorted({value & ((1 << format.width) - 1) for value in values})

    rng = random.Random(1)
    pairs = [(x, y) for x in corners(a_format) for y in corners(b_format)]
    for _ in range(200):
        pairs.append((rng.getrandbits(a_format.width), rng.getrandbits(b_format.width)))
    for width in (a_format.width + b_format.width, 40):
        check_products(a_format, b_format, width, pairs)
