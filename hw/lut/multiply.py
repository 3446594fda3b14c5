"""Dequantise, then multiply and accumulate: the baseline.

A column's register holds numbers of the activations' width, one for each weight; what multiplies
them is any PE of the GEMM engine (:mod:`..pe`).
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module

from ..cells import shared
from ..formats import Format
from ..pe import REGISTRY
from ..pe.base import Dot, Pe, recode
from ..weights import Coding
from .base import Edge, Front, LowBitPe


class Dequantise(Edge):
    """Codes -> odd integers q' (of ternary weights twice the number), as the inner PE takes them.

    2q + 1 - 2**W is q with a 1 below and its highest bit inverted: no adder."""

    def elaborate(self, platform):
        m = Module()
        pe, k = self.pe, self.pe.k
        codes = []
        for n in range(k):
            planes = [self.i[plane * k + n] for plane in range(pe.b.width)]
            if pe.b.coding is Coding.TERNARY:
                p, n_ = planes
                bits = Cat(0, ~(p ^ n_), ~(p & n_) & ~(p ^ n_))
            else:
                bits = Cat(1, *planes[:-1], ~planes[-1])
            missing = pe.inner.b.width - len(bits)
            bits = Cat(bits, bits[-1].replicate(missing))
            codes.append(bits & self.valid.replicate(len(bits)))
        m.d.comb += self.o.eq(Cat(recode(m, pe.inner, "b", codes, "recoder")))
        return m


class InnerRow(Front):
    """Activations as the inner PE takes them."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        lanes = [self.i.word_select(n, pe.a.width) for n in range(pe.k)]
        m.d.comb += self.o.eq(Cat(recode(m, pe.inner, "a", lanes, "recoder")))
        return m


class MultiplyDot(Dot):
    """The inner PE's dot product of ``k`` terms."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.dot = dot = shared(
            pe.inner.dot_class, pe=pe.inner, depth=pe.k, width=self.width
        )
        m.d.comb += [dot.a.eq(self.a), dot.b.eq(self.b), dot.c.eq(self.c), self.o.eq(dot.o)]
        return m


@dataclass(frozen=True)
class MultiplyPe(LowBitPe):
    """``multiplier``: which PE of the GEMM engine, by its name; it gets all planes at once."""

    multiplier: str = "mac"

    dot_class = MultiplyDot
    front_class = InnerRow
    edge_class = Dequantise

    def __post_init__(self):
        super().__post_init__()
        if self.serial:
            raise ValueError("multipliers take all planes of a weight at once")

    @property
    def inner(self) -> Pe:
        weights = Format(max(self.a.width, self.b.width + 1))
        return REGISTRY[self.multiplier](self.a, weights).summing(self.k)

    @property
    def words(self):
        return self.inner.words

    @property
    def resolve_latency(self):
        return self.inner.resolve_latency

    @property
    def resolve_class(self):
        return self.inner.resolve_class

    def carries(self, width):
        return self.inner.carries(width)

    @property
    def row_bits(self):
        return self.k * self.inner.inner_width("a")

    @property
    def column_bits(self):
        return self.k * self.inner.inner_width("b")

    def row_sum(self, m, row):
        if self.inner.recoding is not None and self.inner.encode == "a":
            raise ValueError(f"{self.multiplier} keeps codes in the rows, which have no sum")
        return super().row_sum(m, row)
