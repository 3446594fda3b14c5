"""The output stage: add C0 and bias, requantise, order and mask the beats of C.

::

    row queue -> [+ C0 + bias] -> reg -> [requantise, 3 stages] -> C
                  pop cycle p    p+1      p+2 … p+4

All stages advance together when C's last stage is empty or accepted.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..floats import FloatFormat
from ..formats import Overflow
from ..geometry import Stationary
from ..stream import SkidBuffer, sink_ports, source_ports
from .core import CoreShape, group_loops, job_ports, table_ports
from .float_lane import FloatOutputLane
from .output_lane import OutputLane, lane_latency
from .walk import Rows, Steps, advance, expecting, finished


class ChannelTable(wiring.Component):
    """One number of ``width`` bits per output channel: ``panels`` words of ``lanes`` lanes.

    Writes one lane; reads a whole panel, one cycle after ``r_panel`` is given with ``r_en``.
    """

    def __init__(self, *, width: int, lanes: int, panels: int):
        self.width, self.lanes, self.panels = width, lanes, panels
        super().__init__(
            {
                "w_en": In(1),
                "w_panel": In(range(max(panels, 2))),
                "w_lane": In(range(max(lanes, 2))),
                "w_data": In(width),
                "r_en": In(1),
                "r_panel": In(range(max(panels, 2))),
                "r_data": Out(lanes * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.lanes * self.width, depth=max(self.panels, 2), init=[]
        )
        write = memory.write_port(granularity=self.width)
        read = memory.read_port()
        enables = Cat(self.w_en & (self.w_lane == lane) for lane in range(self.lanes))
        m.d.comb += [
            write.en.eq(enables),
            write.addr.eq(self.w_panel),
            write.data.eq(Cat(self.w_data for _ in range(self.lanes))),
            read.en.eq(self.r_en),
            read.addr.eq(self.r_panel),
            self.r_data.eq(read.data),
        ]
        return m


class OutputStage(wiring.Component):
    """Rows of accumulators in, beats of C out, in the order of ``docs/reference/streams.md``.

    Ports: ``i_data`` (n accumulators), ``i_valid``, ``i_ready``; the job's parameters; the channel
    tables' write port; streams ``c0`` and ``c``; pulses ``done``, ``stall_c0``, ``stall_c``.
    Latency from ``i`` to ``c``: 1 cycle, 4 if requantisation is built in, or 2 of floats.
    """

    def __init__(self, *, shape: CoreShape):
        self.shape = shape
        self.floats = isinstance(shape.result, FloatFormat)
        self.latency = FloatOutputLane.latency if self.floats else lane_latency(shape.output)
        super().__init__(
            {
                **job_ports(shape),
                **table_ports(shape),
                "i_data": In(shape.geometry.n * shape.accumulator.width),
                "i_valid": In(1),
                "i_ready": Out(1),
                **sink_ports("c0", shape.c0_width),
                **source_ports("c", shape.c_width),
                "done": Out(1),
                "stall_c0": Out(1),
                "stall_c": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        enable = Signal()
        pop = Signal()

        # C0 through a register slice: its tready must not depend on C's in the same cycle.
        m.submodules.c0_slice = c0 = shared(SkidBuffer, width=shape.c0_width)
        c0_ready = ~self.add_c0 | c0.o_valid
        c0_push = Signal()
        c0_open = self._load_c0(m, c0_push)
        m.d.comb += [
            c0.i_data.eq(self.c0_tdata),
            c0.i_valid.eq(c0_push),
            c0_push.eq(self.c0_tvalid & self.c0_tready),
            self.c0_tready.eq(c0.i_ready & c0_open),
            c0.o_ready.eq(pop & self.add_c0),
            self.i_ready.eq(enable & c0_ready),
            pop.eq(self.i_valid & self.i_ready),
            self.stall_c0.eq(self.i_valid & ~c0_ready),
        ]

        panel, loops = self._loops(m)
        with m.If(self.start):
            for loop in loops:
                loop.restart()
        with m.Elif(pop):
            advance(m, *loops)
        # The bias is added in the cycle of the pop, so its table is read a cycle ahead. No array
        # has a row in the cycle after a start, so what is read during that does not matter.
        next_panel = Signal.like(panel.index)
        moves = pop & finished(*loops[: loops.index(panel)])
        m.d.comb += next_panel.eq(panel.index)
        with m.If(moves):
            m.d.comb += next_panel.eq(panel.following(panel is not loops[-1]))
        bias = self._table(m, 0, 32, next_panel, 1)

        # Lanes beyond N are zeroed; a panel has one column at least.
        keep = Cat(panel.has(lane) for lane in range(1, shape.geometry.n))
        tail = {"valid": pop, "last": finished(*loops)}
        if len(keep):
            tail["keep"] = keep
        for number in range(self.latency):
            tail = self._stage(m, number, enable, tail)
        self._lanes(m, enable, panel, c0, bias, tail.get("keep"))
        m.d.comb += [
            self.c_tvalid.eq(tail["valid"]),
            self.c_tlast.eq(tail["last"]),
            enable.eq(~tail["valid"] | self.c_tready),
            self.done.eq(tail["valid"] & self.c_tready & tail["last"]),
            self.stall_c.eq(tail["valid"] & ~self.c_tready),
        ]
        return m

    def _lanes(self, m, enable, panel, c0, bias, keep):
        """The arithmetic, lane by lane."""
        shape, output = self.shape, self.shape.output
        scaled = output.format is not None
        if output.per_channel:
            # Read with the first stage, held with it.
            multipliers = self._table(m, 1, 31, panel.index, enable)
            shifts = self._table(m, 2, 6, panel.index, enable)
        for lane in range(shape.geometry.n):
            m.submodules[f"lane_{lane}"] = unit = self._lane()
            m.d.comb += [
                unit.en.eq(enable),
                unit.accumulator.eq(self.i_data.word_select(lane, shape.accumulator.width)),
                unit.c0.eq(c0.o_data.word_select(lane, shape.result.width)),
                unit.bias.eq(bias.word_select(lane, 32)),
                unit.add_c0.eq(self.add_c0),
                unit.add_bias.eq(self.add_bias),
                unit.relu.eq(self.relu),
                self.c_tdata.word_select(lane, len(unit.o)).eq(
                    Mux(keep[lane - 1], unit.o, 0) if lane else unit.o
                ),
            ]
            if scaled:
                m.d.comb += [
                    unit.requantize.eq(self.requantize),
                    unit.zero_point.eq(self.zero_point),
                    unit.multiplier.eq(
                        multipliers.word_select(lane, 31) if output.per_channel else self.multiplier
                    ),
                    unit.shift.eq(
                        shifts.word_select(lane, 6) if output.per_channel else self.shift
                    ),
                ]

    def _lane(self):
        shape = self.shape
        if self.floats:
            return shared(FloatOutputLane, format=shape.result)
        return shared(
            OutputLane,
            accumulator=shape.accumulator,
            result=shape.result,
            output=shape.output,
            saturate=shape.overflow is Overflow.SATURATE,
        )

    def _load_c0(self, m, push):
        """High while beats of C0 are expected: from the start of a job that adds it, as many as
        there are beats of C."""
        shape = self.shape
        rows = Steps(m, "c0_rows", self.m, 1, shape.max_m)
        columns = Steps(m, "c0_columns", self.n, shape.geometry.n, shape.max_n)
        groups = group_loops(m, self, "c0_groups")
        return expecting(m, "c0", self.start, push, rows, *groups, columns, when=self.add_c0)

    def _loops(self, m):
        """Column panel, and all loops of the beats of C from the innermost."""
        shape, g = self.shape, self.shape.geometry
        columns = Steps(m, "n", self.n, g.n, shape.max_n, indexed=True)
        if g.stationary is Stationary.WEIGHT:
            return columns, [Steps(m, "m", self.m, 1, shape.max_m), columns]
        rows = Steps(m, "m", self.m, g.m, shape.max_m)
        groups = group_loops(m, self, "groups")
        return columns, [Rows(m, rows.top, g.m), *groups, columns, rows]

    def _table(self, m, number: int, width: int, panel, enable):
        name = ("bias", "multiplier", "shift")[number]
        m.submodules[f"{name}_table"] = table = shared(
            ChannelTable, width=width, lanes=self.shape.geometry.n, panels=self.shape.panels
        )
        m.d.comb += [
            table.w_en.eq(self.t_en[number]),
            table.w_panel.eq(self.t_panel),
            table.w_lane.eq(self.t_lane),
            table.w_data.eq(self.t_data[:width]),
            table.r_en.eq(enable),
            table.r_panel.eq(panel),
        ]
        return table.r_data

    def _stage(self, m, number: int, enable, values: dict):
        """Registers for ``values``, advancing with ``enable``."""
        registers = {}
        for name, value in values.items():
            registers[name] = Signal(
                len(value), name=f"{name}_{number}", reset_less=name != "valid"
            )
            with m.If(enable):
                m.d.sync += registers[name].eq(value)
        return registers
