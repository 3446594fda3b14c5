"""Rung 5 for recoders and compressor trees: the lemmas that make every Booth multiplier a product.

The digits sum to the operand; a partial product is digit times operand; the tree is the sum.
"""

import random

import pytest
from amaranth.hdl import Assert, Cat, Const, Mux, Signal, Value, signed

from matweave.hw.arith import compress
from matweave.hw.arith.booth import BoothRecoder, n_digits, partial_products
from matweave.hw.arith.compress import Operand
from matweave.hw.formats import Format

from .harness import check, refute

FORMATS = [Format(width, sign) for width in range(2, 17) for sign in (True, False)]


def number(bits: Value, format: Format) -> Value:
    return bits.as_signed() if format.signed else bits.as_unsigned()


def digit_value(m, code, name):
    """-2 … 2 from the three bits of a digit."""
    one, two, neg = code
    size = Signal(2, name=f"{name}_size")
    value = Signal(signed(3), name=f"{name}_value")
    m.d.comb += [size.eq(Cat(one, two)), value.eq(Mux(neg, -size, size))]
    return value


def legal(code):
    one, two, neg = code
    return ~(one & two) & (~neg | one | two)


def digits(code):
    return [code[start : start + 3] for start in range(0, len(code), 3)]


def recoded(formats, wrong=None):
    def body(m, ports):
        for format in formats:
            name = str(format)
            m.submodules[name] = recoder = BoothRecoder(format=format)
            m.d.comb += recoder.i.eq(getattr(ports, name))
            code = recoder.o if wrong is None else wrong(recoder)
            total = Signal(signed(20), name=f"total_{name}")
            terms = [
                digit_value(m, digit, f"{name}_{k}") << (2 * k)
                for k, digit in enumerate(digits(code))
            ]
            value = terms[0]
            for term in terms[1:]:
                value = value + term
            m.d.comb += total.eq(value)
            m.d.comb += Assert(total == number(getattr(ports, name), format))
            for digit in digits(code):
                m.d.comb += Assert(legal(digit))

    return {str(format): format.width for format in formats}, body


def test_digits_sum_to_the_operand():
    check(*recoded(FORMATS))


@pytest.mark.parametrize("format", [Format(8), Format(7), Format(16, False)], ids=str)
def test_a_dropped_top_digit_is_found(format):
    def wrong(recoder):
        return Cat(recoder.o[:-3], Const(0, 3))

    refute(*recoded([format], wrong))


def multiples(pairs, wrong=None):
    """Every row with its injected 1 is digit times operand, for every pair of formats."""

    def body(m, ports):
        for a_format, b_format in pairs:
            name = f"{a_format}_{b_format}"
            code, b = Signal(3 * n_digits(a_format), name=f"code_{name}"), ports.b[: b_format.width]
            m.d.comb += code.eq(ports.code)
            m.submodules[f"recoder_{name}"] = recoder = BoothRecoder(format=a_format)
            m.d.comb += [recoder.i.eq(ports.a), code.eq(recoder.o)]
            rows = partial_products(
                m, code, b, a_format=a_format, b_format=b_format, name=f"pp_{name}_"
            )
            if wrong is not None:
                rows = wrong(rows)
            for k, digit in enumerate(digits(code)):
                one, two, neg = digit
                size = Mux(one, number(b, b_format), Mux(two, number(b, b_format) << 1, 0))
                row = Const(0)
                for bits, is_signed, shift in rows:
                    if shift == 2 * k:
                        row = row + (bits.as_signed() if is_signed else bits)
                m.d.comb += Assert(row == Mux(neg, -size, size))

    return {"a": 16, "code": 27, "b": 16}, body


WIDTHS = [2, 3, 8, 16]
PAIRS = [(a, b) for a in FORMATS for b in FORMATS if a.width in WIDTHS and b.width in WIDTHS]


def test_a_partial_product_is_digit_times_operand():
    check(*multiples(PAIRS))


def test_a_missing_injection_is_found():
    def wrong(rows):
        return [row for row in rows if len(row.value) > 1 or row.shift]

    refute(*multiples([(Format(8), Format(8))], wrong))


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
