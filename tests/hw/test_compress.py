"""The compressor tree is the sum, for every mixture of widths, signs, shifts and constants."""

import itertools
import random

import pytest
from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.sim import Simulator

from matweave.hw.arith import compress
from matweave.hw.arith.compress import Operand

UNUSED = Module()
UNUSED._MustUse__used = True


def simulate(module, process):
    simulator = Simulator(module)
    simulator.add_testbench(process)
    simulator.run()


def check(shapes, width, vectors, constants=()):
    """``shapes``: (width, signed, shift) per operand; ``vectors``: lists of unsigned values."""
    m = Module()
    bus = Signal(sum(bits for bits, _, _ in shapes))
    operands, fields, start = [], [], 0
    for bits, signed, shift in shapes:
        operands.append(Operand(bus[start : start + bits], signed, shift))
        fields.append((start, bits, signed, shift))
        start += bits
    operands += constants
    low, high = compress.reduce(m, operands, width)
    total = compress.total(m, operands, width)
    assert len(low) == len(high) == len(total) == width
    fixed = sum(c if isinstance(c, int) else c.value << c.shift for c in constants)

    async def process(ctx):
        for vector in vectors:
            packed, expected = 0, fixed
            for value, (start, bits, signed, shift) in zip(vector, fields, strict=True):
                packed |= value << start
                expected += (value - (signed and value >> (bits - 1)) * (1 << bits)) << shift
            ctx.set(bus, packed)
            await ctx.delay(1e-9)
            expected %= 1 << width
            assert (ctx.get(low) + ctx.get(high)) % (1 << width) == expected, vector
            assert ctx.get(total) == expected, vector

    simulate(m, process)


def corners(bits):
    half = 1 << (bits - 1)
    return sorted({0, 1, half - 1, half, 2 * half - 1})


