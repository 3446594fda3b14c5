"""What the bit-weight serial PEs have in common: one digit of an operand at a time.

They do not fit the combinational ``dot`` of the other PEs: their state is one *pass*, the sum over
K of the multiples that digits of one weight select, before any shift. The array ``digit_serial``
(:mod:`..array.serial`) is built for them.
"""

from dataclasses import dataclass

from ..arith.booth import BoothRecoding
from ..arith.ent import EntRecoding
from .base import Pe


@dataclass(frozen=True)
class SerialPe(Pe):
    """``lanes``: digits that one PE takes per cycle; ``sparse``: whether zero digits are skipped.

    Digit ``i`` of every operand of A belongs to pass ``i``. Lane ``k % lanes`` takes element ``k``.
    """

    digits: str = "ent"

    lanes = 1
    sparse = True
    words = 2
    edge_latency = 1
    resolve_latency = 1

    @property
    def recoding(self):
        if self.digits == "booth":
            return BoothRecoding(self.a)
        return EntRecoding(self.a, form="sign_magnitude")

    def blocks(self, k: int) -> int:
        """Places per lane that ``k`` elements need."""
        return -(-k // self.lanes)

    def pass_width(self, k: int) -> int:
        """Bits of the sum and of the carry of a pass over up to ``k`` elements.

        A digit is at most 2 in magnitude, and -2 times the most negative operand is positive:
        the range is symmetric, ``-2 * k * |b|`` to ``+2 * k * |b|``.
        """
        most = max(-self.b.min, self.b.max)
        return (2 * k * most).bit_length() + 1
