"""A network behind AXI4-Stream: one sample per beat, one beat per cycle."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring

from ..formats import lane_width
from ..stream import RowQueue, sink_ports, source_ports
from .graph import Graph
from .pipeline import Stages
from .rtl import Pipeline, lanes

__all__ = ["NetworkEngine"]


class NetworkEngine(wiring.Component):
    """The pipeline of a network between two streams.

    The pipeline never stops. A beat is only accepted when the queue at its end has room for the
    results of all that are on their way, so that back-pressure costs a counter, and no enable at
    every register. With a willing receiver it takes and gives a beat in every cycle.

    Parameters
    ----------
    graph : Graph
    stages : Stages

    Attributes
    ----------
    latency : int
        Cycles from a beat accepted to its result offered, if nothing waits: ``stages.count``.
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

    def __init__(self, *, graph: Graph, stages: Stages):
        self.graph, self.stages = graph, stages
        self.latency = stages.count
        self.depth = 1 << (self.latency + 1).bit_length()
        self.input_lane = _lane(graph, graph.inputs)
        self.output_lane = _lane(graph, graph.outputs)
        super().__init__(
            {
                **sink_ports("s_axis_x", self.input_lane * len(graph.inputs)),
                **source_ports("m_axis_y", self.output_lane * len(graph.outputs)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.pipeline = pipeline = Pipeline(graph=self.graph, stages=self.stages)
        m.submodules.queue = queue = RowQueue(width=len(pipeline.o) + 1, depth=self.depth)
        taken, given = Signal(), Signal()
        on_way = Signal(range(self.depth + 1))
        valid, last = Signal(self.latency), Signal(self.latency, reset_less=True)
        m.d.comb += [
            self.s_axis_x_tready.eq(on_way != self.depth),
            taken.eq(self.s_axis_x_tvalid & self.s_axis_x_tready),
            given.eq(self.m_axis_y_tvalid & self.m_axis_y_tready),
            pipeline.i.eq(Cat(*self._lanes_in())),
            queue.i_data.eq(Cat(pipeline.o, last[-1])),
            queue.i_valid.eq(valid[-1]),
            queue.o_ready.eq(self.m_axis_y_tready),
            self.m_axis_y_tvalid.eq(queue.o_valid),
            self.m_axis_y_tlast.eq(queue.o_data[-1]),
            self.m_axis_y_tdata.eq(Cat(*self._lanes_out(m, queue.o_data))),
        ]
        m.d.sync += [
            on_way.eq(on_way + taken - given),
            valid.eq(Cat(taken, valid)),
            last.eq(Cat(self.s_axis_x_tlast, last)),
        ]
        return m

    def _lanes_in(self):
        for place, index in enumerate(self.graph.inputs):
            first = place * self.input_lane
            yield self.s_axis_x_tdata[first : first + self.graph[index].width]

    def _lanes_out(self, m, packed):
        for index, (first, width) in zip(
            self.graph.outputs, lanes(self.graph, self.graph.outputs), strict=True
        ):
            lane = Signal(self.output_lane, name=f"lane{first}")
            value = packed[first : first + width]
            m.d.comb += lane.eq(value.as_signed() if self.graph[index].signed else value)
            yield lane


def _lane(graph, indices) -> int:
    return lane_width(max([graph[index].width for index in indices] + [1]))
