"""A queue that gives the beats of a block when it has the whole of it."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..formats import Format
from ..stream import RowQueue

__all__ = ["BlockQueue"]


class BlockQueue(wiring.Component):
    """Beats of ``width`` bits with a number ``highest`` each -> the same beats, with their block's.

    A block is the beats up to one with ``i_end``. Its first beat comes out in the cycle in which
    that one goes in, or later: ``o_valid``, ``o_data`` and ``o_highest``, the maximum over its
    block's beats. As of :class:`..stream.RowQueue` the producer never exceeds ``depth`` beats.
    """

    def __init__(self, *, width: int, depth: int, maximum: Format):
        self.width, self.depth, self.maximum = width, depth, maximum
        super().__init__(
            {
                "i_valid": In(1),
                "i_end": In(1),
                "i_data": In(width),
                "i_highest": In(signed(maximum.width)),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(width),
                "o_highest": Out(signed(maximum.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.beats = beats = shared(RowQueue, width=self.width + 1, depth=self.depth)
        m.submodules.blocks = blocks = shared(RowQueue, width=self.maximum.width, depth=self.depth)
        # The maximum of the block's beats so far, which counts unless a block begins.
        so_far = Signal(signed(self.maximum.width), reset_less=True)
        begun = Signal()
        highest = Signal(signed(self.maximum.width))
        with m.If(self.i_valid):
            m.d.sync += [so_far.eq(highest), begun.eq(~self.i_end)]
        given = Signal()
        end = beats.o_data[-1]
        m.d.comb += [
            highest.eq(Mux(begun & (so_far > self.i_highest), so_far, self.i_highest)),
            beats.i_valid.eq(self.i_valid),
            beats.i_data.eq(Cat(self.i_data, self.i_end)),
            blocks.i_valid.eq(self.i_valid & self.i_end),
            blocks.i_data.eq(highest),
            # A beat whose block is whole is there itself.
            self.o_valid.eq(blocks.o_valid),
            given.eq(self.o_valid & self.o_ready),
            beats.o_ready.eq(given),
            blocks.o_ready.eq(given & end),
            self.o_data.eq(beats.o_data),
            self.o_highest.eq(blocks.o_data),
        ]
        return m
