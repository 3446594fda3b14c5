"""The sum of a row's activations, which zero points need: a column of its own, without weights."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux

from ..formats import signed_width
from ..pe.base import Dot
from .base import LowBitPe


class RowSumDot(Dot):
    """``o = c + sum of the slice's activations`` modulo ``2**width`` where ``b`` is set."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        total = pe.of.row_sum(m, self.a)
        m.d.comb += self.o.eq(self.c.as_signed() + Mux(self.b, total, 0))
        return m


@dataclass(frozen=True)
class RowSumPe(LowBitPe):
    """``of``: the PE of the columns beside it, whose rows' registers it reads."""

    of: LowBitPe | None = None

    dot_class = RowSumDot

    @classmethod
    def beside(cls, pe: LowBitPe) -> "RowSumPe":
        return (pe.row_sum_class or cls)(pe.a, pe.b, k=pe.k, of=pe)

    @property
    def row_bits(self):
        return self.of.row_bits

    @property
    def column_bits(self):
        return 1

    def sum_width(self, terms):
        """Bits that hold any sum of ``terms`` activations."""
        return signed_width(terms * self.a.min, terms * self.a.max)
