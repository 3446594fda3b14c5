"""Products with weights: a GEMM core between the memories."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.lookup import Lookup
from ..attention.scores import delayed
from ..cells import shared
from ..engine.core import ArrayChoice, CoreShape, connect, elements, table_ports
from ..engine.gemm import CORES
from ..formats import Format
from ..weights import CODINGS, WeightFormat
from .memory import chosen, read_ports, write_ports
from .rotation import Rotation, angle_ports
from .sizes import Sizes
from .walk import OPERANDS, TILES, Walk, job_ports

__all__ = ["Product", "in_lanes"]


def in_lanes(data, format: Format | WeightFormat):
    """Signed elements, or codes, side by side, each extended to its lane of a stream."""
    words = [data.word_select(n, format.width) for n in range(len(data) // format.width)]
    return Cat(Cat(word, word[-1].replicate(format.lane_width - format.width)) for word in words)


class Product(wiring.Component):
    """``start`` -> all of one product, from memory to memory -> ``done``.

    ``tokens`` rows of ``words_in`` words at ``offset_in``, in a memory of ``stride_in``, times the
    weights that come on ``b``, to ``words_out`` words at ``offset_out``; with ``table`` through the
    table of functions. Rows that are none of the job's are taken as zeros and not written. Channel
    (``t_*``) are written before. ``done`` comes as the last word is written. With rotary positions
    and ``rotate`` words are turned; a decoder's first panel begins at ``position``.
    """

    def __init__(self, *, sizes: Sizes, shape: CoreShape, array: ArrayChoice):
        self.sizes, self.shape, self.array = sizes, shape, array
        words, depth = range(sizes.most_words + 1), range(sizes.most_depth)
        strides = range(max(sizes.strides) + 1)
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                **job_ports(sizes),
                **{f"words_{way}": In(words) for way in ("in", "out")},
                **{f"stride_{way}": In(strides) for way in ("in", "out")},
                **{f"offset_{way}": In(depth) for way in ("in", "out")},
                "table": In(1),
                **self._rotation_ports,
                **table_ports(shape),
                "f_en": In(1),
                "f_address": In(sizes.activation.width),
                "f_data": In(sizes.activation.width),
                "b_valid": In(1),
                "b_ready": Out(1),
                "b_data": In(sizes.weight_width),
                **read_ports("a", sizes),
                **write_ports("c", sizes),
            }
        )

    @property
    def _rotation_ports(self) -> dict:
        sizes = self.sizes
        if not sizes.rotary:
            return {}
        return {"rotate": In(1), "position": In(range(sizes.context)), **angle_ports(sizes)}

    def elaborate(self, platform):
        m = Module()
        sizes, shape = self.sizes, self.shape
        m.submodules.core = core = shared(CORES[self.array.cls], shape=shape, array=self.array)
        connect(m, core, self, ["start", *table_ports(shape)])
        m.d.comb += [
            core.m.eq(self.tokens),
            core.n.eq(self.words_out * sizes.columns),
            core.k.eq(self.words_in * sizes.columns),
            core.add_bias.eq(1),
            core.requantize.eq(1),
            core.b_tvalid.eq(self.b_valid),
            core.b_tdata.eq(in_lanes(self.b_data, sizes.beat)),
            self.b_ready.eq(core.b_tready),
            core.c_tready.eq(1),
        ]
        if sizes.serial:
            m.d.comb += [
                core.b_bits.eq(sizes.weight.width),
                core.b_coding.eq(CODINGS.index(sizes.weight.coding)),
            ]
        self._operands(m, core)
        self._results(m, core)
        return m

    def _walk(self, m, name: str, loops, way: str):
        walk = shared(Walk, sizes=self.sizes, loops=loops)
        m.submodules[name] = walk
        connect(m, walk, self, ["start", *job_ports(self.sizes)])
        for port in ("words", "stride", "offset"):
            m.d.comb += getattr(walk, port).eq(getattr(self, f"{port}_{way}"))
        return walk

    def _operands(self, m, core):
        """A: a word of all rows has as many beats as there are blocks of k in it."""
        sizes, width = self.sizes, self.sizes.activation.width
        walk = self._walk(m, "a_walk", OPERANDS, "in")
        sub = Signal.like(walk.sub, name="sub_read", reset_less=True)
        keep = Signal.like(walk.keep, name="rows_read", reset_less=True)
        with m.If(self.a_taken):
            m.d.sync += [sub.eq(walk.sub), keep.eq(walk.keep)]
        m.d.comb += [
            self.a_want.eq(walk.running),
            self.a_address.eq(walk.address),
            walk.take.eq(self.a_taken),
            core.a_tvalid.eq(self.a_here),
            self.a_accept.eq(core.a_tready),
        ]
        beat = []
        for row in range(sizes.rows):
            word = self.a_data.word_select(row, sizes.word_width)
            beat.append(Mux(keep[row], chosen(word, sub, sizes.depth * width), 0))
        m.d.comb += core.a_tdata.eq(in_lanes(Cat(beat), sizes.activation))

    def _results(self, m, core):
        """C, through the table or not, a word a cycle."""
        sizes, format = self.sizes, self.sizes.activation
        walk = self._walk(m, "c_walk", TILES, "out")
        plain = Cat(elements(core.c_tdata, format, sizes.columns))
        found = []
        for lane in range(sizes.columns):
            m.submodules[f"table_{lane}"] = table = shared(Lookup, table=None, width=format.width)
            m.d.comb += [
                table.i.eq(plain.word_select(lane, format.width)),
                table.w_en.eq(self.f_en),
                table.w_addr.eq(self.f_address),
                table.w_data.eq(self.f_data),
            ]
            found.append(table.o)
        given, ended = Signal(), Signal()
        row = Signal.like(walk.row, name="c_row_given", reset_less=True)
        address = Signal.like(walk.address, name="c_address_given", reset_less=True)
        word = Signal(sizes.word_width, name="c_given", reset_less=True)
        write = core.c_tvalid
        if sizes.causal:
            # Shifted as a whole: of a selected bit Verilator says that the others are lost.
            own = Signal.like(walk.keep, name="rows_from_this_on")
            m.d.comb += own.eq(walk.keep >> walk.row)
            write = write & own[0]
        m.d.sync += [
            given.eq(write),
            ended.eq(core.done),
            row.eq(walk.row),
            address.eq(walk.address),
            word.eq(plain),
        ]
        result = Mux(self.table, Cat(found), word)
        if sizes.rotary:
            turned, more = self._rotated(m, core, walk, plain)
            given, ended = (
                delayed(m, each, more, f"turned_{name}", reset=True)
                for name, each in (("given", given), ("ended", ended))
            )
            row, address = (
                delayed(m, each, more, f"turned_{name}")
                for name, each in (("row", row), ("address", address))
            )
            result = Mux(self.rotate, turned, delayed(m, result, more, "turned_other"))
        m.d.comb += [
            walk.take.eq(core.c_tvalid),
            self.done.eq(ended),
            self.c_en.eq(given),
            self.c_row.eq(row),
            self.c_address.eq(address),
            self.c_data.eq(result),
        ]

    def _rotated(self, m, core, walk, word):
        """``word`` turned, and how many cycles later than from the table."""
        m.submodules.rotation = rotation = shared(Rotation, sizes=self.sizes)
        connect(m, rotation, self, ["start", "position", *angle_ports(self.sizes)])
        m.d.comb += [
            rotation.take.eq(core.c_tvalid),
            rotation.row.eq(walk.row),
            rotation.lasts.eq(walk.lasts),
            rotation.i.eq(word),
        ]
        return rotation.o, Rotation.latency - Lookup.latency
