"""The plain multiply-accumulate: ``*`` and ``+``, left to the synthesis tool."""

from amaranth.hdl import Cat, Const, Module

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
        a, b = self.numbers("a"), self.numbers("b")
        if self.depth == 1:
            # The product in the state's width: Verilator then adds it where it is made, instead of
            # keeping it and extending its sign apart. The gates are the same.
            wide = max(self.width - len(b[0]), len(a[0]))
            product = _extended(a[0], wide) * b[0]
            m.d.comb += self.o.eq(self.c.as_signed() + product[: self.width].as_signed())
            return m
        products = [x * y for x, y in zip(a, b, strict=True)]
        m.d.comb += self.o.eq(self.c.as_signed() + tree(products))
        return m


def _extended(value, width: int):
    """``value`` as a number of ``width`` bits."""
    signed, missing = value.shape().signed, width - len(value)
    bits = Cat(value, value[-1].replicate(missing) if signed else Const(0, missing))
    return bits.as_signed() if signed else bits


class MacPe(Pe):
    """Operands travel as they are; the state is the two's-complement sum."""

    dot_class = MacDot
