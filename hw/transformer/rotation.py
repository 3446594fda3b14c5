"""Rotary positions: the words of a product turned by the angles of their tokens."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.elementwise import Rotate
from ..attention.scores import delayed
from ..cells import shared
from ..engine.output import ChannelTable
from .sizes import ANGLE, PARAMETER_BITS, Sizes

__all__ = ["Rotation", "angle_ports"]


def angle_ports(sizes: Sizes) -> dict:
    """Angles, written before they are used: that of pair ``lane`` of word ``panel`` of all
    positions' heads, cosine below sine, in a cycle with ``angle_en``."""
    return {
        "angle_en": In(1),
        "angle_panel": In(range(max(sizes.angle_words, 2))),
        "angle_lane": In(range(max(sizes.columns // 2, 2))),
        "angle_data": In(PARAMETER_BITS),
    }


class Rotation(wiring.Component):
    """RoPE (arXiv 2104.09864) of words as C gives them: ``i``, in a cycle with ``take``, of the
    token in ``row`` of its panel; ``lasts``: whether that row, and word of a token, are the last
    ones. ``o`` is ``i`` with each pair of elements turned, ``latency`` cycles later.

    Words are heads, one after another, from ``start`` on; ``position`` (of a decoder) is that of
    the first panel's first row, and held. Rounded and saturated as :class:`.Rotate` does.
    """

    latency = 1 + Rotate.latency

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "position": In(range(sizes.context)),
                "take": In(1),
                "row": In(range(max(sizes.rows, 2))),
                "lasts": In(2),
                "i": In(sizes.word_width),
                "o": Out(sizes.word_width),
                **angle_ports(sizes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes, width = self.sizes, self.sizes.activation.width
        m.submodules.angles = angles = shared(
            ChannelTable, width=PARAMETER_BITS, lanes=sizes.columns // 2, panels=sizes.angle_words
        )
        m.d.comb += [
            angles.w_en.eq(self.angle_en),
            angles.w_panel.eq(self.angle_panel),
            angles.w_lane.eq(self.angle_lane),
            angles.w_data.eq(self.angle_data),
            angles.r_en.eq(1),
            angles.r_panel.eq(self._place(m)),
        ]
        word = delayed(m, self.i, 1, "word")
        turned = []
        for lane in range(sizes.columns // 2):
            m.submodules[f"rotate_{lane}"] = rotate = shared(
                Rotate, format=sizes.activation, fraction=ANGLE.width - 2
            )
            angle = angles.r_data.word_select(lane, PARAMETER_BITS)
            m.d.comb += [
                rotate.even.eq(word.word_select(2 * lane, width)),
                rotate.odd.eq(word.word_select(2 * lane + 1, width)),
                rotate.cosine.eq(angle[: ANGLE.width]),
                rotate.sine.eq(angle[ANGLE.width :]),
            ]
            turned += [rotate.o_even, rotate.o_odd]
        m.d.comb += self.o.eq(Cat(turned))
        return m

    def _place(self, m):
        """Where the angles of the word that is taken are: position by position, a head's words."""
        sizes = self.sizes
        part = Signal(range(max(sizes.parts, 2)), reset_less=True)
        panel = Signal(range(sizes.panels * sizes.rows + sizes.context), reset_less=True)
        last_row, last_word = self.lasts
        with m.If(self.start):
            m.d.sync += [part.eq(0), panel.eq(self.position)]
        with m.Elif(self.take & last_row):
            ends = last_word | (part == sizes.parts - 1)
            m.d.sync += part.eq(Mux(ends, 0, part + 1))
            with m.If(last_word):
                m.d.sync += panel.eq(panel + sizes.rows)
        return (panel + self.row) * sizes.parts + part
