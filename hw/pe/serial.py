"""What the bit-weight serial PEs have in common: one digit of an operand at a time.

They do not fit the combinational ``dot`` of the other PEs: digits of one weight come after each
other for the whole of K, and the sum of all is shifted where the next lower weight begins. The
array ``digit_serial`` (:mod:`..array.serial`) is built for them.
"""

from dataclasses import dataclass

from ..arith.booth import BoothRecoding
from ..arith.ent import EntRecoding
from .base import Pe


@dataclass(frozen=True)
class SerialPe(Pe):
    """``lanes``: digits that one PE takes per cycle; ``sparse``: whether zero digits are skipped.

    Digit ``i`` of every operand of A has weight ``4**i``. Lane ``k % lanes`` takes element ``k``.
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

    @property
    def latency(self) -> int:
        """Cycles from digits to the state that has them: multiples, the sum of several lanes'
        multiples, the state."""
        return 2 if self.lanes == 1 else 3

    def blocks(self, k: int) -> int:
        """Places per lane that ``k`` elements need."""
        return -(-k // self.lanes)

    def state_width(self, k: int, width: int) -> int:
        """Bits of a sum of up to ``k`` products of which only ``width`` are wanted: what the sum
        needs, if that is less."""
        largest = [max(-operand.min, operand.max) for operand in (self.a, self.b)]
        return min((k * largest[0] * largest[1]).bit_length() + 1, width)
