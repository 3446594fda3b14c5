"""What the PEs have in common that recode one operand at the array's edge."""

from dataclasses import dataclass

from amaranth.hdl import Module

from ..arith.compress import Operand, total
from ..formats import Format
from .base import Dot, Pe


class RecodedDot(Dot):
    """``o = c + sum(a[d] * b[d])`` modulo ``2**width``: all partial products of all terms, and the
    accumulator, compressed together in front of a single carry-propagate adder.
    """

    def elaborate(self, platform):
        m = Module()
        operands = [Operand(self.c, False), *self.partial_products(m)]
        m.d.comb += self.o.eq(total(m, operands, self.width))
        return m

    def partial_products(self, m):
        """Operands for :mod:`..arith.compress` whose sum is that of the ``depth`` products."""
        plain = "b" if self.pe.encode == "a" else "a"
        rows = []
        lanes = zip(self.inner(self.pe.encode), self.inner(plain), strict=True)
        for d, (code, other) in enumerate(lanes):
            rows += self.pe.recoding.partial_products(
                m, code, other, getattr(self.pe, plain), name=f"pp_{d}_"
            )
        return rows


@dataclass(frozen=True)
class RecodedPe(Pe):
    """``encode``: which operand is recoded, at the left (``a``) or at the top edge (``b``; where B
    stays in the array, as it is loaded). The recoders have a register behind them."""

    encode: str = "a"

    dot_class = RecodedDot
    edge_latency = 1

    @property
    def recoded(self) -> Format:
        """The format of the recoded operand."""
        return getattr(self, self.encode)
