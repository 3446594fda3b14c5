"""Sums and dot products through ranks of registers, eight terms between two of them.

They never stop: what goes in comes out ``latency`` cycles later, every cycle.
"""

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format, accumulator_width
from .adders import tree
from .levels import RADIX, levels


def registered_sum(m, values, shape):
    """The exact sum of ``values``, which fits ``shape``, ``levels(len(values))`` cycles later."""
    values = list(values)
    for level in range(levels(len(values))):
        sums = []
        for place in range(0, len(values), RADIX):
            total = tree(values[place : place + RADIX])
            register = Signal(total.shape(), name=f"sum_{level}_{place // RADIX}", reset_less=True)
            m.d.sync += register.eq(total)
            sums.append(register)
        values = sums
    (total,) = values
    result = Signal(shape, name="sum")
    m.d.comb += result.eq(total)
    return result


def _words(value, format: Format):
    count = len(value) // format.width
    words = [value.word_select(place, format.width) for place in range(count)]
    return [word.as_signed() if format.signed else word for word in words]


class Sum(wiring.Component):
    """``i``, ``terms`` unsigned numbers of ``width`` bits side by side -> their sum ``o``."""

    def __init__(self, *, terms: int, width: int):
        self.terms, self.width, self.latency = terms, width, levels(terms)
        self.o_width = (terms * ((1 << width) - 1)).bit_length()
        super().__init__({"i": In(terms * width), "o": Out(self.o_width)})

    def elaborate(self, platform):
        m = Module()
        words = _words(self.i, Format(self.width, signed=False))
        m.d.comb += self.o.eq(registered_sum(m, words, unsigned(self.o_width)))
        return m


class DotProduct(wiring.Component):
    """``terms`` numbers of ``a`` times as many of ``b``, side by side -> their exact sum ``o``."""

    def __init__(self, *, terms: int, a_format: Format, b_format: Format):
        self.terms, self.a_format, self.b_format = terms, a_format, b_format
        self.latency, self.o_width = levels(terms), accumulator_width(a_format, b_format, terms)
        super().__init__(
            {
                "a": In(terms * a_format.width),
                "b": In(terms * b_format.width),
                "o": Out(signed(self.o_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pairs = zip(_words(self.a, self.a_format), _words(self.b, self.b_format), strict=True)
        products = [a * b for a, b in pairs]
        m.d.comb += self.o.eq(registered_sum(m, products, signed(self.o_width)))
        return m
