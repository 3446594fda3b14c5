"""Shift and add: activations where a weight's bit is set, added up in one tree.

As in MixPE (arXiv 2411.16158): sums of codes as they are, dequantised per group afterwards, which
is the engine's last step for all of these PEs.
"""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal

from ..arith.compress import Operand, total
from ..pe.base import Dot
from .base import LowBitPe


class ShiftAddDot(Dot):
    """``o = c + sum(a[n] << shift if bit)`` modulo ``2**width``, over elements and planes."""

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        operands = []
        for plane, place in enumerate(pe.shifts):
            for n in range(pe.k):
                a = self.a.word_select(n, pe.a.width)
                bit = self.b[plane * pe.k + n]
                operands.append(Operand(a & bit.replicate(len(a)), True, place))
        if not pe.shift_bits:
            m.d.comb += self.o.eq(total(m, [Operand(self.c, False), *operands], self.width))
            return m
        # Bit-serial: the plane's sum first, so that one number is shifted.
        width = pe.plane_width
        value = Signal(width + max(pe.b.shifts), name="value")
        plane_sum = total(m, operands, width).as_signed()
        m.d.comb += value.eq(plane_sum << self.b[pe.column_bits :])
        m.d.comb += self.o.eq(self.c.as_signed() + value.as_signed())
        return m


@dataclass(frozen=True)
class ShiftAddPe(LowBitPe):
    dot_class = ShiftAddDot
    reinterpreted = False

    @property
    def plane_width(self) -> int:
        """Bits of a sum of ``k`` activations."""
        return self.a.width + (self.k - 1).bit_length()
