"""Rung 5 for recoders and compressor trees: the lemmas that make every recoded product a product.

The digits sum to the operand; a partial product is digit times operand; the tree is the sum.
"""

import itertools
import random

import pytest
from amaranth.hdl import Assert, Cat, Const, Mux, Signal, Value, signed

from matweave.hw.arith import compress
from matweave.hw.arith.booth import BoothRecoding
from matweave.hw.arith.carry import CARRIES
from matweave.hw.arith.compress import Operand
from matweave.hw.arith.csd import CsdRecoding
from matweave.hw.arith.ent import EntRecoding
from matweave.hw.arith.recoding import Digit
from matweave.hw.formats import Format

from .harness import check, refute

FORMATS = [Format(width, sign) for width in range(2, 17) for sign in (True, False)]
SIGNED = [format for format in FORMATS if format.signed]

RECODINGS = {
    "booth": [BoothRecoding(format) for format in FORMATS],
    "csd": [CsdRecoding(format) for format in FORMATS],
    "csd-prefix": [CsdRecoding(format, carry="prefix") for format in FORMATS],
    "ent": [EntRecoding(format) for format in FORMATS],
    "ent-prefix": [EntRecoding(format, carry="prefix") for format in FORMATS],
    "ent-sm": [EntRecoding(format, form="sign_magnitude") for format in SIGNED],
    "ent-sm-prefix": [
        EntRecoding(format, form="sign_magnitude", carry="prefix") for format in SIGNED
    ],
}


def number(bits: Value, format: Format) -> Value:
    return bits.as_signed() if format.signed else bits.as_unsigned()


def lines(digit):
    return [Const(0, 1) if line is None else line for line in digit]


def digit_value(m, digit, name):
    """-2 … 2 from a digit's lines."""
    one, two, neg = lines(digit)
    size = Signal(2, name=f"{name}_size")
    value = Signal(signed(3), name=f"{name}_value")
    m.d.comb += [size.eq(Cat(one, two)), value.eq(Mux(neg, -size, size))]
    return value


def legal(digit):
    one, two, neg = lines(digit)
    return ~(one & two) & (~neg | one | two)


def recoder(m, recoding, operand, name):
    """The code; all other logic of the recoder is in ``m`` then."""
    m.submodules[f"recoder_{name}"] = component = recoding.recoder_class(recoding=recoding)
    m.d.comb += component.i.eq(operand)
    return component.o


def recoded(recodings, wrong=None):
    """The digits sum to the operand and are legal ones. Of EN-T codes so restricted there is just
    one, so that they are the golden model's: all but the top digit in {-1, 0, 1, 2}, or for a
    negative operand in {1, 0, -1, -2}. Of canonical signed digits too: of two neighbours (within a
    pair at most one counts) no 2 with a 1 above it."""

    def body(m, ports):
        for recoding in recodings:
            format = recoding.format
            name, operand = str(format), getattr(ports, str(format))
            code = recoder(m, recoding, operand, name)
            digits = recoding.digits(m, code, f"{name}_digit_")
            if wrong is not None:
                digits = wrong(digits)
            values = [digit_value(m, digit, f"{name}_{k}") for k, digit in enumerate(digits)]
            total = Signal(signed(20), name=f"total_{name}")
            terms = [value << (2 * k) for k, value in enumerate(values)]
            m.d.comb += total.eq(sum(terms[1:], terms[0]))
            m.d.comb += Assert(total == number(operand, format))
            for digit in digits:
                m.d.comb += Assert(legal(digit))
            if isinstance(recoding, EntRecoding):
                flipped = recoding.sign_magnitude & operand[-1]
                for value in values[:-1]:
                    m.d.comb += Assert(value != Mux(flipped, 2, -2))
            if isinstance(recoding, CsdRecoding):
                for value, above in itertools.pairwise(values):
                    m.d.comb += Assert(~((abs(value) == 2) & (abs(above) == 1)))

    return {str(recoding.format): recoding.format.width for recoding in recodings}, body


@pytest.mark.parametrize("name", RECODINGS)
def test_digits_sum_to_the_operand(name):
    check(*recoded(RECODINGS[name]))


BITS = [Format(8), Format(7), Format(8, False), Format(7, False), Format(16, False)]


def planted(name):
    return [[recoding] for recoding in RECODINGS[name] if recoding.format in BITS]


@pytest.mark.parametrize("name", RECODINGS)
def test_a_dropped_top_digit_is_found(name):
    for recodings in planted(name):
        refute(*recoded(recodings, lambda digits: [*digits[:-1], Digit(Const(0, 1))]))


