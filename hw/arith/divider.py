"""A restoring divider, two bits of the quotient per cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class ReciprocalDivider(wiring.Component):
    """``o = floor(2**(width - 1 + precision) / i)`` of an ``i`` whose highest bit is set.

    ``o`` has ``precision + 1`` bits, an even number. ``start`` with ``i`` in cycle t: ``o`` in
    cycle t + ``latency`` = t + (precision + 1) / 2. ``i`` is held meanwhile; without its highest
    bit ``o`` means nothing.
    """

    def __init__(self, *, width: int, precision: int):
        if precision < 1 or not precision % 2:
            raise ValueError(f"precision must be an odd positive integer, not {precision}")
        self.width, self.precision = width, precision
        self.latency = (precision + 1) // 2
        super().__init__({"start": In(1), "i": In(width), "o": Out(precision + 1)})

    def elaborate(self, platform):
        m = Module()
        # Before each step the remainder is below 2 i: twice what is left of the step before.
        remainder = Signal(self.width + 1, reset_less=True)
        quotient = Signal.like(self.o, reset_less=True)
        current = Mux(self.start, 1 << (self.width - 1), remainder)
        found = []
        for step in range(2):
            of = Signal(self.width + 1, name=f"remainder_{step}")
            less = Signal(self.width + 2, name=f"difference_{step}")
            m.d.comb += [of.eq(current), less.eq(of - self.i)]
            fits = ~less[-1]
            found.insert(0, fits)
            current = Mux(fits, less[: self.width], of[: self.width]) << 1
        m.d.sync += [remainder.eq(current), quotient.eq(Cat(*found, quotient))]
        m.d.comb += self.o.eq(quotient)
        return m
