"""Attention of all heads: the streaming core between the memories."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.shape import LOGIT_MULTIPLIER_BITS
from ..attention.shape import Shape as AttentionShape
from ..attention.streaming import StreamingAttention
from ..cells import shared
from ..engine.core import connect, elements
from .gather import Gather
from .memory import chosen, read_ports, write_ports
from .product import in_lanes
from .sizes import Sizes
from .walk import Walk, heads, job_ports, keys

__all__ = ["Attend", "scale_ports"]


def scale_ports(shape: AttentionShape) -> dict:
    """The scales of a step of attention, in the order in which they come."""
    return {
        "logit_multiplier": In(LOGIT_MULTIPLIER_BITS),
        "logit_shift": In(6),
        "multiplier": In(shape.multiplier_bits),
        "shift": In(6),
    }


class Attend(wiring.Component):
    """``start`` -> attention of all tokens with all, head after head -> ``done``.

    Of a decoder: attention of ``queries`` tokens from ``position`` on with those up to each, of the
    layer that is at ``place`` in the cache.

    Q and K are read from one memory (``k``), V from the other (``v``), results go there (``o``).
    A query's words are read before its keys: they are ``parts`` words and three cycles in which no
    key comes.
    """

    def __init__(self, *, sizes: Sizes, shape: AttentionShape):
        self.sizes, self.shape = sizes, shape
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                **job_ports(sizes),
                **self._cache_ports,
                **scale_ports(shape),
                **read_ports("k", sizes),
                **read_ports("v", sizes),
                **write_ports("o", sizes),
            }
        )

    @property
    def _cache_ports(self) -> dict:
        sizes = self.sizes
        if not sizes.causal:
            return {}
        return {
            "queries": In(range(sizes.tokens + 1)),
            "position": In(range(sizes.context)),
            "place": In(range(sizes.most_depth)),
        }

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = shared(StreamingAttention, shape=self.shape)
        connect(m, core, self, ["start", *scale_ports(self.shape)])
        if self.sizes.causal:
            m.d.comb += [core.queries.eq(self.queries), core.causal.eq(1)]
            m.d.comb += core.position.eq(self.position)
        else:
            m.d.comb += [core.queries.eq(self.tokens), core.keys.eq(self.tokens)]
        m.d.comb += [
            core.kv_heads.eq(self.sizes.kv_heads),
            core.group.eq(self.sizes.group),
            self.done.eq(core.done),
        ]
        self._queries(m, core)
        values, gather = self._keys(m, core, "v", "v")
        m.d.comb += [
            self.v_want.eq(values.running),
            self.v_address.eq(values.address),
            values.take.eq(self.v_taken),
            gather.i_valid.eq(self.v_here),
            self.v_accept.eq(gather.i_ready),
        ]
        self._results(m, core)
        return m

    def _walk(self, m, name: str, loops, region: str):
        sizes, place = self.sizes, self.sizes.region(region)[1]
        m.submodules[f"{name}_walk"] = walk = shared(Walk, sizes=sizes, loops=loops)
        if region in sizes.cached:
            connect(m, walk, self, ["start", "position"])
            m.d.comb += walk.tokens.eq(self.queries)
            place = place + self.place
        else:
            connect(m, walk, self, ["start", *job_ports(sizes)])
        m.d.comb += [walk.stride.eq(sizes.stride(region)), walk.offset.eq(place)]
        return walk

    def _keys(self, m, core, name: str, region: str):
        """Words of keys (or values) to beats of the core's stream."""
        sizes = self.sizes
        walk = self._walk(m, name, keys(sizes), region)
        m.submodules[f"{name}_gather"] = gather = shared(Gather, sizes=sizes)
        keep = Signal(sizes.rows, name=f"{name}_keep", reset_less=True)
        last = Signal(name=f"{name}_last", reset_less=True)
        with m.If(getattr(self, f"{name}_taken")):
            m.d.sync += [keep.eq(walk.keep), last.eq(walk.lasts[0])]
        m.d.comb += [
            gather.i_data.eq(getattr(self, f"{name}_data")),
            gather.i_keep.eq(keep),
            gather.i_last.eq(last),
            getattr(core, f"{name}_tvalid").eq(gather.o_valid),
            gather.o_ready.eq(getattr(core, f"{name}_tready")),
            getattr(core, f"{name}_tdata").eq(in_lanes(gather.o_data, sizes.activation)),
        ]
        return walk, gather

    def _queries(self, m, core):
        """The words of a query, then the words of all keys of its head, from one read port."""
        sizes = self.sizes
        queries = self._walk(m, "q", heads(sizes), "q")
        of_key, gather = self._keys(m, core, "k", "k")
        of_keys = Signal()
        switches = Signal()
        m.d.comb += [
            # The last word of a query; the last one of all its keys.
            switches.eq(Mux(of_keys, of_key.lasts[:2].all(), queries.lasts[0])),
            self.k_want.eq(Mux(of_keys, of_key.running, queries.running)),
            self.k_address.eq(Mux(of_keys, of_key.address, queries.address)),
            queries.take.eq(self.k_taken & ~of_keys),
            of_key.take.eq(self.k_taken & of_keys),
        ]
        is_key, last = (Signal(name=name, reset_less=True) for name in ("is_key", "query_last"))
        row = Signal.like(queries.row, name="query_row", reset_less=True)
        with m.If(self.start):
            m.d.sync += of_keys.eq(0)
        with m.Elif(self.k_taken):
            m.d.sync += of_keys.eq(of_keys ^ switches)
        with m.If(self.k_taken):
            m.d.sync += [is_key.eq(of_keys), row.eq(queries.row), last.eq(queries.lasts[0])]
        # A query's words are collected; the next one's come when it has been taken.
        query = Signal(sizes.parts * sizes.word_width, reset_less=True)
        have = Signal(name="have_query")
        word = chosen(self.k_data, row, sizes.word_width)
        with m.If(self.k_here & ~is_key & ~have):
            m.d.sync += [query.eq(Cat(query, word)[sizes.word_width :]), have.eq(last)]
        with m.Elif(core.q_tready):
            m.d.sync += have.eq(0)
        m.d.comb += [
            core.q_tvalid.eq(have),
            core.q_tdata.eq(in_lanes(query, sizes.activation)),
            gather.i_valid.eq(self.k_here & is_key),
            self.k_accept.eq(Mux(is_key, gather.i_ready, ~have)),
        ]

    def _results(self, m, core):
        sizes = self.sizes
        walk = self._walk(m, "o", heads(sizes), "o")
        m.d.comb += [
            core.o_tready.eq(1),
            walk.take.eq(core.o_tvalid),
            self.o_en.eq(core.o_tvalid),
            self.o_row.eq(walk.row),
            self.o_address.eq(walk.address),
            self.o_data.eq(Cat(elements(core.o_tdata, sizes.activation, sizes.columns))),
        ]
