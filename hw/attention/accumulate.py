"""A running sum that is renormalised by shifts."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format

__all__ = ["ShiftAccumulator"]


class ShiftAccumulator(wiring.Component):
    """``o = (0 if first else floor(o / 2**shift)) + i`` at the end of a cycle with ``en``.

    ``i`` and ``o`` are of ``i_format`` and ``o_format``, both signed or both not. Sums that leave
    ``o_format`` wrap: it is for whoever chose the formats to know that there are none.
    """

    def __init__(self, *, i_format: Format, o_format: Format, shift_bits: int):
        if i_format.signed != o_format.signed:
            raise ValueError(f"{i_format} and {o_format} must both be signed or both not")
        self.i_format, self.o_format, self.shift_bits = i_format, o_format, shift_bits
        shape = signed if o_format.signed else unsigned
        super().__init__(
            {
                "en": In(1),
                "first": In(1),
                "shift": In(shift_bits),
                "i": In(shape(i_format.width)),
                "o": Out(shape(o_format.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal.like(self.o, name="state", reset_less=True)
        kept = Signal.like(self.o, name="kept")
        m.d.comb += [kept.eq(Mux(self.first, 0, state >> self.shift)), self.o.eq(state)]
        with m.If(self.en):
            m.d.sync += state.eq(kept + self.i)
        return m
