"""Tokens in and out: two streams at the memories."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..engine.core import connect, elements
from ..stream import sink_ports, source_ports
from .memory import chosen, read_ports, write_ports
from .product import in_lanes
from .sizes import Sizes
from .walk import job_ports, token_walk

__all__ = ["TokenPorts"]


class TokenPorts(wiring.Component):
    """``input``: ``tokens`` tokens are taken from ``i`` into region x, through ``x``, while
    ``taking``; ``output``: as many are given from the region of results, through ``y``, while
    ``giving``; ``ended`` with the last word of either. Words come and go token by token."""

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        lanes = sizes.columns * sizes.activation.lane_width
        super().__init__(
            {
                "input": In(1),
                "output": In(1),
                **job_ports(sizes),
                "taking": Out(1),
                "giving": Out(1),
                "ended": Out(1),
                **sink_ports("i", lanes),
                **source_ports("o", lanes),
                **write_ports("x", sizes),
                **read_ports("y", sizes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        into = self._walk(m, "x_walk", "x", self.input)
        out = self._walk(m, "y_walk", sizes.carried, self.output)
        row = Signal.like(out.row, name="row_read", reset_less=True)
        last = Signal(name="last_read", reset_less=True)
        giving = Signal()
        given = Signal()
        with m.If(self.y_taken):
            m.d.sync += [row.eq(out.row), last.eq(out.lasts.all())]
        with m.If(self.output):
            m.d.sync += giving.eq(1)
        with m.Elif(given & last):
            m.d.sync += giving.eq(0)
        word = chosen(self.y_data, row, sizes.word_width)
        m.d.comb += [
            self.taking.eq(into.running),
            self.giving.eq(giving),
            self.i_tready.eq(into.running),
            into.take.eq(into.running & self.i_tvalid),
            self.x_en.eq(into.take),
            self.x_row.eq(into.row),
            self.x_address.eq(into.address),
            self.x_data.eq(Cat(elements(self.i_tdata, sizes.activation, sizes.columns))),
            self.y_want.eq(out.running),
            self.y_address.eq(out.address),
            out.take.eq(self.y_taken),
            self.o_tvalid.eq(self.y_here),
            self.o_tdata.eq(in_lanes(word, sizes.activation)),
            self.o_tlast.eq(last),
            self.y_accept.eq(self.o_tready),
            given.eq(self.y_here & self.o_tready),
            self.ended.eq((into.take & into.lasts.all()) | (given & last)),
        ]
        return m

    def _walk(self, m, name: str, region: str, start):
        walk = token_walk(m, name, self.sizes, region, self.sizes.words)
        connect(m, walk, self, job_ports(self.sizes))
        m.d.comb += walk.start.eq(start)
        return walk
