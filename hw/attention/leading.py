"""Leading zeros of a positive number, and the number without them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Normalise"]


class Normalise(wiring.Component):
    """``i``, ``width`` bits -> ``mantissa``, shifted left until its highest bit is set, and
    ``bits``, how many ``i`` has, at least ``least``; of fewer both mean nothing. Combinational: a
    barrel shifter."""

    sequential = False

    def __init__(self, *, width: int, least: int = 1):
        self.width, self.least = width, least
        super().__init__({"i": In(width), "mantissa": Out(width), "bits": Out(range(width + 1))})

    def elaborate(self, platform):
        m = Module()
        width, aligned, zeros = self.width, self.i, []
        for place in reversed(range((width - self.least).bit_length())):
            zero = Signal(name=f"zeros_{place}")
            shifted = Signal(width, name=f"aligned_{place}")
            m.d.comb += [
                zero.eq(~aligned[width - (1 << place) :].any()),
                shifted.eq(Mux(zero, aligned << (1 << place), aligned)),
            ]
            aligned = shifted
            zeros.insert(0, zero)
        m.d.comb += [self.mantissa.eq(aligned), self.bits.eq(width - Cat(zeros))]
        return m
