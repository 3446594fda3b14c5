"""Radix-4 modified Booth: operands recoded once at the array's edge, one compressor tree per PE."""

from dataclasses import dataclass

from amaranth.hdl import Module

from ..arith.booth import BoothRecoding
from ..arith.compress import Operand, total
from .recoded import RecodedDot, RecodedPe

FACTS = {
    "name": "booth",
    "title": "Modified Booth",
    "saturates_in_array": False,
    "summary": "Recoder hoisted to the edge; partial products and accumulator in one carry-save "
    "tree and one adder.",
    "edge_latency": 1,
    "options": {
        "encode": {
            "allowed": ["a", "b"],
            "default": "a",
            "description": "Which operand is recoded at the array's edge.",
        },
    },
}


class BoothDot(RecodedDot):
    """``o = c + sum(a[d] * b[d])`` modulo ``2**width``: all partial products of all terms, and the
    accumulator, compressed together in front of a single carry-propagate adder.
    """

    def elaborate(self, platform):
        m = Module()
        operands = [Operand(self.c, False), *self.partial_products(m)]
        m.d.comb += self.o.eq(total(m, operands, self.width))
        return m


@dataclass(frozen=True)
class BoothPe(RecodedPe):
    """Three control lines per radix-4 digit of the recoded operand travel through the array."""

    dot_class = BoothDot

    @property
    def recoding(self):
        return BoothRecoding(self.recoded)
