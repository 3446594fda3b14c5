"""The plain multiply-accumulate: ``*`` and ``+``, left to the synthesis tool."""

from amaranth.hdl import Module

from ..arith.adders import tree
from .base import Dot, Pe

# Plain facts, read without importing Amaranth (hw/catalog.py).
FACTS = {
    "name": "mac",
    "title": "Plain multiplier",
    "saturates_in_array": True,
    "summary": "`*` and `+`: whatever multiplier the synthesis tool or DSP block gives.",
}


class MacDot(Dot):
    """``o = c + sum(a[d] * b[d])`` modulo ``2**width``; products in a balanced adder tree."""

    def elaborate(self, platform):
        m = Module()
        products = [a * b for a, b in zip(self.numbers("a"), self.numbers("b"), strict=True)]
        m.d.comb += self.o.eq(self.c.as_signed() + tree(products))
        return m


class MacPe(Pe):
    """Operands travel as they are; the state is the two's-complement sum."""

    dot_class = MacDot
