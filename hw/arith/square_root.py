"""Integer square root, one bit of the result per cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SquareRoot(wiring.Component):
    """``o = floor(sqrt(i))``, bit-serial, restoring.

    ``i``: ``width`` bits, an even number. ``start`` with ``i`` in cycle t: ``o`` in cycle
    t + ``latency`` = t + width / 2, for that cycle. Two bits of ``i`` are brought down per step.
    """

    def __init__(self, *, width: int):
        if width < 2 or width % 2:
            raise ValueError(f"width must be even and at least 2, not {width}")
        self.width, self.latency = width, width // 2
        super().__init__({"start": In(1), "i": In(width), "o": Out(width // 2)})

    def elaborate(self, platform):
        m = Module()
        bits = self.width // 2
        radicand = Signal(self.width, reset_less=True)
        root = Signal(bits, reset_less=True)
        # At most twice the root: what is left of the digits brought down so far.
        rest = Signal(bits + 1, reset_less=True)
        digits = Signal(self.width, name="digits")
        so_far = Signal(bits, name="so_far")
        brought = Signal(bits + 3)
        less = Signal(bits + 4)
        m.d.comb += [
            digits.eq(Mux(self.start, self.i, radicand)),
            so_far.eq(Mux(self.start, 0, root)),
            brought.eq(Cat(digits[-2:], Mux(self.start, 0, rest))),
            # The root with one more bit, squared, is larger by 4 root + 1.
            less.eq(brought - Cat(1, 0, so_far)),
        ]
        fits = ~less[-1]
        m.d.sync += [
            radicand.eq(digits << 2),
            root.eq(Cat(fits, so_far)),
            rest.eq(Mux(fits, less, brought)),
        ]
        m.d.comb += self.o.eq(root)
        return m
