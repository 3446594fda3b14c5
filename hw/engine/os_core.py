"""Core of a GEMM engine around an output-stationary array.

::

    A -> circular buffer (two row panels) --+
                                            +-> array -> row queue -> output stage -> C
    B -> buffer (all column panels) --------+

Loops, outermost first: row panels of A, column panels of B, groups along K if a job may have
several (each with sums of its own), blocks along K, planes of bit-serial weights. Operands are used
in the cycle after they arrive or whenever they are needed again, so that computation starts with
the first beats and each element crosses the port once. Nothing in the array ever waits: the last
block of a tile is issued only when the row queue has room for the tile.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.utils import exact_log2

from ..cells import shared
from ..cost import power_of_two
from ..stream import BufferMemory, RowQueue
from ..weights import WeightFormat
from .core import (
    ArrayChoice,
    CoreShape,
    connect_output,
    core_ports,
    elements,
    group_loops,
    mask_depth,
)
from .output import ChannelTable, OutputStage
from .regmap import TABLES
from .walk import Steps, advance, expecting, finished

ZERO = TABLES.index("zero")


class OutputStationaryCore(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``.

    Bit-serial weights: a beat of B is one plane of a block; planes are the innermost loop, and the
    block of A stays for all of them. Zero points: a table beside the array, read as sums leave. A
    B that is kept is there from the start, as if all of its beats had come.

    Timing with streams that never stall: the block of beat *i* enters the array one cycle after
    the beat; see :mod:`matweave.sim.perf` for the whole model.
    """

    def __init__(self, *, shape: CoreShape, array: ArrayChoice):
        self.shape, self.array = shape, array
        described = array.describe()
        g = shape.geometry
        #: Beats of the A buffer: two panels, so that the next one loads while this one is used.
        blocks = shape.k_blocks * shape.groups
        self.a_depth = power_of_two(2 * blocks)
        self.b_depth = shape.panels * blocks * (shape.pe.b.width if shape.serial else 1)
        #: Rows of the queue: two tiles and what is on its way through the array.
        self.queue_depth = power_of_two(2 * g.m + described.latency + 4)
        super().__init__(core_ports(shape))

    def elaborate(self, platform):
        m = Module()
        shape, g = self.shape, self.shape.geometry
        m.submodules.array = array = self.array.shared()
        m.submodules.queue = queue = shared(
            RowQueue, width=g.n * shape.accumulator.width, depth=self.queue_depth
        )
        m.submodules.output = output = shared(OutputStage, shape=shape)
        connect_output(m, self, queue, output)

        a_freed = Signal(range(self.a_depth + 1))
        a_buffer, a_push, a_level = self._load(
            m, "a", shape.pe.a, g.a_lanes, self.a_depth, self.m, g.m, shape.max_m, a_freed
        )
        b_format = WeightFormat(1) if shape.serial else shape.pe.b
        b_buffer, b_push, b_level = self._load(
            m, "b", b_format, g.b_lanes, self.b_depth, self.n, g.n, shape.max_n
        )

        # Issuing.
        rows = Steps(m, "rows", self.m, g.m, shape.max_m)
        columns = Steps(m, "columns", self.n, g.n, shape.max_n, indexed=shape.zero_points)
        blocks = Steps(m, "blocks", self.k, g.k, shape.max_k, indexed=True)
        planes = self._planes(m, "planes", indexed=True)
        groups = group_loops(m, self, "groups", indexed=shape.zero_points)
        sums = (*planes, blocks)
        panel = (*sums, *groups)
        loops = (*panel, columns, rows)
        running = Signal()
        issue = Signal()
        gate = Signal()
        a_base = Signal(range(self.a_depth), reset_less=True)
        a_head = Signal(range(self.a_depth))
        b_head = Signal(range(max(self.b_depth, 2)), reset_less=True)
        a_here = Signal()
        b_here = Signal()
        a_free = Signal()
        room = self._room(m, queue, rows)
        a_place = self._place(m, issue, blocks, planes, groups)
        m.d.comb += [
            a_head.eq(a_base + a_place),
            a_buffer.r_addr.eq(a_head),
            b_buffer.r_addr.eq(b_head),
            # Never more were used than are there, and a beat that arrives in this very cycle is
            # read with its new value.
            a_here.eq((a_level != a_place) | a_push),
            b_here.eq((b_level != b_head) | b_push),
            gate.eq(~finished(*sums) | room),
            issue.eq(running & a_here & b_here & gate),
            a_free.eq(issue & finished(*panel, columns)),
            a_freed.eq(Mux(a_free, a_place + 1, 0)),
            self.tile.eq(issue & finished(*sums)),
            self.stall_a.eq(running & ~a_here),
            self.stall_b.eq(running & ~b_here),
        ]
        with m.If(self.start):
            m.d.sync += [running.eq(1), a_base.eq(0), b_head.eq(0)]
            for loop in loops:
                loop.restart()
        with m.Elif(issue):
            advance(m, *loops)
            m.d.sync += b_head.eq(Mux(finished(*panel, columns), 0, b_head + 1))
            with m.If(a_free):
                m.d.sync += a_base.eq(a_head + 1)
            with m.If(finished(*loops)):
                m.d.sync += running.eq(0)

        along = self._along(m, array, issue, self._starts(blocks, planes), finished(*sums), rows)
        self._weights(m, array, planes, groups, columns)
        a = mask_depth(m, a_buffer.r_data, g, shape.pe.a.width, blocks, "k_mask")
        m.d.comb += [
            *along,
            array.a.eq(a),
            array.b.eq(b_buffer.r_data),
            queue.i_data.eq(array.o),
            queue.i_valid.eq(array.o_valid),
        ]
        return m

    def _along(self, m, array, issue, first, last, rows):
        """What goes along with a block: the buffers answer a cycle later, and so does this."""
        valid = Signal()
        is_first = Signal(name="first", reset_less=True)
        is_last = Signal(name="last", reset_less=True)
        size = Signal.like(rows.size, name="size", reset_less=True)
        m.d.sync += [valid.eq(issue), is_first.eq(first), is_last.eq(last), size.eq(rows.size)]
        return [
            array.valid.eq(valid),
            array.first.eq(is_first),
            array.last.eq(is_last),
            array.size.eq(size),
        ]

    def _planes(self, m, name: str, **options) -> tuple[Steps, ...]:
        """The loop over the bits of bit-serial weights, innermost."""
        if not self.shape.serial:
            return ()
        return (Steps(m, name, self.b_bits, 1, self.shape.pe.b.width, **options),)

    def _starts(self, blocks, planes):
        """Whether this is the first step of a sum."""
        first = blocks.index == 0
        return first & (planes[0].index == 0) if planes else first

    def _place(self, m, issue, blocks, planes, groups):
        """Which beat of A's row panel is in use: the block's, or with groups that of all."""
        if not groups:
            return blocks.index
        place = Signal(range(self.shape.k_blocks * self.shape.groups), name="a_place")
        moves = issue & finished(*planes) if planes else issue
        with m.If(self.start):
            m.d.sync += place.eq(0)
        with m.Elif(moves):
            m.d.sync += place.eq(Mux(finished(blocks, *groups), 0, place + 1))
        return place

    def _weights(self, m, array, planes, groups, columns):
        """What the array must know of weights beside their bits: which plane these are of, how
        they are coded, and the zero points of the columns whose sums it gives."""
        if planes:
            (plane,) = planes
            plane_index = Signal.like(plane.index, name="plane", reset_less=True)
            last_plane = Signal(name="last_plane", reset_less=True)
            m.d.sync += [plane_index.eq(plane.index), last_plane.eq(plane.last)]
            m.d.comb += [
                array.plane.eq(plane_index),
                array.last_plane.eq(last_plane),
                array.bits.eq(self.b_bits),
                array.coding.eq(self.b_coding),
            ]
        if self.shape.zero_points:
            panel = Signal.like(array.panel, name="panel", reset_less=True)
            index = columns.index
            if groups:
                index = index + groups[0].index * self.shape.panels
            m.d.sync += panel.eq(index)
            m.submodules.zero_table = table = shared(
                ChannelTable, width=self.shape.zero_width, lanes=self.shape.geometry.n,
                panels=self.shape.panels * self.shape.groups,
            )  # fmt: skip
            m.d.comb += [
                table.w_en.eq(self.t_en[ZERO]),
                table.w_panel.eq(self.t_panel),
                table.w_lane.eq(self.t_lane),
                table.w_data.eq(self.t_data[: self.shape.zero_width]),
                table.r_en.eq(1),
                array.panel.eq(panel),
                table.r_panel.eq(array.zero_panel),
                array.zeros.eq(Mux(self.subtract_zeros, table.r_data, 0)),
            ]

    def _room(self, m, queue, tile):
        """Whether the ``tile`` (a step of the rows) may end now: the queue has room for it beside
        what is reserved, and the array has given the tile before."""
        rows = self.shape.geometry.m
        reserved = Signal(range(self.queue_depth + 1), name="reserved")
        popped = queue.o_valid & queue.o_ready
        m.d.sync += reserved.eq(reserved + Mux(self.tile, tile.size, 0) - popped)
        # Its last row has a place below the depth, a power of two: that bit alone says so.
        room = ~(reserved + tile.top)[exact_log2(self.queue_depth)]
        if rows == 1:
            return room
        # The array gives a tile in as many cycles as it has rows.
        spacing = Signal(range(rows), name="spacing")
        with m.If(self.tile):
            m.d.sync += spacing.eq(rows - 1)
        with m.Elif(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        return room & (spacing == 0)

    def _load(self, m, name: str, format, lanes: int, depth: int, total, step: int, limit: int,
              freed=None):  # fmt: skip
        """Operand ``name`` from its stream into a buffer of ``depth`` beats, counted, not marked.

        Returns the buffer, whether a beat comes in this cycle, and how many are there. ``freed``:
        as many leave; the buffer is then circular. ``total``, ``step``, ``limit``: of the loop
        around the blocks along K.
        """
        shape = self.shape
        m.submodules[f"{name}_buffer"] = buffer = shared(
            BufferMemory, width=lanes * format.width, depth=depth
        )
        push = Signal(name=f"{name}_push")
        level = Signal(range(depth + 1), name=f"{name}_level")
        outer = Steps(m, f"{name}_load", total, step, limit)
        blocks = Steps(m, f"{name}_load_k", self.k, shape.geometry.k, shape.max_k)
        planes = self._planes(m, f"{name}_load_plane") if name == "b" else ()
        kept = self.keep_b if name == "b" and shape.keep_b else None
        fetched = {} if kept is None else {"when": ~kept}
        groups = group_loops(m, self, f"{name}_load_group")
        ready = expecting(m, name, self.start, push, *planes, blocks, *groups, outer, **fetched)
        tail, taken = level, level + push
        if freed is not None:
            # ``depth`` is a power of two: full is the top bit alone.
            ready, taken = ready & ~level[-1], level + push - freed
            tail = Signal(range(depth), name=f"{name}_tail", reset_less=True)
            m.d.sync += tail.eq(Mux(self.start, 0, tail + push))
        before = 0 if kept is None else Mux(kept, level, 0)
        m.d.sync += level.eq(Mux(self.start, before, taken))
        m.d.comb += [
            getattr(self, f"{name}_tready").eq(ready),
            push.eq(getattr(self, f"{name}_tvalid") & ready),
            buffer.w_en.eq(push),
            buffer.w_addr.eq(tail),
            buffer.w_data.eq(Cat(elements(getattr(self, f"{name}_tdata"), format, lanes))),
        ]
        return buffer, push, level
