"""What the bit-weight serial PEs have in common: one digit of an operand at a time.

They do not fit the combinational ``dot`` of the other PEs: their state is one *pass*, the sum over
K of the multiples that digits of one weight select, before any shift. The array ``digit_serial``
(:mod:`..array.serial`) is built for them.
"""

from dataclasses import dataclass

from ..arith.booth import BoothRecoding
from ..arith.ent import EntRecoding
from .base import Pe

LINES = 3
"""Select lines per digit: one, two, neg."""


@dataclass(frozen=True)
class SerialPe(Pe):
    """``lanes``: digits that one PE takes per cycle; ``sparse``: whether zero digits are skipped;
    ``group``: operands of A that a PE is given at once, recodes and searches itself (0: it is given
    digits, which the row's edge has found).

    Digit ``i`` of every operand of A belongs to pass ``i``. Lane ``k % lanes`` takes element ``k``,
    or place ``k % group`` of group ``k // group`` holds it.
    """

    digits: str = "ent"

    lanes = 1
    sparse = True
    group = 0
    words = 2
    edge_latency = 1
    resolve_latency = 1

    @property
    def recoding(self):
        if self.digits == "booth":
            return BoothRecoding(self.a)
        return EntRecoding(self.a, form="sign_magnitude")

    @property
    def weight_bits(self) -> int:
        """Bits of a pass's number."""
        return max((self.recoding.n_digits - 1).bit_length(), 1)

    @property
    def banks(self) -> int:
        """Operands of B that a PE is given at once: of every lane, or of a whole group."""
        return self.group or self.lanes

    @property
    def select_width(self) -> int:
        """Bits by which a row of A tells its PEs what to add: the digits of every lane, or a group
        of operands, their weight and two strobes (:mod:`..array.group_cell`)."""
        if self.group:
            return self.group * self.a.width + self.weight_bits + 2
        return self.lanes * LINES

    def blocks(self, k: int) -> int:
        """Places per lane, or groups, that ``k`` elements need."""
        return -(-k // self.banks)

    def pass_width(self, k: int) -> int:
        """Bits of the sum and of the carry of a pass over up to ``k`` elements.

        A digit is at most 2 in magnitude, and -2 times the most negative operand is positive:
        the range is symmetric, ``-2 * k * |b|`` to ``+2 * k * |b|``.
        """
        most = max(-self.b.min, self.b.max)
        return (2 * k * most).bit_length() + 1
