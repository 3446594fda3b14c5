"""Dequantise, then multiply and accumulate floating-point numbers: the baseline of their tables.

The cheapest such PE with the same accumulator: products and their sum are rounded in the
activations' format, as a table's entries are, so that the accumulator adds once for all of them.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.float_add import FloatAdd
from ..arith.float_convert import FloatNormalise
from ..arith.float_multiply import FloatMultiply
from ..cells import shared
from .base import Edge
from .float_sum import FloatPe, kept


class FloatDequantise(Edge):
    """Codes -> odd integers q' as numbers of the activations' format, +0 of no weights."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        found = []
        for n in range(pe.k):
            planes = Cat(self.i[plane * pe.k + n] for plane in range(pe.b.width))
            number = Signal(pe.a.width, name=f"number_{n}")
            with m.Switch(planes):
                for bits in range(1 << pe.b.width):
                    odd = sum(
                        (1 if bits >> plane & 1 else -1) << shift
                        for plane, shift in enumerate(pe.b.shifts)
                    )
                    with m.Case(bits):
                        m.d.comb += number.eq(pe.a.code(odd))
            found.append(number & self.valid.replicate(pe.a.width))
        m.d.comb += self.o.eq(Cat(*found))
        return m


class FloatMultiplyProducts(wiring.Component):
    """Products, added up in halves as a table's elements are, in their order.

    Ports: ``a`` and ``b`` as of the PE's dot; ``o``, a code of ``pe.product_format``; ``negate``,
    never set.
    """

    sequential = False

    def __init__(self, *, pe: "FloatMultiplyPe"):
        self.pe = pe
        super().__init__(
            {
                "a": In(pe.inner_width("a")),
                "b": In(pe.inner_width("b")),
                "negate": Out(1),
                "o": Out(pe.product_format.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, width = self.pe, self.pe.a.width
        products = []
        for n in range(pe.k):
            m.submodules[f"multiply_{n}"] = multiply = shared(FloatMultiply, format=pe.a)
            m.d.comb += [
                multiply.i.eq(self.a.word_select(n, width)),
                multiply.c.eq(self.b.word_select(n, width)),
            ]
            products.append(multiply.o)
        m.submodules.normalise = normalise = shared(FloatNormalise, format=pe.a, to=kept(pe.a))
        # A weight is odd and never 0: where one is, there are none, and infinity times it must not
        # make NaN of the sum.
        some = self.b[:width][:-1].any()
        m.d.comb += [
            normalise.i.eq(self._sum(m, products, "sum")),
            self.o.eq(normalise.o & some.replicate(len(self.o))),
        ]
        return m

    def _sum(self, m, terms: list, name: str):
        if len(terms) == 1:
            return terms[0]
        cut = len(terms) - len(terms) // 2
        m.submodules[name] = add = shared(FloatAdd, format=self.pe.a)
        m.d.comb += [
            add.i.eq(self._sum(m, terms[:cut], f"{name}_l")),
            add.c.eq(self._sum(m, terms[cut:], f"{name}_h")),
        ]
        return add.o


@dataclass(frozen=True)
class FloatMultiplyPe(FloatPe):
    """Weights as numbers of the activations' format, all planes at once."""

    edge_class = FloatDequantise
    products_class = FloatMultiplyProducts

    def __post_init__(self):
        super().__post_init__()
        if self.serial:
            raise ValueError("multipliers take all planes of a weight at once")
        self.a.code(self.b.reach)  # or there is no such number

    @property
    def column_bits(self):
        return self.k * self.a.width

    def row_sum(self, m, row):
        raise ValueError("beside multipliers of floats there is no sum of activations")
