"""OPT1: partial products and a carry-save accumulator in one tree; the carry-propagate add is left
to the drain (bit-weight tensor engines, HPCA 2025, arXiv 2503.06342, section III-A)."""

from dataclasses import dataclass, replace

from amaranth.hdl import Module

from ..arith.booth import BoothRecoding
from ..arith.csd import CsdRecoding
from ..arith.ent import EntRecoding
from ..arith.redundant import GUARD, accumulate
from .recoded import RecodedDot, RecodedPe

FACTS = {
    "name": "opt1",
    "title": "Carry-save accumulation",
    "saturates_in_array": False,
    "summary": "Recoder at the edge, compressor tree in the PE, the carry-propagate add at the "
    "drain (OPT1).",
    "edge_latency": 1,
    "resolve_latency": 2,
    "options": {
        "encode": {
            "allowed": ["a", "b"],
            "default": "a",
            "description": "Which operand is recoded at the array's edge.",
        },
        "digits": {
            "allowed": ["ent", "csd", "booth"],
            "default": "ent",
            "description": "-1 to 2 in n+1 bits (EN-T); or -2 to 2 in 3n/2: the fewest nonzero "
            "(canonical signed digits, csd), or without a carry (modified Booth).",
        },
    },
}

RECODINGS = {"ent": EntRecoding, "csd": CsdRecoding, "booth": BoothRecoding}


MARGIN = 1
"""Carries above those that a product can reach: what goes up from them is known earlier."""


class Opt1Dot(RecodedDot):
    """``o = c + sum(a[d] * b[d])`` modulo ``2**width``, ``c`` and ``o`` {sum, carry} pairs: all
    partial products of all terms and both vectors of the accumulator in one tree, no carry chain.
    """

    def elaborate(self, platform):
        m = Module()
        products = self.partial_products(m)
        carries = self.pe.carries(self.width)
        m.d.comb += self.o.eq(accumulate(m, self.c, products, self.width, carries))
        return m


@dataclass(frozen=True)
class Opt1Pe(RecodedPe):
    """The critical path is select, compress, register, whatever the accumulator's width."""

    digits: str = "ent"
    terms: int = 0
    """Products that are added at a time, at most; 0: not known, a carry for every bit."""

    dot_class = Opt1Dot
    words = 2
    resolve_latency = 2

    def summing(self, depth):
        return replace(self, terms=depth)

    def carries(self, width):
        if not self.terms:
            return width
        largest = self.terms * max(-self.a.min, self.a.max) * max(-self.b.min, self.b.max)
        carries = (largest - 1).bit_length() + 2 + MARGIN
        return carries if width - carries > GUARD else width

    @property
    def recoding(self):
        return RECODINGS[self.digits](self.recoded)
