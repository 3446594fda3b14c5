"""Core of a GEMM engine around a weight-stationary array or an adder tree.

::

    A -> buffer (all of A) ----------> array -> + sums of earlier blocks -> row queue -> output
    B -> the array's free weight bank ---^          (accumulator memory)

Loops, outermost first: column panels of B, blocks along K, rows of A. Each block of B is loaded
once, straight from the stream, while the block before it works. A block's partial sums are added
to the row's earlier ones in a memory of M rows; the last block's go on to the output stage.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from ..arith.adders import Add
from ..array.skew import delayed
from ..cells import shared
from ..cost import power_of_two
from ..stream import BufferMemory, RowQueue
from .core import (
    ArrayChoice,
    CoreShape,
    connect_output,
    core_ports,
    elements,
)
from .output import OutputStage
from .walk import Steps, advance, expecting, finished


class WeightStationaryCore(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``.

    Timing with streams that never stall: the first row of A enters the array one cycle after the
    last weight of the first block; see :mod:`matweave.sim.perf` for the whole model.
    """

    def __init__(self, *, shape: CoreShape, array: ArrayChoice):
        self.shape, self.array = shape, array
        described = array.describe()
        self.latency, self.array_width = described.latency, described.width
        self.a_depth = shape.max_m * shape.k_blocks
        #: Rows of the queue: what is on its way through the array, twice.
        self.queue_depth = power_of_two(2 * (self.latency + 4))
        super().__init__(core_ports(shape))

    def elaborate(self, platform):
        m = Module()
        shape, g = self.shape, self.shape.geometry
        m.submodules.array = array = self.array.shared()
        m.submodules.a_buffer = a_buffer = shared(
            BufferMemory, width=g.a_lanes * shape.pe.a.width, depth=self.a_depth
        )
        m.submodules.queue = queue = shared(
            RowQueue, width=g.n * shape.accumulator.width, depth=self.queue_depth
        )
        m.submodules.output = output = shared(OutputStage, shape=shape)

        # Loading A: beats are counted, not marked.
        a_push = Signal()
        a_level = Signal(range(self.a_depth + 1))
        a_open = self._load_a(m, a_push)
        m.d.comb += [
            self.a_tready.eq(a_open),
            a_push.eq(self.a_tvalid & self.a_tready),
            a_buffer.w_en.eq(a_push),
            a_buffer.w_addr.eq(a_level),
            a_buffer.w_data.eq(Cat(elements(self.a_tdata, shape.pe.a, g.a_lanes))),
        ]
        m.d.sync += a_level.eq(a_level + a_push)

        # Issuing rows of A.
        columns = Steps(m, "columns", self.n, g.n, shape.max_n)
        blocks = Steps(m, "blocks", self.k, g.k, shape.max_k)
        rows = Steps(m, "rows", self.m, 1, shape.max_m)
        loops = (rows, blocks, columns)
        running = Signal()
        issue = Signal()
        bank = Signal(reset_less=True)
        a_here = Signal()
        b_here = Signal()
        room = Signal()
        a_head = Signal(range(max(self.a_depth, 2)), reset_less=True)
        reserved = Signal(range(self.queue_depth + 1))
        loaded, filled = self._load_b(m, array, issue & rows.last)
        popped = queue.o_valid & queue.o_ready
        m.d.comb += [
            a_buffer.r_addr.eq(a_head),
            # Never more were used than are there.
            a_here.eq((a_level != a_head) | a_push),
            b_here.eq((loaded != 0) | filled),
            # The depth is a power of two: full is the top bit alone.
            room.eq(~blocks.last | ~reserved[-1]),
            # Blocks of B are there only while a job runs: all that come are used.
            issue.eq(a_here & b_here & room),
            self.tile.eq(issue & rows.last),
            self.stall_a.eq(running & ~a_here),
            self.stall_b.eq(running & ~b_here),
        ]
        m.d.sync += reserved.eq(reserved + (issue & blocks.last) - popped)
        with m.If(self.start):
            m.d.sync += [running.eq(1), a_level.eq(0), a_head.eq(0), bank.eq(0)]
            for loop in loops:
                loop.restart()
        with m.Elif(issue):
            advance(m, *loops)
            m.d.sync += a_head.eq(Mux(finished(rows, blocks), 0, a_head + 1))
            with m.If(rows.last):
                m.d.sync += bank.eq(~bank)
            with m.If(finished(*loops)):
                m.d.sync += running.eq(0)

        valid = Signal()
        row_bank = Signal(reset_less=True)
        m.d.sync += [valid.eq(issue), row_bank.eq(bank)]
        m.d.comb += [
            array.valid.eq(valid),
            array.bank.eq(row_bank),
            # Elements beyond K meet weights that are zero.
            array.a.eq(a_buffer.r_data),
        ]
        self._accumulate(m, array, queue, issue)

        connect_output(m, self, queue, output)
        return m

    def _load_a(self, m, push):
        """High while beats of A are expected."""
        shape = self.shape
        rows = Steps(m, "a_load_rows", self.m, 1, shape.max_m)
        blocks = Steps(m, "a_load_blocks", self.k, shape.geometry.k, shape.max_k)
        return expecting(m, "a", self.start, push, rows, blocks)

    def _load_b(self, m, array, release):
        """Weights from the stream into the array's banks.

        Returns the number of whole blocks in the array, and whether one is completed this cycle.
        """
        shape, g = self.shape, self.shape.geometry
        columns = Steps(m, "b_load_columns", self.n, g.n, shape.max_n)
        blocks = Steps(m, "b_load_blocks", self.k, g.k, shape.max_k)
        row = Signal(range(max(g.k, 2)), name="b_load_row", reset_less=True)
        active = Signal(name="b_open")
        push = Signal(name="b_push")
        bank = Signal(name="b_bank", reset_less=True)
        filled = Signal(name="b_filled")
        loaded = Signal(range(3), name="b_loaded")
        m.d.comb += [
            self.b_tready.eq(active & (loaded != 2)),
            push.eq(self.b_tvalid & self.b_tready),
            filled.eq(push & (row == blocks.top)),
            array.w.eq(Cat(elements(self.b_tdata, shape.pe.b, g.b_lanes))),
            array.w_row.eq(row),
            array.w_valid.eq(push),
            array.w_bank.eq(bank),
        ]
        m.d.sync += loaded.eq(loaded + filled - release)
        with m.If(self.start):
            m.d.sync += [active.eq(1), row.eq(0), bank.eq(0)]
            columns.restart()
            blocks.restart()
        with m.Elif(push):
            m.d.sync += row.eq(row + 1)
            with m.If(filled):
                m.d.sync += [row.eq(0), bank.eq(~bank)]
                advance(m, blocks, columns)
                with m.If(finished(blocks, columns)):
                    m.d.sync += active.eq(0)
        return loaded, filled

    def _accumulate(self, m, array, queue, issue):
        """Partial sums plus those of the row's earlier blocks; the last block's to the queue."""
        shape, g = self.shape, self.shape.geometry
        width = shape.accumulator.width
        # One cycle ahead of the array's output, to read the memory in time.
        coming = delayed(m, "coming", issue, self.latency, resettable=True)
        rows = Steps(m, "sum_rows", self.m, 1, shape.max_m)
        blocks = Steps(m, "sum_blocks", self.k, g.k, shape.max_k)
        first_block = Signal(reset_less=True)
        with m.If(self.start):
            rows.restart()
            blocks.restart()
            m.d.sync += first_block.eq(1)
        with m.Elif(coming):
            advance(m, rows, blocks, again=True)
            with m.If(rows.last):
                m.d.sync += first_block.eq(blocks.last)
        # A row's place is how many come after it.
        place, depth = rows.rest, shape.max_m
        row = Signal.like(place, name="row", reset_less=True)
        first, last = (Signal(name=name, reset_less=True) for name in ("first", "last"))
        m.d.sync += [row.eq(place), first.eq(first_block), last.eq(blocks.last)]

        m.submodules.sums = sums = shared(BufferMemory, width=g.n * width, depth=depth)
        totals = []
        for lane in range(g.n):
            m.submodules[f"add_{lane}"] = add = shared(
                Add,
                width=width,
                i_width=self.array_width,
                saturate=shape.saturate,
            )
            m.d.comb += [
                add.i.eq(array.o.word_select(lane, self.array_width)),
                add.c.eq(Mux(first, 0, sums.r_data.word_select(lane, width))),
            ]
            totals.append(add.o)
        m.d.comb += [
            sums.r_addr.eq(place),
            # The last block's sums go there too: nobody reads them, the next panel begins at zero.
            sums.w_en.eq(array.o_valid),
            sums.w_addr.eq(row),
            sums.w_data.eq(Cat(totals)),
            queue.i_data.eq(Cat(totals)),
            queue.i_valid.eq(array.o_valid & last),
        ]
