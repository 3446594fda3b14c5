"""Streaming attention: softmax(Q K') V in one pass over the keys, as decision 0013 draws it."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..cost import power_of_two
from ..stream import RowQueue, sink_ports, source_ports
from .blocks import BlockQueue
from .normaliser import Normaliser, scale_ports
from .scores import Scores
from .shape import LOGIT, LOGIT_MULTIPLIER_BITS, Shape
from .values import Values
from .walk import KeyWalk, job_ports
from .weights import Weights

__all__ = ["STALLS", "StreamingAttention", "core_ports", "parameter_ports"]

STALLS = ("q", "k", "v", "o")
"""Streams whose waits are counted."""
FLAGS = 3
"""Beside a beat of K: first and last of its query, last of the job's last query."""


def parameter_ports(shape: Shape) -> dict:
    """All that a job is told, and its start."""
    return {
        **job_ports(shape),
        "partial": In(1),
        "logit_multiplier": In(LOGIT_MULTIPLIER_BITS),
        "logit_shift": In(6),
        **scale_ports(shape),
    }


def core_ports(shape: Shape) -> dict:
    """All ports of the core; ``done`` and ``stall_*`` are pulses."""
    return {
        **parameter_ports(shape),
        **sink_ports("q", shape.q_width),
        **sink_ports("k", shape.k_width),
        **sink_ports("v", shape.v_width),
        **(sink_ports("g", shape.g_width) if shape.k_bits else {}),
        **source_ports("o", shape.o_width),
        "done": Out(1),
        **{f"stall_{name}": Out(1) for name in STALLS},
    }


