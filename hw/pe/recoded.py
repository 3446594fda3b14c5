"""What the PEs have in common that recode one operand at the array's edge."""

from dataclasses import dataclass

from .base import Dot, Pe


class RecodedDot(Dot):
    """Base of their arithmetic: partial products from the digits of the coded operand."""

    def partial_products(self, m):
        """Operands for :mod:`..arith.compress` whose sum is that of the ``depth`` products."""
        plain = "b" if self.pe.encode == "a" else "a"
        lanes = zip(self.inner(self.pe.encode), self.inner(plain), strict=True)
        rows = []
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

    edge_latency = 1

    @property
    def recoded(self):
        """The format of the recoded operand."""
        return getattr(self, self.encode)
