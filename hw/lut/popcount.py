"""Bit-serial in both operands: AND, count, shift, accumulate (BISMO, FPL 2018).

Activations come plane by plane, too: ``k`` bits and whether the plane is their sign's, which counts
negatively. One product of planes per cycle; shifts of both are added up outside.
"""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal

from ..arith.compress import Operand, total
from ..cells import shared
from ..pe.base import Dot
from .base import LowBitPe
from .table import TableAdd


class PopcountDot(Dot):
    """``o = c ± (popcount(a & b) << shift)`` modulo ``2**width``."""

    def elaborate(self, platform):
        m = Module()
        pe, k = self.pe, self.pe.k
        both = Signal(k, name="both")
        m.d.comb += both.eq(self.a[:k] & self.b[:k])
        size = k.bit_length()
        count = total(m, [Operand(bit, False) for bit in both], size)
        # A bit above the largest count, for the sign.
        value = Signal(size + 1 + pe.largest_shift, name="value")
        negate = self.a[k]
        m.submodules.add = add = shared(TableAdd, width=self.width, i_width=len(value))
        m.d.comb += [
            value.eq(count << self.b[k:]),
            add.i.eq(value ^ negate.replicate(len(value))),
            add.carry.eq(negate),
            add.c.eq(self.c),
            self.o.eq(add.o),
        ]
        return m


@dataclass(frozen=True)
class PopcountPe(LowBitPe):
    """``serial`` is how it works: a product of planes per cycle."""

    serial: bool = True

    dot_class = PopcountDot
    reinterpreted = False

    def __post_init__(self):
        super().__post_init__()
        if not self.serial:
            raise ValueError("popcount takes one plane of weights and activations per cycle")

    @property
    def cycles(self):
        return self.b.width * self.a.width

    @property
    def largest_shift(self) -> int:
        return self.a.width - 1 + max(self.b.shifts)

    @property
    def shift_bits(self):
        return self.largest_shift.bit_length()

    @property
    def slice_bits(self):
        return self.k + 1

    def row_sum(self, m, row):
        raise ValueError("popcount has only planes of activations, and no sum of them")
