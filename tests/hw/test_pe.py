"""Every processing element in the registry is a * b + c; a new one inherits all of this.

Exhaustive where the operands are narrow; corner values at all widths of 2 to 16 bits, signed and
unsigned. The state is opaque here: it is only ever started at zero, chained, and resolved.
"""

import itertools
import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from matweave.hw import catalog
from matweave.hw.formats import Format, accumulator_width
from matweave.hw.pe import REGISTRY, variants
from matweave.hw.pe.base import Pe, recode

WIDTHS = range(2, 17)
SIGNS = list(itertools.product((True, False), repeat=2))
PES = variants()
VARIANTS = sorted(PES)


class Chain:
    """Encoders, ``dot`` blocks one after another from the zero state, and the resolver."""

    def __init__(self, pe: Pe, *, depth: int, width: int, blocks: int = 1):
        self.pe = pe = pe.summing(depth)
        self.width = width
        self.terms = blocks * depth
        self.module = m = Module()
        self.a = Signal(self.terms * pe.a.width)
        self.b = Signal(self.terms * pe.b.width)
        self.o = Signal(width)
        inner = {}
        for operand in "ab":
            bits, of_one = getattr(self, operand), getattr(pe, operand).width
            lanes = [bits.word_select(n, of_one) for n in range(self.terms)]
            inner[operand] = recode(m, pe, operand, lanes, f"{operand}_recoder")
        state = 0
        for block in range(blocks):
            dot = pe.dot_class(pe=pe, depth=depth, width=width)
            m.submodules[f"dot_{block}"] = dot
            assert len(dot.o) == pe.state_bits(width)
            m.d.comb += dot.c.eq(state)
            for d in range(depth):
                lane = block * depth + d
                for operand, codes in inner.items():
                    inside = pe.inner_width(operand)
                    assert len(codes[lane]) == inside
                    m.d.comb += getattr(dot, operand).word_select(d, inside).eq(codes[lane])
            state = dot.o
        m.submodules.resolve = resolve = pe.resolve_class(pe=pe, width=width)
        m.d.comb += [resolve.i.eq(state), self.o.eq(resolve.o)]

    def check(self, vectors):
        """``vectors``: pairs of lists of operands; the sum of products modulo ``2**width``."""

        async def process(ctx):
            for a, b in vectors:
                ctx.set(self.a, packed(a, self.pe.a.width))
                ctx.set(self.b, packed(b, self.pe.b.width))
                await ctx.delay(1e-9)
                expected = sum(x * y for x, y in zip(a, b, strict=True))
                assert ctx.get(self.o) == expected % (1 << self.width), (a, b)

        simulator = Simulator(self.module)
        simulator.add_testbench(process)
        simulator.run()


def packed(values, width: int) -> int:
    return sum((value & ((1 << width) - 1)) << (i * width) for i, value in enumerate(values))


def whole(format: Format) -> range:
    return range(format.min, format.max + 1)


def corners(format: Format) -> list[int]:
    """Ends of the range, zero, one, and the patterns 0101 and 1010 (extreme Booth digits)."""
    low, high, mask = format.min, format.max, (1 << format.width) - 1
    patterns = [pattern & mask for pattern in (0x5555, 0xAAAA, 0x3333, 0xCCCC)]
    signed = [value - (value > high) * (mask + 1) for value in patterns]
    return sorted({low, low + 1, high, high - 1, 0, 1, *([-1] if low else []), *signed})


def pe(kind: str, a: tuple, b: tuple) -> Pe:
    return PES[kind](Format(*a), Format(*b))


def test_every_variant_of_the_catalog_is_registered():
    assert set(REGISTRY) == set(catalog.pes())
    assert {"mac", "booth"} <= set(REGISTRY)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", VARIANTS)
def test_exhaustive_products(kind, signs):
    """Every pair of operands of 2 to 4 bits, each width by each."""
    for a_width, b_width in itertools.product((2, 3, 4), repeat=2):
        unit = pe(kind, (a_width, signs[0]), (b_width, signs[1]))
        width = accumulator_width(unit.a, unit.b, 1)
        pairs = itertools.product(whole(unit.a), whole(unit.b))
        Chain(unit, depth=1, width=width).check(([a], [b]) for a, b in pairs)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", VARIANTS)
def test_exhaustive_two_terms(kind, signs):
    """Every four operands of 2 bits (and 3 by 2), as one block of depth 2 and as two of depth 1."""
    for a_width, b_width in ((2, 2), (3, 2)):
        unit = pe(kind, (a_width, signs[0]), (b_width, signs[1]))
        width = accumulator_width(unit.a, unit.b, 2)
        a_pairs = list(itertools.product(whole(unit.a), repeat=2))
        b_pairs = list(itertools.product(whole(unit.b), repeat=2))
        vectors = list(itertools.product(a_pairs, b_pairs))
        Chain(unit, depth=2, width=width).check(vectors)
        Chain(unit, depth=1, width=width, blocks=2).check(vectors)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", VARIANTS)
