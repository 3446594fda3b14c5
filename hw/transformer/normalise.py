"""A sum and its norm, between the memories."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..attention.affine import Affine
from ..attention.elementwise import ResidualAdd
from ..attention.norm import RowNorm
from ..attention.scores import delayed
from ..cells import shared
from ..engine.core import connect
from ..engine.output import ChannelTable
from ..stream import RowQueue
from .memory import read_ports, side_by_side, write_ports, written
from .sizes import FRACTION, GAIN, NORM_BIAS, SUM_BITS, Sizes
from .walk import job_ports, token_walk

__all__ = ["SumNorm", "scale_ports"]

QUEUE = 8
"""Words that may be on their way from the memories to the norm."""


def scale_ports() -> dict:
    """The numbers of a sum and its norm, in the order in which they come."""
    return {"of_x": In(SUM_BITS), "of_y": In(SUM_BITS), "shift": In(6), "gain_shift": In(6)}


def table_ports(sizes: Sizes) -> dict:
    """Gains (``t_en`` 0) and biases (1), written before they are used."""
    return {
        "t_en": In(2),
        "t_panel": In(range(max(sizes.words, 2))),
        "t_lane": In(range(max(sizes.columns, 2))),
        "t_data": In(NORM_BIAS.width),
    }


class SumNorm(wiring.Component):
    """``start`` -> ``norm(x of_x + y of_y)`` of all tokens -> ``done``.

    x is read from memory 0, y (region p) from memory 1, taken as 0 with ``lone``. Norms go to
    ``n``; sums to ``s``, where x was, which "post" has no use for. Rows of the norm do not overlap.
    In a model without norms the sum itself goes to ``n``.
    """

    def __init__(self, *, sizes: Sizes):
        self.sizes = sizes
        super().__init__(
            {
                "start": In(1),
                "done": Out(1),
                **job_ports(sizes),
                "lone": In(1),
                **scale_ports(),
                **(table_ports(sizes) if sizes.normed else {}),
                **read_ports("x", sizes),
                **read_ports("y", sizes),
                **write_ports("s", sizes),
                **write_ports("n", sizes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if not self.sizes.normed:
            self._result(m, *self._sums(m, *self._read(m, None)))
            return m
        norm, queue = self._norm(m)
        taken, word = self._read(m, queue)
        sums, summed = self._sums(m, taken, word)
        m.d.comb += [queue.i_valid.eq(summed), queue.i_data.eq(sums)]
        walk = self._walk(m, "s_walk", "x")
        m.d.comb += walk.take.eq(summed)
        # What has nothing added to it stays as it is.
        written(m, self, "s", walk, summed & ~self.lone, sums)
        self._result(m, *self._gained(m, norm))
        return m

    def _norm(self, m):
        """The norm and the queue of sums before it."""
        sizes = self.sizes
        m.submodules.norm = norm = shared(
            RowNorm,
            size=sizes.width,
            lanes=sizes.columns,
            format=sizes.activation,
            o_format=sizes.normalised,
            fraction=FRACTION,
            epsilon=sizes.epsilon,
            centred=sizes.centred,
        )
        m.submodules.queue = queue = shared(RowQueue, width=sizes.word_width, depth=QUEUE)
        m.d.comb += [
            norm.i_valid.eq(queue.o_valid),
            queue.o_ready.eq(norm.i_ready),
            norm.i_data.eq(queue.o_data),
            norm.o_ready.eq(1),
        ]
        return norm, queue

    def _result(self, m, data, valid):
        """Words in the order of the tokens, to where the next step reads them."""
        walk = self._walk(m, "n_walk", self.sizes.carried)
        m.d.comb += [walk.take.eq(valid), self.done.eq(valid & walk.lasts.all())]
        written(m, self, "n", walk, valid, data)

    def _walk(self, m, name: str, region: str):
        walk = token_walk(m, name, self.sizes, region, self.sizes.words)
        connect(m, walk, self, ["start", *job_ports(self.sizes)])
        return walk

    def _read(self, m, queue):
        """Words of x and y, side by side, as long as the queue, if any, has room for them."""
        walks = {"x": self._walk(m, "x_walk", "x"), "y": self._walk(m, "y_walk", "p")}
        on_way = Signal(range(QUEUE + 1))
        reads = Signal()
        m.d.comb += reads.eq(self.x_taken)
        if queue is not None:
            m.d.sync += on_way.eq(on_way + reads - (queue.o_valid & queue.o_ready))
        x, y = side_by_side(m, self, walks, on_way != QUEUE)
        return self.x_here, (x, Mux(self.lone, 0, y))

    def _sums(self, m, valid, words):
        width = self.sizes.activation.width
        sums = []
        for lane in range(self.sizes.columns):
            m.submodules[f"sum_{lane}"] = adder = shared(
                ResidualAdd, format=self.sizes.activation, multiplier_bits=SUM_BITS
            )
            m.d.comb += [
                *(
                    port.eq(word.word_select(lane, width))
                    for port, word in zip((adder.a, adder.b), words, strict=True)
                ),
                adder.of_a.eq(self.of_x),
                adder.of_b.eq(self.of_y),
                adder.shift.eq(self.shift),
            ]
            sums.append(adder.o)
        return Cat(sums), delayed(m, valid, ResidualAdd.latency, "summed", reset=True)

    def _gained(self, m, norm):
        """Gain and bias, whose tables are read while a word waits in a register."""
        sizes = self.sizes
        tables = []
        word = Signal(range(max(sizes.words, 2)))
        given = norm.o_valid
        with m.If(given):
            m.d.sync += word.eq(Mux(norm.o_last, 0, word + 1))
        for number, format in enumerate((GAIN, NORM_BIAS)):
            m.submodules[f"table_{number}"] = table = shared(
                ChannelTable, width=format.width, lanes=sizes.columns, panels=sizes.words
            )
            m.d.comb += [
                table.w_en.eq(self.t_en[number]),
                table.w_panel.eq(self.t_panel),
                table.w_lane.eq(self.t_lane),
                table.w_data.eq(self.t_data),
                table.r_en.eq(1),
                table.r_panel.eq(word),
            ]
            tables.append(table.r_data)
        normalised = delayed(m, norm.o_data, 1, "normalised")
        results = []
        for lane in range(sizes.columns):
            m.submodules[f"gain_{lane}"] = affine = shared(
                Affine,
                i_format=sizes.normalised,
                o_format=sizes.activation,
                gain=GAIN,
                bias=NORM_BIAS,
            )
            m.d.comb += [
                affine.i.eq(normalised.word_select(lane, sizes.normalised.width)),
                affine.gain.eq(tables[0].word_select(lane, GAIN.width)),
                affine.bias.eq(tables[1].word_select(lane, NORM_BIAS.width)),
                affine.shift.eq(self.gain_shift),
            ]
            results.append(affine.o)
        return Cat(results), delayed(m, given, 1 + Affine.latency, "gained", reset=True)
