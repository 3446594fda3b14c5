"""The parameters of a step, from a stream of words to registers and channel tables."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..engine.walk import Steps, advance, finished
from .sizes import HEADER, MOST_PER_CHANNEL, PARAMETER_BITS, Kind, Sizes

__all__ = ["Fetch"]


class Fetch(wiring.Component):
    """``start`` with the ``kind`` of a step (its place in :class:`.Kind`) and the ``words`` of its
    result -> as many words of ``p`` as the step has parameters. From the next cycle on ``ready``
    says whether ``lead`` of them have come, which is enough for the step to begin
    (:meth:`.Sizes.lead`).

    The first four, but of a product, are ``number_0`` … ``number_3`` and stay; the others go, in
    the cycle in which they are taken, to table ``t_en`` (one-hot) of channel ``t_lane`` of
    ``t_panel``: of a product bias, multiplier, shift, of a norm gain and bias.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "kind": In(2),
                "words": In(range(sizes.most_words + 1)),
                "lead": In(range(sizes.most_parameters + 1)),
                "ready": Out(1),
                "p_valid": In(1),
                "p_ready": Out(1),
                "p_data": In(PARAMETER_BITS),
                **{f"number_{n}": Out(PARAMETER_BITS) for n in range(HEADER)},
                "t_en": Out(MOST_PER_CHANNEL),
                "t_panel": Out(range(max(sizes.most_words, 2))),
                "t_lane": Out(range(max(sizes.columns, 2))),
                "t_data": Out(PARAMETER_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes, most = self.sizes, MOST_PER_CHANNEL
        tables = Array(Const(sizes.per_channel(kind), 2) for kind in Kind)[self.kind]
        header = Steps(m, "header", HEADER, 1, HEADER)
        table = Steps(m, "table", tables, 1, most, indexed=True)
        lane = Steps(m, "lane", sizes.columns, 1, sizes.columns, indexed=True)
        panel = Steps(m, "panel", self.words, 1, sizes.most_words, indexed=True)
        loops = (table, lane, panel)
        in_header, in_tables = Signal(), Signal()
        take = Signal()
        left = Signal.like(self.lead, name="left")
        numbers = Signal(HEADER * PARAMETER_BITS, reset_less=True)
        m.d.comb += [
            self.p_ready.eq(in_header | in_tables),
            take.eq(self.p_valid & self.p_ready),
            self.t_en.eq(Cat(take & in_tables & (table.index == n) for n in range(most))),
            self.t_panel.eq(panel.index),
            self.t_lane.eq(lane.index),
            self.t_data.eq(self.p_data),
            self.ready.eq(left == 0),
        ]
        for n in range(HEADER):
            m.d.comb += getattr(self, f"number_{n}").eq(numbers.word_select(n, PARAMETER_BITS))
        with m.If(self.start):
            m.d.sync += left.eq(self.lead)
        with m.Elif(take & (left != 0)):
            m.d.sync += left.eq(left - 1)
        product = self.kind == list(Kind).index(Kind.PRODUCT)
        with m.If(self.start):
            m.d.sync += [in_header.eq(~product), in_tables.eq(product)]
            for loop in (header, *loops):
                loop.restart()
        with m.Elif(take & in_header):
            m.d.sync += numbers.eq(Cat(numbers[PARAMETER_BITS:], self.p_data))
            advance(m, header)
            with m.If(header.last):
                m.d.sync += [in_header.eq(0), in_tables.eq(tables != 0)]
        with m.Elif(take):
            advance(m, *loops)
            with m.If(finished(*loops)):
                m.d.sync += in_tables.eq(0)
        return m