@pytest.mark.parametrize("name", RECODINGS)
def test_a_negative_zero_is_found(name):
    def wrong(digits):
        first = digits[0]
        return [first._replace(neg=first.neg | ~(first.one | first.two)), *digits[1:]]

    refute(*recoded(planted(name)[0], wrong))


@pytest.mark.parametrize("kind", [CsdRecoding, EntRecoding])
@pytest.mark.parametrize("carry", CARRIES)
def test_a_carry_that_does_not_reach_far_is_found(carry, kind, monkeypatch):
    right = CARRIES[carry]

    def near(m, generate, propagate):  # through four slices at most, of the seven in 16 bits
        reach = [slice(max(0, end - 4), end) for end in range(1, len(generate) + 1)]
        return [right(m, generate[group], propagate[group])[-1] for group in reach]

    monkeypatch.setitem(CARRIES, carry, near)
    check(*recoded([kind(Format(10), carry=carry)]))
    refute(*recoded([kind(Format(16), carry=carry)]))


def multiples(pairs, wrong=None):
    """Every row with its injected 1 is digit times operand, for every recoding and format."""

    def body(m, ports):
        for index, (recoding, b_format) in enumerate(pairs):
            name = f"{index}_{recoding.format}_{b_format}"
            b = ports.b[: b_format.width]
            code = recoder(m, recoding, ports.a[: recoding.format.width], name)
            rows = recoding.partial_products(m, code, b, b_format, name=f"pp_{name}_")
            if wrong is not None:
                rows = wrong(rows)
            for k, digit in enumerate(recoding.digits(m, code, f"digit_{name}_")):
                one, two, neg = lines(digit)
                size = Mux(one, number(b, b_format), Mux(two, number(b, b_format) << 1, 0))
                row = Const(0)
                for bits, is_signed, shift in rows:
                    if shift == 2 * k:
                        row = row + (bits.as_signed() if is_signed else bits)
                m.d.comb += Assert(row == Mux(neg, -size, size))

    return {"a": 16, "b": 16}, body


WIDTHS = [2, 3, 8, 16]


@pytest.mark.parametrize("name", ["booth", "csd", "ent", "ent-sm"])
def test_a_partial_product_is_digit_times_operand(name):
    recodings = [recoding for recoding in RECODINGS[name] if recoding.format.width in WIDTHS]
    formats = [format for format in FORMATS if format.width in WIDTHS]
    check(*multiples([(recoding, b) for recoding in recodings for b in formats]))


@pytest.mark.parametrize("name", ["booth", "csd", "ent", "ent-sm"])
def test_a_missing_injection_is_found(name):
    def wrong(rows):
        return [row for row in rows if len(row.value) > 1 or row.shift]

    (recoding,) = planted(name)[0]
    refute(*multiples([(recoding, Format(8))], wrong))


def trees(shapes, width, wrong=False):
    def body(m, ports):
        operands, plain = [], Const(0)
        for k, (_, is_signed, shift) in enumerate(shapes):
            bits = getattr(ports, f"x{k}")
            operands.append(Operand(bits, is_signed, shift))
            plain = plain + ((bits.as_signed() if is_signed else bits) << shift)
        low, high = compress.reduce(m, operands, width)
        expected = Signal(width)
        m.d.comb += expected.eq(plain)
        m.d.comb += Assert((low + high)[:width] == expected)

    return {f"x{k}": bits for k, (bits, _, _) in enumerate(shapes)}, body


def booth_shapes(n, accumulator):
    """Rows, injected ones and accumulator of an n x n signed Booth multiplier."""
    rows = [(n + 1, True, 2 * k) for k in range(n // 2)]
    return rows + [(1, False, 2 * k) for k in range(n // 2)] + [(accumulator, False, 0)]


@pytest.mark.parametrize(
    "shapes, width",
    [
        (booth_shapes(4, 12), 12),
        (booth_shapes(8, 24), 24),
        ([(5, True, 0)] * 3 + [(5, False, 0)] * 2, 9),
        ([(5, False, k) for k in range(5)], 10),
    ],
    ids=["booth4", "booth8", "five", "array5"],
)
def test_the_tree_is_the_sum(shapes, width):
    check(*trees(shapes, width))


@pytest.mark.parametrize("seed", range(3))
def test_random_trees_are_the_sum(seed):
    rng = random.Random(seed)
    shapes = [(rng.randint(1, 9), rng.random() < 0.5, rng.randint(0, 6)) for _ in range(6)]
    check(*trees(shapes, rng.randint(8, 18)))


def test_a_wrong_counter_is_found(monkeypatch):
    full = compress._LOGIC[3, False]
    monkeypatch.setitem(
        compress._LOGIC, (3, False), (full[0], lambda x, y, z: (x & y) | ((x | y) ^ z) & z)
    )
    refute(*trees(booth_shapes(8, 24), 24))
