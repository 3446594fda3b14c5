"""A network behind AXI4-Stream: one sample per beat, or one token of it."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring

from ..formats import lane_width
from ..stream import RowQueue, sink_ports, source_ports
from .fold.core import Core
from .fold.plan import Folded
from .fold.times import Schedule
from .spacer import Spacer

__all__ = ["NetworkEngine", "TokenEngine"]


class NetworkEngine(wiring.Component):
    """A network between two streams.

    Its pipelines never stop. A beat is only accepted when the queue at their end has room for the
    results of all that are on their way, so that back-pressure costs a counter, and no enable at
    every register. With a willing receiver it takes and gives a beat in every ``interval`` cycles.

    Parameters
    ----------
    folded, stages, formats, dsps
        As :class:`.fold.core.Core` takes them.

    Attributes
    ----------
    latency, interval : int
        Cycles from a beat accepted to its result offered, if nothing waits, and least cycles from
        one beat to the next: the core's.
    depth : int
        Samples that may be on their way or wait.
    input_lane, output_lane : int
        Bits that a value occupies in a beat: 8, 16, 32 or 64.
    s_axis_x_* : AXI4-Stream sink
        One sample: each input in its lane, the first lowest. Bits of a lane above the input's
        format are ignored. ``tlast`` comes out with the sample's result.
    m_axis_y_* : AXI4-Stream source
        One result: each output, sign-extended to its lane (zero-extended if it is never negative).

    Reset drops all samples that are on their way.
    """

    def __init__(self, *, folded: Folded, stages: Schedule, formats, dsps: int = 0):
        self.core = core = Core(folded=folded, stages=stages, formats=formats, dsps=dsps)
        core._MustUse__silence = True  # the engine may only be asked for its ports
        self.latency, self.interval = core.latency, core.interval
        self.depth = self._depth()
        self.input_lane, self.output_lane = _lane(core.inputs), _lane(core.outputs)
        super().__init__(
            {
                **sink_ports("s_axis_x", self.input_lane * len(core.inputs)),
                **source_ports("m_axis_y", self.output_lane * len(core.outputs)),
            }
        )

    def _depth(self):
        return 1 << (self.latency // self.interval + 1).bit_length()

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        m.submodules.queue = queue = RowQueue(width=len(core.o) + 1, depth=self.depth)
        taken, given = Signal(), Signal()
        on_way = Signal(range(self.depth + 1))
        last = Signal(self.latency, reset_less=True)
        m.d.comb += [
            self.s_axis_x_tready.eq((on_way != self.depth) & self._due(m, taken)),
            taken.eq(self.s_axis_x_tvalid & self.s_axis_x_tready),
            given.eq(self.m_axis_y_tvalid & self.m_axis_y_tready),
            core.i.eq(Cat(*self._lanes_in())),
            core.start.eq(taken),
            queue.i_data.eq(Cat(core.o, last[-1])),
            queue.i_valid.eq(core.valid),
            queue.o_ready.eq(self.m_axis_y_tready),
            self.m_axis_y_tvalid.eq(queue.o_valid),
            self.m_axis_y_tlast.eq(queue.o_data[-1]),
            self.m_axis_y_tdata.eq(Cat(*self._lanes_out(m, queue.o_data))),
        ]
        m.d.sync += [
            on_way.eq(on_way + taken - given),
            last.eq(Cat(self.s_axis_x_tlast, last)),
        ]
        return m

    def _due(self, m, taken):
        """Whether the interval since the last sample is over."""
        if self.interval == 1:
            return 1
        left = Signal(range(self.interval))
        with m.If(taken):
            m.d.sync += left.eq(self.interval - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return left == 0

    def _lanes_in(self):
        for place, (bits, _) in enumerate(self.core.inputs):
            first = place * self.input_lane
            yield self.s_axis_x_tdata[first : first + bits]

    def _lanes_out(self, m, packed):
        first = 0
        for bits, signed in self.core.outputs:
            lane = Signal(self.output_lane, name=f"lane{first}")
            value = packed[first : first + bits]
            m.d.comb += lane.eq(value.as_signed() if signed else value)
            yield lane
            first += bits


class TokenEngine(NetworkEngine):
    """A network between two streams of tokens: pixels, or time steps.

    A token goes on while the queue at the end has room for all that may still come if no other one
    follows. With a willing receiver it takes a beat in every cycle, but for those that
    :class:`.spacer.Spacer` waits for at the first samples.

    Parameters
    ----------
    folded, stages, formats, dsps
        As :class:`.fold.core.Core` takes them; ``folded`` is streamed.

    Attributes
    ----------
    latency, interval : int
        Cycles from a sample's first beat accepted to its last result offered, if nothing waits, and
        least cycles from one sample to the next.
    tokens, results : int
        Beats of a sample, and of its results: 1 if they are whole.
    depth : int
        Results that may be on their way or wait.
    input_lane, output_lane : int
        Bits that a value occupies in a beat: 8, 16, 32 or 64.
    s_axis_x_* : AXI4-Stream sink
        One token: each of its values in its lane, the first lowest. Samples are told apart by
        counting, from reset on. ``tlast`` of a sample's last beat comes out with its last result.
    m_axis_y_* : AXI4-Stream source
        One token of the result, or all of it, sign-extended as :class:`NetworkEngine` does.

    Reset drops all tokens that are on their way, those of a sample of which some are missing too.
    """

    @property
    def tokens(self) -> int:
        return self.core.folded.phases

    @property
    def results(self) -> int:
        pace = self.core.folded.pace
        return pace.tokens if pace else 1

    @property
    def _after(self) -> int:
        """Results that may come behind the last beat that there must be room for."""
        folded = self.core.folded
        cycles = self.latency - (folded.phases - 1) + folded.unbroken
        return cycles if folded.pace else cycles // folded.interval + 1

    def _depth(self):
        return 1 << (2 * self._after).bit_length()

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        m.submodules.queue = queue = RowQueue(width=len(core.o), depth=self.depth)
        m.submodules.lasts = lasts = RowQueue(width=1, depth=self.depth)
        m.submodules.spacer = spacer = Spacer(
            width=len(core.i) + 1, tokens=self.tokens, unbroken=core.folded.unbroken,
            pause=self.interval - self.tokens,
        )  # fmt: skip
        waiting, given = Signal(range(self.depth + 1)), Signal()
        last = self._last_result(m, given)
        m.d.comb += [
            self.s_axis_x_tready.eq(spacer.i_ready),
            spacer.i_valid.eq(self.s_axis_x_tvalid),
            spacer.i_data.eq(Cat(*self._lanes_in(), self.s_axis_x_tlast)),
            spacer.room.eq(waiting <= self.depth - 1 - self._after),
            core.i.eq(spacer.o_data[:-1]),
            core.start.eq(spacer.o_valid),
            lasts.i_data.eq(spacer.o_data[-1]),
            lasts.i_valid.eq(spacer.o_valid & spacer.last),
            queue.i_data.eq(core.o),
            queue.i_valid.eq(core.valid),
            given.eq(self.m_axis_y_tvalid & self.m_axis_y_tready),
            queue.o_ready.eq(given),
            lasts.o_ready.eq(given & last),
            # The last result may be there before the sample's last beat, which may have tlast.
            self.m_axis_y_tvalid.eq(queue.o_valid & (lasts.o_valid | ~last)),
            self.m_axis_y_tlast.eq(last & lasts.o_data),
            self.m_axis_y_tdata.eq(Cat(*self._lanes_out(m, queue.o_data))),
        ]
        m.d.sync += waiting.eq(waiting + core.valid - given)
        return m

    def _last_result(self, m, given):
        """Whether the next result is its sample's last."""
        if self.results == 1:
            return Const(1, 1)
        before = Signal(range(self.results))
        last = before == self.results - 1
        with m.If(given):
            m.d.sync += before.eq(Mux(last, 0, before + 1))
        return last


def _lane(values) -> int:
    return lane_width(max([bits for bits, _ in values] + [1]))
