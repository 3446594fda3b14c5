"""Powers of two of negative logits: a small table and a shift."""

import math
from fractions import Fraction

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .shape import LOGIT

__all__ = ["Exponential", "entries"]


def entries(fraction: int, width: int) -> list[int]:
    """``2**width * 2**(-i / 2**fraction)``, rounded half up, at most ``2**width - 1``."""
    steps = 1 << fraction
    exact = (Fraction(2.0**width * 2.0 ** (-i / steps)) for i in range(steps))
    return [min(math.floor(value + Fraction(1, 2)), (1 << width) - 1) for value in exact]


class Exponential(wiring.Component):
    """``o = 2**(-t / 2**fraction)`` with ``width`` bits after the point, two cycles later.

    ``t``: how far a logit is below some maximum, up to its whole range; where ``counts`` is low it
    may be anything, and ``o`` is 0. Rounded at (2 ``place`` + 1) / (2 ``places``) of the last
    place: what is below that becomes 0. Never stops; nothing is reset.
    """

    latency = 2

    def __init__(self, *, fraction: int, width: int, place: int, places: int):
        if not 0 <= place < places or places & (places - 1):
            raise ValueError(f"place must be 0 to places - 1, and places a power of two, not "
                             f"{place} of {places}")  # fmt: skip
        self.fraction, self.width = fraction, width
        self.place, self.places = place, places
        super().__init__(
            {
                "t": In(LOGIT.width + 1),
                "counts": In(1),
                "o": Out(width),
            }
        )

    @property
    def vanishing(self) -> int:
        """The least shift after which nothing is left of the largest entry, rounded anywhere."""
        return self.width + self.places.bit_length()

    def elaborate(self, platform):
        m = Module()
        whole = Signal(len(self.t) - self.fraction)
        shift = Signal(range(self.vanishing + 1), reset_less=True)
        # Without their highest bit, which is 1.
        entry, half = Signal(self.width - 1, reset_less=True), 1 << (self.width - 1)
        table = Array(Const(e - half, len(entry)) for e in entries(self.fraction, self.width))
        gone = Signal()
        m.d.comb += [
            whole.eq(self.t >> self.fraction),
            gone.eq(~self.counts | (whole >= self.vanishing)),
        ]
        m.d.sync += [
            entry.eq(table[self.t[: self.fraction]]),
            shift.eq(Mux(gone, self.vanishing, whole)),
        ]
        offsets = Array(
            Const(((2 * self.place + 1) << s) // (2 * self.places), self.vanishing)
            for s in range(self.vanishing + 1)
        )
        total = Signal(self.vanishing + 1)
        result = Signal.like(self.o, reset_less=True)
        m.d.comb += [total.eq(Cat(entry, Const(1, 1)) + offsets[shift]), self.o.eq(result)]
        m.d.sync += result.eq(total >> shift)
        return m