class StreamingAttention(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``.

    A query's state is its d sums, their total and the running maximum, whatever the number of
    keys. The decision has the order of the streams, the arithmetic and the cycles.
    """

    def __init__(self, *, shape: Shape):
        self.shape = shape
        self.weight_depth = power_of_two(Weights.latency + 2)
        super().__init__(core_ports(shape))

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        m.submodules.walk = walk = shared(KeyWalk, shape=shape)
        for name in job_ports(shape):
            m.d.comb += getattr(walk, name).eq(getattr(self, name))
        m.submodules.blocks = blocks = shared(
            BlockQueue,
            width=shape.lanes * (LOGIT.width + 1) + FLAGS,
            depth=shape.score_depth,
            maximum=shape.maximum,
        )
        self._keys(m, walk, blocks)
        p, p_valid, p_ready = self._weights(m, blocks)
        self._values(m, p, p_valid, p_ready)
        return m

    def _keys(self, m, walk, blocks):
        """Q and K in, logits into the queue of blocks."""
        shape = self.shape
        m.submodules.scores = scores = shared(Scores, shape=shape, flags=FLAGS + 1)
        query = Signal(shape.dimension * shape.q.width, name="next_query", reset_less=True)
        have = Signal(name="have_query")
        on_way = Signal(range(shape.score_depth + 1), name="beats_on_way")
        ready, take = Signal(name="k_here"), Signal(name="k_taken")
        given = blocks.o_valid & blocks.o_ready
        loads, leaves = Signal(name="q_taken"), Signal(name="q_leaves")
        offered, accepts = self.k_tvalid, ready
        if shape.k_bits:
            here = self._groups(m, walk, scores, ready)
            offered, accepts = offered & here, accepts & here
        m.d.comb += [
            # One query ahead, in the place of the one that is taken, and none beyond the job's
            # last.
            leaves.eq(take & walk.first),
            self.q_tready.eq(
                walk.running & Mux(have, leaves & ~walk.final, walk.first | ~walk.final)
            ),
            loads.eq(self.q_tvalid & self.q_tready),
            ready.eq(walk.running & (have | ~walk.first) & (on_way != shape.score_depth)),
            self.k_tready.eq(accepts),
            take.eq(ready & offered),
            walk.take.eq(take),
            self.stall_q.eq(walk.running & walk.first & ~have),
            self.stall_k.eq(ready & ~offered),
        ]
        m.d.sync += on_way.eq(on_way + take - given)
        with m.If(loads):
            m.d.sync += [query.eq(_packed(self.q_tdata, shape.q, shape.dimension)), have.eq(1)]
        with m.Elif(leaves):
            m.d.sync += have.eq(0)
        keep = walk.keep
        if shape.key_masks:
            keep = keep & ~self.k_tdata[-shape.mask_bits :][: shape.lanes]
        m.d.comb += [
            scores.valid.eq(take),
            scores.load.eq(take & walk.first),
            scores.q.eq(query),
            scores.k.eq(_elements(self.k_tdata, shape.k, shape.k_bits, len(scores.k))),
            scores.keep.eq(keep),
            scores.flags.eq(Cat(walk.first, walk.last, walk.last & walk.final, walk.block_end)),
            scores.multiplier.eq(self.logit_multiplier),
            scores.shift.eq(self.logit_shift),
            blocks.i_valid.eq(scores.o_valid),
            blocks.i_end.eq(scores.o_flags[FLAGS]),
            blocks.i_data.eq(Cat(scores.u, scores.o_keep, scores.o_flags[:FLAGS])),
            blocks.i_highest.eq(scores.highest),
        ]

    def _groups(self, m, walk, scores, ready):
        """With packed K: minima and steps, a beat of them together with a group's first keys.
        Whether it is there, or none is needed."""
        shape = self.shape
        groups = Signal(shape.g_width, name="groups", reset_less=True)
        here = ~walk.group_start | self.g_tvalid
        m.d.comb += [
            self.g_tready.eq(ready & walk.group_start & self.k_tvalid),
            scores.groups.eq(groups),
        ]
        with m.If(self.g_tready & self.g_tvalid):
            m.d.sync += groups.eq(self.g_tdata)
        return here

    def _weights(self, m, blocks):
        """Logits out of the queue of blocks, exponentials into a queue of a few beats."""
        shape = self.shape
        m.submodules.weights = weights = shared(Weights, shape=shape, flags=FLAGS - 1)
        m.submodules.queue = queue = shared(
            RowQueue,
            width=len(weights.p) + 2 * shape.rescale_bits + FLAGS + shape.maximum.width,
            depth=self.weight_depth,
        )
        on_way = Signal(range(self.weight_depth + 1), name="weights_on_way")
        logit_bits = shape.lanes * LOGIT.width
        first, *flags = blocks.o_data[logit_bits + shape.lanes :]
        given = queue.o_valid & queue.o_ready
        m.d.comb += [
            blocks.o_ready.eq(on_way != self.weight_depth),
            weights.valid.eq(blocks.o_valid & blocks.o_ready),
            weights.u.eq(blocks.o_data[:logit_bits]),
            weights.keep.eq(blocks.o_data[logit_bits:][: shape.lanes]),
            weights.first.eq(first),
            weights.highest.eq(blocks.o_highest),
            weights.flags.eq(Cat(flags)),
            queue.i_valid.eq(weights.o_valid),
            queue.i_data.eq(
                Cat(
                    weights.p,
                    weights.rescale,
                    weights.align,
                    weights.o_first,
                    weights.o_flags,
                    weights.maximum,
                )
            ),
        ]
        m.d.sync += on_way.eq(on_way + weights.valid - given)
        return queue.o_data, queue.o_valid, queue.o_ready

    def _values(self, m, data, valid, ready):
        """V in, results out."""
        shape = self.shape
        m.submodules.values = values = shared(Values, shape=shape, flags=1 + shape.maximum.width)
        m.submodules.normaliser = normaliser = shared(Normaliser, shape=shape)
        p_bits = shape.lanes * shape.exponential
        p_data, rescale, align, (first, last, final, *maximum) = _split(
            data, p_bits, shape.rescale_bits, shape.rescale_bits
        )
        # Room for a query's state is promised from the issue of its last beat on.
        promised = Signal(range(shape.states + 1))
        ends = Signal()
        here, take = Signal(name="v_here"), Signal(name="v_taken")
        m.d.comb += [
            here.eq(valid & ~(last & (promised == shape.states))),
            ends.eq(take & last),
            self.v_tready.eq(here),
            take.eq(here & self.v_tvalid),
            ready.eq(take),
            self.stall_v.eq(here & ~self.v_tvalid),
            values.valid.eq(take),
            values.p.eq(p_data),
            values.v.eq(_elements(self.v_tdata, shape.v, shape.v_bits, len(values.v))),
            values.rescale.eq(rescale),
            values.align.eq(align),
            values.first.eq(first),
            values.last.eq(last),
            values.flags.eq(Cat(final, maximum)),
            normaliser.valid.eq(values.o_valid),
            normaliser.total.eq(values.total),
            normaliser.sums.eq(values.sums),
            normaliser.final.eq(values.o_flags[0]),
            normaliser.maximum.eq(values.o_flags[1:]),
            normaliser.partial.eq(self.partial),
        ]
        if shape.v_bits:
            m.d.comb += values.groups.eq(self.v_tdata[shape.v_codes_width :])
        m.d.sync += promised.eq(promised + ends - normaliser.release)
        for name in scale_ports(shape):
            m.d.comb += getattr(normaliser, name).eq(getattr(self, name))
        m.d.comb += [
            self.o_tdata.eq(normaliser.o_tdata),
            self.o_tvalid.eq(normaliser.o_tvalid),
            self.o_tlast.eq(normaliser.o_tlast),
            normaliser.o_tready.eq(self.o_tready),
            self.stall_o.eq(self.o_tvalid & ~self.o_tready),
            self.done.eq(self.o_tvalid & self.o_tready & self.o_tlast),
        ]


def _split(data, *widths: int):
    """Parts of ``data`` from its lowest bits up, and what is left above them."""
    parts = []
    for width in widths:
        parts.append(data[:width])
        data = data[width:]
    return [*parts, data]


def _elements(data, format, code_bits: int, width: int):
    """What a beat has of elements, or of their codes: ``width`` bits in all."""
    if code_bits:
        return data[:width]
    return _packed(data, format, width // format.width)


def _packed(data, format, count: int):
    """``count`` elements of a beat, without the unused bits of their lanes."""
    return Cat(data.word_select(n, format.lane_width)[: format.width] for n in range(count))
