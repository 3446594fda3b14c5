"""The running maximum of online softmax, and the shifts of what is relative to an older one."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format

__all__ = ["RunningMaximum"]


class RunningMaximum(wiring.Component):
    """One step, combinational: ``o = max(m, c)``, ``shift = o - m`` and ``align = o - c``.

    ``m``: the maximum so far; ``c``: that of the block, both integers of ``maximum``. ``first``:
    of a query's first block, which has no maximum before it: ``o = c``, shifts 0. Both have
    ``shift_bits`` and saturate at all ones; one of them is 0.
    """

    sequential = False

    def __init__(self, *, maximum: Format, shift_bits: int):
        self.maximum, self.shift_bits = maximum, shift_bits
        super().__init__(
            {
                "first": In(1),
                "m": In(signed(maximum.width)),
                "c": In(signed(maximum.width)),
                "o": Out(signed(maximum.width)),
                "shift": Out(shift_bits),
                "align": Out(shift_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rises = Signal(signed(self.maximum.width + 1))
        distance = Signal(self.maximum.width)
        most = (1 << self.shift_bits) - 1
        limited = Signal(self.shift_bits)
        keep = Signal()
        m.d.comb += [
            rises.eq(self.c - self.m),
            distance.eq(Mux(rises < 0, -rises, rises)),
            limited.eq(Mux(distance > most, most, distance)),
            keep.eq(~self.first & (rises < 0)),
            self.o.eq(Mux(keep, self.m, self.c)),
            self.shift.eq(Mux(keep | self.first, 0, limited)),
            self.align.eq(Mux(keep, limited, 0)),
        ]
        return m
