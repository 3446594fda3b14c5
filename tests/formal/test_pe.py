"""Rung 5 for every registered processing element: state, code and all give ``c + a * b``.

A solver manages 8 x 8 bits from the zero state, less from any state; beyond that the lemmas of
``test_arith`` hold, and exhaustive simulation.
"""

import pytest
from amaranth.hdl import Assert, Cat, Const, Signal

from matweave.hw.formats import Format
from matweave.hw.pe import variants
from matweave.hw.pe.base import recode

from .harness import check, refute

INT8, UINT8 = Format(8), Format(8, False)
PES = variants()


def number(bits, format):
    return bits.as_signed() if format.signed else bits.as_unsigned()


def accumulation(name, a_format, b_format, *, depth=1, width=18, from_zero=False, fault=False):
    """One step: the resolved state grows by the products, modulo ``2**width``."""
    pe = PES[name](a=a_format, b=b_format).summing(depth)

    def body(m, ports):
        m.submodules.dot = dot = pe.dot_class(pe=pe, depth=depth, width=width)
        products, inner = [], {"a": [], "b": []}
        for k in range(depth):
            a = ports.a.word_select(k, a_format.width)
            b = ports.b.word_select(k, b_format.width)
            for operand, value in (("a", a), ("b", b)):
                inner[operand] += recode(m, pe, operand, [value], f"{operand}_recoder_{k}")
            products.append(number(a, a_format) * number(b, b_format))
        c = Const(0, pe.state_bits(width)) if from_zero else ports.c
        m.d.comb += [dot.a.eq(Cat(*inner["a"])), dot.b.eq(Cat(*inner["b"])), dot.c.eq(c)]
        state = dot.o
        if fault:  # the smallest one: one bit of one product of all
            state = state ^ ((ports.a == a_format.max) & (ports.b == b_format.max))
        values = []
        for k, words in enumerate((c, state)):
            m.submodules[f"resolve_{k}"] = resolve = pe.resolve_class(pe=pe, width=width)
            m.d.comb += resolve.i.eq(words)
            values.append(resolve.o)
        expected = Signal(width)
        m.d.comb += expected.eq(values[0] + sum(products[1:], products[0]))
        m.d.comb += Assert(values[1] == expected)

    inputs = {"a": depth * a_format.width, "b": depth * b_format.width}
    return (inputs if from_zero else inputs | {"c": pe.state_bits(width)}), body


@pytest.mark.parametrize("name", PES)
@pytest.mark.parametrize(
    "a_format, b_format",
    [
        (INT8, INT8),
        (UINT8, UINT8),
        pytest.param(UINT8, INT8, marks=pytest.mark.slow),
        pytest.param(INT8, UINT8, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_product(name, a_format, b_format):
    check(*accumulation(name, a_format, b_format, width=16, from_zero=True))


@pytest.mark.parametrize("name", PES)
@pytest.mark.parametrize(
    "a_format, b_format, depth",
    [
        (Format(6), Format(5), 1),
        (Format(5, False), Format(7), 1),
        (Format(7), Format(5, False), 1),
        (Format(2), Format(8), 1),
        (Format(2, False), Format(2, False), 4),
        (Format(4), Format(3), 2),
    ],
    ids=str,
)
def test_accumulation_from_any_state(name, a_format, b_format, depth):
    check(*accumulation(name, a_format, b_format, depth=depth))


@pytest.mark.parametrize("name", PES)
def test_one_wrong_bit_of_one_product_is_found(name):
    refute(*accumulation(name, INT8, INT8, from_zero=True, width=16, fault=True))