@pytest.mark.parametrize("width", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("signs", list(itertools.product([False, True], repeat=3)))
def test_exhaustive_three_operands(width, signs):
    shapes = [(3, signs[0], 0), (2, signs[1], 1), (3, signs[2], 2)]
    check(shapes, width, itertools.product(range(8), range(4), range(8)), [Operand(-3, None, 1), 1])


@pytest.mark.parametrize("seed", range(24))
def test_random_trees(seed):
    rng = random.Random(seed)
    terms = rng.randint(0, 24)
    shapes = [(rng.randint(1, 12), rng.random() < 0.5, rng.randint(0, 9)) for _ in range(terms)]
    constants = [rng.randint(-(1 << 20), 1 << 20) for _ in range(rng.randint(0, 2))]
    vectors = [[rng.choice(corners(bits)) for bits, _, _ in shapes] for _ in range(50)]
    vectors += [[rng.getrandbits(bits) for bits, _, _ in shapes] for _ in range(50)]
    check(shapes, rng.randint(1, 24), vectors, constants)


def test_fewest_counters(monkeypatch):
    """Dadda's figures for an n x n array of bits: n*n - 4n + 3 full and n - 1 half adders."""
    counted, wrapped = [], compress._counters

    def counting(m, logic, counters, result, name):
        counted.extend(len(inputs) for _, inputs in counters)
        return wrapped(m, logic, counters, result, name)

    monkeypatch.setattr(compress, "_counters", counting)
    for n in (4, 8, 16):
        counted.clear()
        rows = [Operand(Signal(n), False, shift) for shift in range(n)]
        compress.reduce(UNUSED, rows, 2 * n)
        assert (counted.count(3), counted.count(2)) == (n * n - 4 * n + 3, n - 1)


def test_every_bit_is_used_once(monkeypatch):
    """The sum is kept because each counter keeps it and each bit enters one counter, or stays.

    Holds for a tree of any size; that the four counters count is ``test_counters``.
    """
    counters_of, stages = [], []
    counters, stage = compress._counters, compress._stage

    def recorded(m, logic, group, result, name):
        before = [list(column) for column in result]
        counters(m, logic, group, result, name)
        new = [column[len(old) :] for column, old in zip(result, before, strict=True)]
        counters_of.append((group, [len(bits) for bits in new]))

    def checked(m, columns, limit, name):
        counters_of.clear()
        result = stage(m, columns, limit, name)
        used = [[] for _ in columns]
        made = [0] * len(columns)
        for group, new in counters_of:
            for weight, inputs in group:
                used[weight] += map(id, inputs)
            made = [total + count for total, count in zip(made, new, strict=True)]
        for weight, column in enumerate(columns):
            bits = [id(bit) for bit in column if bit is not compress._ONE]
            kept = [id(bit) for bit in result[weight] if id(bit) in bits]
            assert sorted(used[weight] + kept) == sorted(bits)
            ones = sum(bit is compress._ONE for bit in result[weight])
            assert len(result[weight]) == len(kept) + made[weight] + ones
        stages.append(name)
        return result

    monkeypatch.setattr(compress, "_counters", recorded)
    monkeypatch.setattr(compress, "_stage", checked)
    rng = random.Random(3)
    for n in (16, 32, 64):
        rows = [Operand(Signal(n + 1), True, 2 * k) for k in range(n // 2)]
        rows += [Operand(Signal(), False, 2 * k) for k in range(n // 2)]
        compress.reduce(UNUSED, [*rows, Signal(2 * n + 8)], 2 * n + 8)
        terms = [(rng.randint(1, n), rng.random() < 0.5, rng.randint(0, n)) for _ in range(3 * n)]
        compress.reduce(UNUSED, [Operand(Signal(w), s, k) for w, s, k in terms], 2 * n)
    assert len(stages) > 40


@pytest.mark.parametrize("size, has_one", compress._LOGIC)
def test_counters(size, has_one):
    total, carry = compress._LOGIC[size, has_one]
    for bits in itertools.product((0, 1), repeat=size - has_one):
        inputs = [Const(bit, 1) for bit in bits]
        m = Module()
        result = Signal(2)
        m.d.comb += result.eq(Cat(total(*inputs), carry(*inputs)))

        async def process(ctx, count=(*bits, has_one), result=result):
            assert ctx.get(result) == sum(count)

        simulate(m, process)


def test_shape_gives_the_sign_when_none_is_told():
    m = Module()
    x = Signal(4)
    total = compress.total(m, [x, x.as_signed(), Operand(Cat(x, x))], 10)

    async def process(ctx):
        for value in range(16):
            ctx.set(x, value)
            await ctx.delay(1e-9)
            signed = value - 16 * (value >> 3)
            assert ctx.get(total) == (value + signed + 17 * value) % 1024

    simulate(m, process)


def test_constants_cost_nothing():
    m = Module()
    low, high = compress.reduce(m, [5, Operand(-1, None, 3)], 6)
    assert (low.init, high.init) == (0, 0)

    async def process(ctx):
        assert (ctx.get(low) + ctx.get(high)) % 64 == (5 - 8) % 64

    simulate(m, process)


@pytest.mark.parametrize("width", [0, -1, True, 2.0, None])
def test_bad_width(width):
    with pytest.raises(ValueError, match="width must be a positive integer"):
        compress.reduce(UNUSED, [], width)


@pytest.mark.parametrize("shift", [-1, 1.0, True])
def test_bad_shift(shift):
    with pytest.raises(ValueError, match="shift must be a non-negative integer"):
        compress.reduce(UNUSED, [Operand(Signal(2), None, shift)], 4)


@pytest.mark.parametrize("left", [2, 3])
@pytest.mark.parametrize("count", [2, 3, 4, 6, 10])
def test_merged_rows_and_ones(count, left, seed):
    """Whole rows, with ones in the places that shifted carries leave free: all of them used."""
    width, rng = 9, random.Random(seed)
    m = Module()
    bus = Signal(count * width + max(count - left, 0))
    rows = [bus.word_select(n, width) for n in range(count)]
    ones = list(bus[count * width :])
    merged = compress.merge(m, rows, ones, width, left=left)
    assert len(merged) == min(count, left)

    async def process(ctx):
        for trial in range(200):
            values = [rng.randrange(1 << width) if trial else (1 << width) - 1 for _ in rows]
            extra = [rng.randrange(2) if trial else 1 for _ in ones]
            packed = sum(v << n * width for n, v in enumerate(values))
            packed += sum(bit << count * width + n for n, bit in enumerate(extra))
            ctx.set(bus, packed)
            await ctx.delay(1e-9)
            total = sum(ctx.get(row) for row in merged)
            assert (total - sum(values) - sum(extra)) % (1 << width) == 0

    simulate(m, process)
