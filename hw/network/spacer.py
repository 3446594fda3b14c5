"""What stands between two streamed samples: none of their steps may fall into the other."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..stream import RowQueue

__all__ = ["Spacer"]


class Spacer(wiring.Component):
    """Tokens in, tokens out. Behind a sample's last one there are steps in line buffers still,
    which may be the next sample's, but not with a pause between these. So its first token waits
    until they are over, or until so many tokens are here that there will be no pause. With tokens
    in every cycle it waits at first; from then on as many are here, and none waits again.

    Parameters
    ----------
    width : int
        Bits of a token.
    tokens : int
        Tokens of a sample.
    unbroken : int
        Cycles behind a sample's last token that have such steps.
    pause : int
        Cycles in which the next sample's must not come at all.

    Attributes
    ----------
    i_data, i_valid, i_ready : a stream of tokens in
    room : In
        There is room for whatever ``unbroken`` tokens and all before them lead to.
    o_data, o_valid : a stream out, which is never refused
    last : Out
        ``o_data`` is a sample's last token.
    """

    def __init__(self, *, width: int, tokens: int, unbroken: int, pause: int):
        self.width, self.tokens, self.unbroken, self.pause = width, tokens, unbroken, pause
        super().__init__(
            {
                "i_data": In(width),
                "i_valid": In(1),
                "i_ready": Out(1),
                "room": In(1),
                "o_data": Out(width),
                "o_valid": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place = Signal(range(max(self.tokens, 2)))
        m.d.comb += self.last.eq(place == self.tokens - 1)
        with m.If(self.o_valid):
            m.d.sync += place.eq(Mux(self.last, 0, place + 1))
        if self.unbroken == self.pause == 0:
            m.d.comb += [
                self.i_ready.eq(self.room),
                self.o_data.eq(self.i_data),
                self.o_valid.eq(self.i_valid & self.room),
            ]
            return m
        depth = 1 << (self.unbroken + 1).bit_length()
        m.submodules.queue = queue = RowQueue(width=self.width, depth=depth)
        level, released = Signal(range(depth + 1)), Signal()
        m.d.comb += [
            self.i_ready.eq(level != depth),
            queue.i_data.eq(self.i_data),
            queue.i_valid.eq(self.i_valid & self.i_ready),
            queue.o_ready.eq(released),
            self.o_data.eq(queue.o_data),
            self.o_valid.eq(queue.o_valid & released),
        ]
        m.d.sync += level.eq(level + queue.i_valid - self.o_valid)
        since, run = self._since(m)
        first = place == 0
        allowed = (since >= self.pause) & (since + level >= self.unbroken)
        m.d.comb += released.eq((run != 0) | (self.room & (~first | allowed)))
        with m.If(self.o_valid & first & (run == 0)):
            m.d.sync += run.eq(Mux(since < self.unbroken, self.unbroken - since - 1, 0))
        with m.Elif(run != 0):
            m.d.sync += run.eq(run - 1)
        return m

    def _since(self, m):
        """Cycles since a sample's last token, no more than matter; and how many tokens must still
        follow at once."""
        most = max(self.unbroken, self.pause)
        since, run = Signal(range(most + 1), init=most), Signal(range(self.unbroken + 1))
        with m.If(self.o_valid & self.last):
            m.d.sync += since.eq(0)
        with m.Elif(since != most):
            m.d.sync += since.eq(since + 1)
        return since, run
