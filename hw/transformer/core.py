"""The engine without its registers: memories, parts, and the sequencer between them."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.shape import Shape as AttentionShape
from ..cells import shared
from ..engine.core import ArrayChoice, CoreShape, elements
from ..engine.walk import Steps, expecting
from ..stream import sink_ports, source_ports
from .attend import Attend
from .attend import scale_ports as attention_scales
from .fetch import Fetch
from .gate import Gate
from .gate import scale_ports as gate_scales
from .memory import Activations, Replay, connect_reads, connect_writes
from .normalise import SumNorm
from .normalise import scale_ports as norm_scales
from .ports import TokenPorts
from .product import Product
from .sequencer import KINDS, Sequencer
from .sizes import PARAMETER_BITS, Kind, Sizes

__all__ = ["STALLS", "EncoderCore", "core_ports"]

ALWAYS = (Kind.PRODUCT, Kind.ATTENTION, Kind.NORM)
"""Steps that all layers have."""
STALLS = ("b", "p", "x", "y")
"""Streams whose waits are counted."""


def core_ports(sizes: Sizes, shape: CoreShape) -> dict:
    """All ports of the core; ``done``, ``loaded`` and ``stall_*`` are pulses."""
    lanes = sizes.columns * sizes.activation.lane_width
    return {
        "start": In(1),
        "load": In(1),
        "tokens": In(range(sizes.tokens + 1)),
        **({"position": In(range(sizes.context))} if sizes.causal else {}),
        **sink_ports("b", shape.b_width),
        **sink_ports("p", PARAMETER_BITS),
        **sink_ports("x", lanes),
        **source_ports("y", lanes),
        "done": Out(1),
        "loaded": Out(1),
        **{f"stall_{name}": Out(1) for name in STALLS},
    }


class EncoderCore(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``.

    ``tokens`` are those of the job, of a decoder from ``position`` on. With ``load`` the model
    comes first, and ``loaded`` says when it is there. ``sizes``: memories, walks, steps; ``shape``,
    ``array``: of the products; ``attention``: of attention.
    """

    def __init__(
        self, *, sizes: Sizes, shape: CoreShape, array: ArrayChoice, attention: AttentionShape
    ):
        self.sizes, self.shape, self.array, self.attention = sizes, shape, array, attention
        super().__init__(core_ports(sizes, shape))

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        m.submodules.sequencer = sequencer = shared(Sequencer, sizes=sizes)
        m.submodules.product = product = shared(
            Product, sizes=sizes, shape=self.shape, array=self.array
        )
        m.submodules.attend = attend = shared(Attend, sizes=sizes, shape=self.attention)
        m.submodules.norm = norm = shared(SumNorm, sizes=sizes)
        parts = {Kind.PRODUCT: product, Kind.ATTENTION: attend, Kind.NORM: norm}
        if sizes.gated:
            m.submodules.gate = parts[Kind.GATE] = shared(Gate, sizes=sizes)
        busy = {kind: sequencer.running & (sequencer.kind == KINDS.index(kind)) for kind in parts}
        for kind, part in parts.items():
            m.d.comb += part.start.eq(sequencer.run & busy[kind])
            self._tokens(m, part)
        m.d.comb += [
            sequencer.start.eq(self.start),
            sequencer.load.eq(self.load),
            sequencer.finished.eq(
                Cat(part.done & busy[kind] for kind, part in parts.items()).any()
            ),
        ]
        if sizes.causal:
            self._cache(m, sequencer, attend)
        replay = self._model(m, sequencer, product)
        self._parameters(m, sequencer, replay, parts)
        ports = self._ports(m, sequencer)
        self._memories(m, sequencer, ports, busy, parts)
        return m

    def _tokens(self, m, part):
        """Which rows of a job's panels are its tokens."""
        sizes, tokens = self.sizes, self.tokens
        if sizes.causal:
            first = self.position[: (sizes.rows - 1).bit_length()]
            tokens = tokens + first
            m.d.comb += part.first.eq(first)
        m.d.comb += part.tokens.eq(tokens)

    def _cache(self, m, sequencer, attend):
        m.d.comb += [
            attend.queries.eq(self.tokens),
            attend.position.eq(self.position),
            attend.place.eq(sequencer.place),
        ]

    def _target(self, m, sequencer):
        """Place and stride of a product's result."""
        sizes = self.sizes
        offset, stride = sequencer.offset_out, Mux(sequencer.target, *reversed(sizes.strides))
        if not sizes.causal:
            return offset, stride
        # Of the job's first panel in the layer's part of the cache; both stand still before a
        # product begins.
        panel = self.position[(sizes.rows - 1).bit_length() :]
        here = Signal(range(max(sizes.layers * sizes.layer_words, 2)), reset_less=True)
        m.d.sync += here.eq(sequencer.place + panel * sizes.kv_words)
        cached = sequencer.cached
        return offset + Mux(cached, here, 0), Mux(cached, sizes.kv_words, stride)

    def _model(self, m, sequencer, product):
        """Weights and parameters: loaded once, replayed in every job."""
        sizes = self.sizes
        m.submodules.weights = weights = shared(
            Replay, width=sizes.weight_width, depth=sizes.weight_beats
        )
        m.submodules.replay = replay = shared(Replay, width=PARAMETER_BITS, depth=sizes.parameters)
        # The first words are the table's.
        entry = Signal(sizes.activation.width + 1)
        in_table = ~entry[-1]
        take = self.p_tvalid & self.p_tready
        with m.If(sequencer.clear):
            m.d.sync += entry.eq(0)
        with m.Elif(take & in_table):
            m.d.sync += entry.eq(entry + 1)
        loading = sequencer.loading
        before = in_table
        if sizes.rotary:
            before = in_table | self._angles(m, sequencer, product, take & ~in_table)
        m.d.comb += [
            *(part.clear.eq(sequencer.clear) for part in (weights, replay)),
            *(part.rewind.eq(sequencer.input) for part in (weights, replay)),
            sequencer.loaded.eq(weights.full & replay.full),
            self.loaded.eq(loading & sequencer.loaded),
            weights.i_valid.eq(loading & self.b_tvalid),
            weights.i_data.eq(Cat(elements(self.b_tdata, sizes.beat, sizes.columns * sizes.depth))),
            self.b_tready.eq(loading & weights.i_ready),
            replay.i_valid.eq(loading & self.p_tvalid & ~before),
            replay.i_data.eq(self.p_tdata),
            self.p_tready.eq(loading & (before | replay.i_ready)),
            product.f_en.eq(take & in_table),
            product.f_address.eq(entry),
            product.f_data.eq(self.p_tdata),
            product.b_valid.eq(weights.o_valid),
            product.b_data.eq(weights.o_data),
            weights.o_ready.eq(product.b_ready),
            self.stall_b.eq(self.b_tready & ~self.b_tvalid),
            self.stall_p.eq(self.p_tready & ~self.p_tvalid),
        ]
        return replay

    def _angles(self, m, sequencer, product, take):
        """Whether the words behind the table are angles; they go to the products."""
        sizes = self.sizes
        lanes, words = sizes.columns // 2, sizes.angle_words
        lane = Steps(m, "angle_lane", lanes, 1, lanes, indexed=True)
        word = Steps(m, "angle_word", words, 1, words, indexed=True)
        come = Signal(name="angles_come")
        taken = take & come
        bits = (sizes.rows - 1).bit_length()
        panel = self.position[bits:] << bits if sizes.causal else 0
        m.d.comb += [
            come.eq(expecting(m, "angles", sequencer.clear, taken, lane, word)),
            product.angle_en.eq(taken),
            product.angle_lane.eq(lane.index),
            product.angle_panel.eq(word.index),
            product.angle_data.eq(self.p_tdata),
            product.rotate.eq(sequencer.rotate),
            product.position.eq(panel),
        ]
        return come

    def _parameters(self, m, sequencer, replay, parts):
        """Each step's own, from the memory to where they are used."""
        sizes, product, norm = self.sizes, parts[Kind.PRODUCT], parts[Kind.NORM]
        m.submodules.fetch = fetch = shared(Fetch, sizes=sizes)
        m.d.comb += [
            fetch.start.eq(sequencer.fetch),
            fetch.kind.eq(sequencer.kind),
            fetch.words.eq(sequencer.words_out),
            sequencer.fetched.eq(fetch.done),
            fetch.p_valid.eq(replay.o_valid),
            fetch.p_data.eq(replay.o_data),
            replay.o_ready.eq(fetch.p_ready),
        ]
        scales = {
            Kind.ATTENTION: attention_scales(self.attention),
            Kind.NORM: norm_scales(),
            Kind.GATE: gate_scales(),
        }
        for kind, part in parts.items():
            for number, name in enumerate(scales.get(kind, ())):
                m.d.comb += getattr(part, name).eq(getattr(fetch, f"number_{number}"))
            if sizes.per_channel(kind):
                here = fetch.kind == KINDS.index(kind)
                m.d.comb += [
                    part.t_en.eq(Mux(here, fetch.t_en, 0)),
                    part.t_panel.eq(fetch.t_panel),
                    part.t_lane.eq(fetch.t_lane),
                    part.t_data.eq(fetch.t_data),
                ]
        offset, stride = self._target(m, sequencer)
        for name in ("words_in", "words_out", "offset_in"):
            m.d.comb += getattr(product, name).eq(getattr(sequencer, name))
        m.d.comb += [
            product.offset_out.eq(offset),
            product.table.eq(sequencer.table),
            norm.lone.eq(sequencer.lone),
            product.stride_in.eq(Mux(sequencer.source, *reversed(sizes.strides))),
            product.stride_out.eq(stride),
        ]

    def _ports(self, m, sequencer):
        """Tokens in and out."""
        m.submodules.ports = ports = shared(TokenPorts, sizes=self.sizes)
        self._tokens(m, ports)
        m.d.comb += [
            ports.input.eq(sequencer.input),
            ports.output.eq(sequencer.output),
            sequencer.ended.eq(ports.ended),
            ports.i_tvalid.eq(self.x_tvalid),
            ports.i_tdata.eq(self.x_tdata),
            self.x_tready.eq(ports.i_tready),
            self.y_tvalid.eq(ports.o_tvalid),
            self.y_tdata.eq(ports.o_tdata),
            self.y_tlast.eq(ports.o_tlast & ports.o_tvalid),
            ports.o_tready.eq(self.y_tready),
            self.done.eq(ports.giving & ports.ended),
            self.stall_x.eq(ports.i_tready & ~self.x_tvalid),
            self.stall_y.eq(ports.o_tvalid & ~self.y_tready),
        ]
        return ports

    def _memories(self, m, sequencer, ports, busy, parts):
        """Who reads and writes which memory: one part at a time, chosen by the step."""
        sizes = self.sizes
        product, attend, norm = (parts[kind] for kind in ALWAYS)
        memories = []
        for number in range(2):
            memory = shared(Activations, sizes=sizes, memory=number)
            m.submodules[f"memory_{number}"] = memory
            memories.append(memory)
        products, attention, norms = (busy[kind] for kind in ALWAYS)
        carried = sizes.region(sizes.carried)[0]
        reads, writes = {}, {}
        if sizes.gated:
            gate, gates = parts[Kind.GATE], busy[Kind.GATE]
            reads = {(gate, "g"): (gates, None), (gate, "h"): (None, gates)}
            writes = {(gate, "o"): (None, gates)}
        connect_reads(
            m,
            memories,
            {
                **reads,
                (product, "a"): (products & ~sequencer.source, products & sequencer.source),
                (attend, "k"): (attention, None),
                (attend, "v"): (None, attention),
                (norm, "x"): (norms, None),
                (norm, "y"): (None, norms),
                (ports, "y"): _only(carried, ports.giving),
            },
        )
        connect_writes(
            m,
            memories,
            {
                **writes,
                (ports, "x"): (ports.taking, None),
                (product, "c"): (products & ~sequencer.target, products & sequencer.target),
                (attend, "o"): (None, attention),
                (norm, "s"): _only(0, norms if sizes.pre else None),
                (norm, "n"): _only(carried, norms),
            },
        )


def _only(memory: int, active):
    """``active`` in one memory, and never in the other."""
    return (active, None) if memory == 0 else (None, active)
