"""Floating-point addition, rounded to nearest, ties to even.

The textbook's single path (Muller et al., Handbook of Floating-Point Arithmetic, section 8.3): the
smaller magnitude is aligned with three more bits, the last of them sticky; the sum is normalised
as far as the exponent goes, so that subnormals need no path of their own.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..floats import FloatFormat
from .float_fields import fields, normalised, rounded, sticky_shifted

GUARD = 3
"""Bits below those of the larger number: guard, round, sticky."""


class FloatAdd(wiring.Component):
    """``o = i + c``, all codes of ``format``. Combinational.

    Subnormals as any number. An exact sum of 0 is +0, or -0 of two of them. Beyond the largest
    number: infinity. NaN of an operand, or of infinities that cancel, is ``format.nan``.
    """

    sequential = False

    def __init__(self, *, format: FloatFormat):
        self.format = format
        super().__init__({name: flow(format.width) for name, flow in
                          (("i", In), ("c", In), ("o", Out))})  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        format = self.format
        large, small = self._ordered(m)
        subtract = Signal()
        m.d.comb += subtract.eq(large.sign ^ small.sign)
        wide = len(large.whole) + GUARD + 1  # a bit for the carry, above
        distance = Signal(format.exponent)
        m.d.comb += distance.eq(large.place - small.place)
        aligned = sticky_shifted(m, Cat(Const(0, GUARD), small.whole), distance, "aligned")
        addend = Cat(aligned, 0) ^ subtract.replicate(wide)
        both = Cat(1, Const(0, GUARD), large.whole, 0) + Cat(subtract, addend)
        total = Signal(wide)
        m.d.comb += total.eq(both[1:])
        # The carry's place is one above the larger exponent's.
        leading, place = normalised(m, total, large.place + 1, format)
        sign = large.sign & ~(subtract & ~total.any())
        nan = large.special & (large.fraction.any() | small.special & subtract)
        finite = rounded(m, sign, place, leading, format)
        special = Cat(Const(0, format.fraction), Const(format.special, format.exponent), large.sign)
        m.d.comb += self.o.eq(Mux(nan, format.nan, Mux(large.special, special, finite)))
        return m

    def _ordered(self, m):
        """Fields of the operand with the larger magnitude, and of the other."""
        swap, found = Signal(), []
        m.d.comb += swap.eq(self.i[:-1] < self.c[:-1])
        for name, chosen in (
            ("large", Mux(swap, self.c, self.i)), ("small", Mux(swap, self.i, self.c))
        ):  # fmt: skip
            code = Signal(self.format.width, name=name)
            m.d.comb += code.eq(chosen)
            found.append(fields(m, code, self.format))
        return found
