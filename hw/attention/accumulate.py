"""A running sum that is renormalised by shifts, as is what is added to it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format

__all__ = ["ShiftAccumulator"]


class ShiftAccumulator(wiring.Component):
    """``o = (0 if first else floor(o / 2**shift)) + round(i / 2**align)``, halves up, at the end
    of a cycle with ``en``.

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
                "align": In(shift_bits),
                "i": In(shape(i_format.width)),
                "o": Out(shape(o_format.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal.like(self.o, name="state", reset_less=True)
        kept = Signal.like(self.o, name="kept")
        # Aligned with one place more, which rounds as the sum's carry.
        shape = signed if self.i_format.signed else unsigned
        below = Signal(shape(self.i_format.width + 1), name="below")
        aligned = Signal.like(below, name="aligned")
        total = Signal(shape(self.o_format.width + 1), name="total")
        m.d.comb += [
            kept.eq(Mux(self.first, 0, state >> self.shift)),
            below.eq(Cat(Const(0, 1), self.i)),
            aligned.eq(below >> self.align),
            total.eq(_numbers(Cat(aligned[0], kept), shape) + aligned),
            self.o.eq(state),
        ]
        with m.If(self.en):
            m.d.sync += state.eq(total[1:])
        return m


def _numbers(bits, shape):
    """``bits`` as a number, signed or not."""
    return bits.as_signed() if shape is signed else bits
