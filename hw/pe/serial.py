"""What the bit-weight serial PEs have in common: one digit of an operand at a time.

They do not fit the combinational ``dot`` of the other PEs: digits of one weight come after each
other for the whole of K, and the sum of all is shifted where the next lower weight begins. The
array ``digit_serial`` (:mod:`..array.serial`) is built for them.
"""

import functools
from dataclasses import dataclass

from ..arith.booth import BoothRecoding
from ..arith.csd import CsdRecoding
from ..arith.ent import EntRecoding
from .base import Pe

LINES = 3
"""Select lines per digit: one, two, neg."""

RECODINGS = {
    "csd": CsdRecoding,
    "ent": functools.partial(EntRecoding, form="sign_magnitude"),
    "booth": BoothRecoding,
}
"""How ``digits`` are made; of EN-T's forms the one with fewer nonzero digits."""


@dataclass(frozen=True)
class SerialPe(Pe):
    """``lanes``: digits that one PE takes per cycle; ``sparse``: whether zero digits are skipped;
    ``group``: operands of A that a PE is given at once, recodes and searches itself (0: it is given
    digits, which the row's edge has found).

    Digit ``i`` of every operand of A has weight ``4**i``. Lane ``k % lanes`` takes element ``k``,
    or place ``k % group`` of group ``k // group`` holds it.
    """

    digits: str = "csd"

    lanes = 1
    sparse = True
    group = 0
    words = 2
    edge_latency = 1
    resolve_latency = 1

    @property
    def recoding(self):
        return RECODINGS[self.digits](self.a)

    @property
    def weight_bits(self) -> int:
        """Bits of a weight's number."""
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

    @property
    def latency(self) -> int:
        """Cycles from digits, or the step to one of a group, to the state that has them: the digit
        that was found or the sum of several lanes' multiples, multiples, the state."""
        return 3 if self.group or self.lanes > 1 else 2

    @property
    def read_latency(self) -> int:
        """Cycles from a grant to that in which the PEs add the tile's last digits. A row asks a
        cycle before these leave; where only the PEs know which are the last, a cycle after."""
        return self.latency - 2 if self.group else self.latency

    def blocks(self, k: int) -> int:
        """Places per lane, or groups, that ``k`` elements need."""
        return -(-k // self.banks)

    def state_width(self, k: int, width: int) -> int:
        """Bits of a sum of up to ``k`` products of which only ``width`` are wanted: what the sum
        needs, if that is less."""
        largest = [max(-operand.min, operand.max) for operand in (self.a, self.b)]
        return min((k * largest[0] * largest[1]).bit_length() + 1, width)