def test_corners_at_every_width(kind, signs):
    """Corner by corner, equal widths of 2 to 16 bits, in the narrowest exact accumulator."""
    for width in WIDTHS:
        unit = pe(kind, (width, signs[0]), (width, signs[1]))
        pairs = itertools.product(corners(unit.a), corners(unit.b))
        accumulator = accumulator_width(unit.a, unit.b, 1)
        Chain(unit, depth=1, width=accumulator).check(([a], [b]) for a, b in pairs)


@pytest.mark.parametrize("kind", VARIANTS)
def test_unequal_widths(kind, seed):
    """Operands of different widths and signs, a deep dot product, an accumulator to spare."""
    rng = random.Random(seed)
    for a, b, depth in (
        ((2, True), (16, False), 3),
        ((16, False), (2, True), 3),
        ((4, False), (12, True), 5),
        ((15, True), (7, True), 2),
        ((9, False), (10, False), 4),
    ):
        unit = pe(kind, a, b)
        a_values, b_values = corners(unit.a), corners(unit.b)
        vectors = [([x] * depth, [y] * depth) for x, y in itertools.product(a_values, b_values)]
        vectors += [
            (rng.choices(a_values, k=depth), rng.choices(b_values, k=depth)) for _ in range(50)
        ]
        exact = accumulator_width(unit.a, unit.b, depth)
        Chain(unit, depth=depth, width=exact).check(vectors)
        Chain(unit, depth=depth, width=exact + 5).check(vectors)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", VARIANTS)
def test_state_wraps(kind, signs, seed):
    """A chain whose true sum does not fit is right modulo 2**width, narrower than a product too."""
    rng = random.Random(seed)
    for operand_width, width in ((4, 3), (8, 15), (8, 19)):
        unit = pe(kind, (operand_width, signs[0]), (operand_width, signs[1]))
        ends = ([unit.a.min, unit.a.max], [unit.b.min, unit.b.max])
        vectors = [([x] * 6, [y] * 6) for x, y in itertools.product(*ends)]
        vectors += [
            ([rng.choice(whole(unit.a)) for _ in range(6)],
             [rng.choice(whole(unit.b)) for _ in range(6)])
            for _ in range(40)
        ]  # fmt: skip
        Chain(unit, depth=2, width=width, blocks=3).check(vectors)


@pytest.mark.parametrize("kind", VARIANTS)
def test_intermediate_overflow_cancels(kind):
    """Modulo arithmetic: a sum that leaves the accumulator and comes back is exact."""
    unit = pe(kind, (8, True), (8, True))
    there, back = [unit.a.min] * 6, [unit.a.max] * 6
    Chain(unit, depth=1, width=17, blocks=12).check(
        [(there + back, [unit.b.min] * 12), (back + there, [unit.b.min] * 12)]
    )


@pytest.mark.parametrize("kind", VARIANTS)
def test_zero_is_zero(kind):
    """The all-zero state is the number zero, and adding nothing to it leaves it so."""
    unit = pe(kind, (8, True), (8, True))
    zeros = [0] * 4
    Chain(unit, depth=2, width=20, blocks=2).check(
        [(zeros, zeros), (zeros, [-128] * 4), ([-128] * 4, zeros)]
    )


@pytest.mark.parametrize("kind", VARIANTS)
def test_can_name_a_shared_cell(kind):
    """Equal formats are equal, hashable PEs; different ones are not."""
    unit = pe(kind, (8, True), (4, False))
    assert unit == pe(kind, (8, True), (4, False))
    assert hash(unit) == hash(pe(kind, (8, True), (4, False)))
    assert unit != pe(kind, (8, True), (4, True))
    assert unit.words in (1, 2)


@pytest.mark.parametrize("kind", VARIANTS)
@pytest.mark.parametrize(("depth", "width"), [(0, 8), (1, 0), (-1, 8)])
def test_refuses_nonsense(kind, depth, width):
    unit = pe(kind, (8, True), (8, True))
    with pytest.raises(ValueError, match="depth and width must be positive"):
        unit.dot_class(pe=unit, depth=depth, width=width)


@pytest.mark.slow
@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("kind", VARIANTS)
def test_exhaustive_eight_bits(kind, signs):
    """All 65,536 pairs of 8-bit operands."""
    unit = pe(kind, (8, signs[0]), (8, signs[1]))
    width = accumulator_width(unit.a, unit.b, 1)
    pairs = itertools.product(whole(unit.a), whole(unit.b))
    Chain(unit, depth=1, width=width).check(([a], [b]) for a, b in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", VARIANTS)
def test_every_pair_of_widths(kind, seed):
    """Corners and random operands for all 15 x 15 widths and four signs."""
    rng = random.Random(seed)
    for a_width, b_width, signs in itertools.product(WIDTHS, WIDTHS, SIGNS):
        unit = pe(kind, (a_width, signs[0]), (b_width, signs[1]))
        pairs = list(itertools.product(corners(unit.a), corners(unit.b)))
        pairs += [(rng.choice(whole(unit.a)), rng.choice(whole(unit.b))) for _ in range(50)]
        width = accumulator_width(unit.a, unit.b, 1)
        Chain(unit, depth=1, width=width).check(([a], [b]) for a, b in pairs)
