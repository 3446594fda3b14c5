"""Core of a GEMM engine around an output-stationary array.

::

    A -> circular buffer (two row panels) --+
                                            +-> array -> row queue -> output stage -> C
    B -> buffer (all column panels) --------+

Loops, outermost first: row panels of A, column panels of B, blocks along K. Operands are used in
the cycle after they arrive or whenever they are needed again, so that computation starts with the
first beats and each element crosses the port once. Nothing in the array ever waits: the last block
of a tile is issued only when the row queue has room for the tile.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from ..cells import shared
from ..stream import BufferMemory, RowQueue
from .core import (
    ArrayChoice,
    CoreShape,
    connect_output,
    core_ports,
    elements,
    mask_depth,
    power_of_two,
)
from .output import OutputStage
from .walk import Steps, advance, expecting, finished


class OutputStationaryCore(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``.

    Timing with streams that never stall: the block of beat *i* enters the array one cycle after
    the beat; see :mod:`matweave.sim.perf` for the whole model.
    """

    def __init__(self, *, shape: CoreShape, array: ArrayChoice):
        self.shape, self.array = shape, array
        described = array.describe()
        g = shape.geometry
        #: Beats of the A buffer: two panels, so that the next one loads while this one is used.
        self.a_depth = power_of_two(2 * shape.k_blocks)
        self.b_depth = shape.panels * shape.k_blocks
        #: Rows of the queue: two tiles and what is on its way through the array.
        self.queue_depth = power_of_two(2 * g.m + described.latency + 4)
        super().__init__(core_ports(shape))

    def elaborate(self, platform):
        m = Module()
        shape, g = self.shape, self.shape.geometry
        m.submodules.array = array = self.array.shared()
        m.submodules.a_buffer = a_buffer = shared(
            BufferMemory, width=g.a_lanes * shape.pe.a.width, depth=self.a_depth
        )
        m.submodules.b_buffer = b_buffer = shared(
            BufferMemory, width=g.b_lanes * shape.pe.b.width, depth=self.b_depth
        )
        m.submodules.queue = queue = shared(
            RowQueue, width=g.n * shape.accumulator.width, depth=self.queue_depth
        )
        m.submodules.output = output = shared(OutputStage, shape=shape)
        connect_output(m, self, queue, output)

        # Loading: beats are counted, not marked.
        a_push = Signal()
        a_level = Signal(range(self.a_depth + 1))
        a_tail = Signal(range(self.a_depth))
        b_push = Signal()
        b_level = Signal(range(self.b_depth + 1))
        a_open = self._load(m, "a", a_push, self.m, g.m, shape.max_m)
        b_open = self._load(m, "b", b_push, self.n, g.n, shape.max_n)
        m.d.comb += [
            self.a_tready.eq(a_open & (a_level != self.a_depth)),
            a_push.eq(self.a_tvalid & self.a_tready),
            a_buffer.w_en.eq(a_push),
            a_buffer.w_addr.eq(a_tail),
            a_buffer.w_data.eq(Cat(elements(self.a_tdata, shape.pe.a, g.a_lanes))),
            self.b_tready.eq(b_open),
            b_push.eq(self.b_tvalid & self.b_tready),
            b_buffer.w_en.eq(b_push),
            b_buffer.w_addr.eq(b_level),
            b_buffer.w_data.eq(Cat(elements(self.b_tdata, shape.pe.b, g.b_lanes))),
        ]
        m.d.sync += [a_tail.eq(a_tail + a_push), b_level.eq(b_level + b_push)]

        # Issuing.
        rows = Steps(m, "rows", self.m, g.m, shape.max_m)
        columns = Steps(m, "columns", self.n, g.n, shape.max_n)
        blocks = Steps(m, "blocks", self.k, g.k, shape.max_k, indexed=True)
        loops = (blocks, columns, rows)
        running = Signal()
        issue = Signal()
        gate = Signal()
        a_base = Signal(range(self.a_depth))
        a_head = Signal(range(self.a_depth))
        b_head = Signal(range(max(self.b_depth, 2)))
        a_here = Signal()
        b_here = Signal()
        a_free = Signal()
        room = self._room(m, queue, rows.size)
        m.d.comb += [
            a_head.eq(a_base + blocks.index),
            a_buffer.r_addr.eq(a_head),
            b_buffer.r_addr.eq(b_head),
            # A beat that arrives in this very cycle is read with its new value.
            a_here.eq((a_level > blocks.index) | (a_push & (a_level == blocks.index))),
            b_here.eq((b_level > b_head) | (b_push & (b_level == b_head))),
            gate.eq(~blocks.last | room),
            issue.eq(running & a_here & b_here & gate),
            a_free.eq(issue & finished(blocks, columns)),
            self.tile.eq(issue & blocks.last),
            self.stall_a.eq(running & ~a_here),
            self.stall_b.eq(running & ~b_here),
        ]
        m.d.sync += a_level.eq(a_level + a_push - Mux(a_free, blocks.index + 1, 0))
        with m.If(self.start):
            m.d.sync += [running.eq(1), a_tail.eq(0), a_level.eq(0), b_level.eq(0)]
            m.d.sync += [a_base.eq(0), b_head.eq(0)]
            for loop in loops:
                loop.restart()
        with m.Elif(issue):
            advance(m, *loops)
            m.d.sync += b_head.eq(Mux(finished(blocks, columns), 0, b_head + 1))
            with m.If(a_free):
                m.d.sync += a_base.eq(a_head + 1)
            with m.If(finished(*loops)):
                m.d.sync += running.eq(0)

        # The buffers answer a cycle later; so do these.
        valid = Signal()
        first = Signal()
        last = Signal()
        size = Signal.like(rows.size, name="size")
        m.d.sync += [
            valid.eq(issue),
            first.eq(blocks.index == 0),
            last.eq(blocks.last),
            size.eq(rows.size),
        ]
        a = mask_depth(m, a_buffer.r_data, g, shape.pe.a.width, blocks.size, "k_mask")
        m.d.comb += [
            array.valid.eq(valid),
            array.first.eq(first),
            array.last.eq(last),
            array.size.eq(size),
            array.a.eq(a),
            array.b.eq(b_buffer.r_data),
            queue.i_data.eq(array.o),
            queue.i_valid.eq(array.o_valid),
        ]
        return m

    def _room(self, m, queue, size):
        """Whether a tile of ``size`` rows may end now: the queue has room for it beside what is
        reserved, and the array has given the tile before."""
        rows = self.shape.geometry.m
        reserved = Signal(range(self.queue_depth + 1), name="reserved")
        popped = queue.o_valid & queue.o_ready
        m.d.sync += reserved.eq(reserved + Mux(self.tile, size, 0) - popped)
        room = reserved + size <= self.queue_depth
        if rows == 1:
            return room
        # The array gives a tile in as many cycles as it has rows.
        spacing = Signal(range(rows), name="spacing")
        with m.If(self.tile):
            m.d.sync += spacing.eq(rows - 1)
        with m.Elif(spacing != 0):
            m.d.sync += spacing.eq(spacing - 1)
        return room & (spacing == 0)

    def _load(self, m, name: str, push, total, step: int, limit: int):
        """High while beats of operand ``name`` are expected."""
        shape = self.shape
        outer = Steps(m, f"{name}_load", total, step, limit)
        blocks = Steps(m, f"{name}_load_k", self.k, shape.geometry.k, shape.max_k)
        return expecting(m, name, self.start, push, blocks, outer)
