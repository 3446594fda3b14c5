"""From words of all rows to beats of keys."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .sizes import Sizes

__all__ = ["Gather"]


class Gather(wiring.Component):
    """``parts`` words of each row of a panel -> beats of ``keys`` rows, whole heads, in order.

    ``i_valid`` with ``i_data`` (a word of each row), ``i_keep`` (rows that are tokens, from the
    first on; the others are taken as zeros) and ``i_last`` (of a panel's words). ``o_data``:
    ``keys`` heads, as many beats as have a token. A panel comes in while the one before goes out:
    one beat per cycle where a panel has no more words than beats.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        self.head_width = sizes.parts * sizes.word_width
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(sizes.rows * sizes.word_width),
                "i_keep": In(sizes.rows),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(sizes.keys * self.head_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        full, have = Signal(), Signal()
        take, moves, ends = Signal(), Signal(), Signal()
        # Of the beats that are to come, the first excepted.
        beats = self.i_keep[:: sizes.keys]
        collected = Signal(sizes.rows * self.head_width, reset_less=True)
        more = Signal(len(beats), reset_less=True)
        given = Signal.like(collected, name="given", reset_less=True)
        left = Signal.like(more, name="left", reset_less=True)
        m.d.comb += [
            ends.eq(have & self.o_ready & ~left[1:].any()),
            moves.eq(full & (~have | ends)),
            self.i_ready.eq(~full | moves),
            take.eq(self.i_valid & self.i_ready),
            self.o_valid.eq(have),
            self.o_data.eq(given[: len(self.o_data)]),
        ]
        with m.If(take):
            m.d.sync += [collected.eq(self._with(collected)), more.eq(beats)]
        m.d.sync += full.eq(Mux(take, self.i_last, full & ~moves))
        with m.If(moves):
            m.d.sync += [given.eq(collected), left.eq(more), have.eq(1)]
        with m.Elif(have & self.o_ready):
            m.d.sync += [
                given.eq(given >> len(self.o_data)),
                left.eq(left >> 1),
                have.eq(~ends),
            ]
        return m

    def _with(self, collected):
        """What has been collected, row by row, with one word more behind it."""
        sizes, heads = self.sizes, []
        for row in range(sizes.rows):
            word = Mux(self.i_keep[row], self.i_data.word_select(row, sizes.word_width), 0)
            before = collected.word_select(row, self.head_width)
            heads.append(Cat(before[sizes.word_width :], word))
        return Cat(heads)
