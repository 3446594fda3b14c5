"""Core of a GEMM engine around the array ``digit_serial``.

::

    A -> recoder, lists (per row, two panels) -----------+
                                                         +-> array -> results -> queue -> output
    B -> a copy per row (all column panels) -------------+

Loops of every row, outermost first: row panels of A, column panels of B, weights, digits (or groups
of operands, and their digits in the PEs). A tile begins once its panels are there as a whole; the
next panel of A loads meanwhile. Rows run at their own pace as far as the two panels of A and two
results per row allow, or start each tile together (the array's ``barrier``); results leave in order
in any case. Cycles depend on the data.
"""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring

from ..array.serial_drain import SLOTS
from ..cells import shared
from ..stream import RowQueue
from .core import ArrayChoice, CoreShape, connect_output, core_ports, elements
from .output import OutputStage
from .serial_row import LOADING, SerialRow
from .walk import Steps, advance, expecting, finished


class DigitSerialCore(wiring.Component):
    """One job at a time: ``start`` with its parameters, then its streams, then ``done``."""

    def __init__(self, *, shape: CoreShape, array: ArrayChoice):
        self.shape, self.array = shape, array
        self.described = array.describe()
        self.blocks = shape.pe.blocks(shape.max_k)
        #: Beats of A held, as digits: two panels.
        self.a_depth = 2 * shape.max_k
        #: Rows of B held, in as many copies as there are rows.
        self.b_depth = shape.panels * shape.pe.banks * self.blocks
        #: Results wait in the array.
        self.queue_depth = 4
        super().__init__(core_ports(shape))

    def elaborate(self, platform):
        m = Module()
        shape, g, pe = self.shape, self.shape.geometry, self.shape.pe
        m.submodules.array = array = self.array.shared()
        m.submodules.queue = queue = shared(
            RowQueue, width=g.n * shape.accumulator.width, depth=self.queue_depth
        )
        m.submodules.output = output = shared(OutputStage, shape=shape)
        connect_output(m, self, queue, output)
        rows = []
        for number in range(g.m):
            row = shared(SerialRow, pe=pe, columns=g.n, blocks=self.blocks, panels=shape.panels)
            m.submodules[f"row_{number}"] = row
            rows.append(row)

        self._load_a(m, rows)
        self._load_b(m, rows)
        go = 1
        if self.described.barrier:
            go = Signal(name="together")
            m.d.comb += go.eq(Cat(row.waits | ~row.live for row in rows).all())
        for number, row in enumerate(rows):
            m.d.comb += [row.restart.eq(self.start), row.go.eq(go)]
            m.d.comb += row.grant.eq(array.grant[number])
            if pe.group:
                m.d.comb += row.done.eq(array.done[number])
        for name in ("b", "select", "clear", "shift", "due", "slot"):
            m.d.comb += getattr(array, name).eq(Cat(getattr(row, name) for row in rows))
        self._take(m, array, queue)
        return m

    def _load_a(self, m, rows):
        """One element of every row per beat; a half is free when no row works on it."""
        shape, g, lanes = self.shape, self.shape.geometry, self.shape.pe.banks
        push, half = Signal(name="a_push"), Signal(name="a_half")
        panels = Steps(m, "a_load", self.m, g.m, shape.max_m)
        k = Steps(m, "a_load_k", self.k, 1, shape.max_k, indexed=True)
        is_open = expecting(m, "a", self.start, push, k, panels)
        busy = [Cat(row.busy[which] for row in rows).any() for which in range(2)]
        starved = Cat(row.starved[0] for row in rows).any()
        m.d.comb += [
            self.a_tready.eq(is_open & ~Mux(half, busy[1], busy[0])),
            push.eq(self.a_tvalid & self.a_tready),
            self.stall_a.eq(starved & self.a_tready & ~self.a_tvalid),
        ]
        with m.If(self.start):
            m.d.sync += half.eq(0)
        with m.Elif(push & k.last):
            m.d.sync += half.eq(~half)
        lane, block = _place(k.index, lanes)
        # A cycle later, behind the recoders.
        loading = {"push": push, "opens": k.index == 0, "half": half, "lane": lane, "block": block}
        later = {name: Signal(len(value), name=f"load_{name}") for name, value in loading.items()}
        m.d.sync += [later[name].eq(value) for name, value in loading.items()]
        operands = elements(self.a_tdata, shape.pe.a, g.a_lanes)
        for number, (row, operand) in enumerate(zip(rows, operands, strict=True)):
            loaded = Signal(name=f"loaded_{number}")
            m.d.sync += loaded.eq(push & k.last & panels.has(number))
            m.d.comb += [row.a.eq(operand), row.loaded.eq(loaded)]
            m.d.comb += [getattr(row, name).eq(later[name]) for name in LOADING]

    def _load_b(self, m, rows):
        """The same beat into every copy, bank after bank."""
        shape, g, lanes = self.shape, self.shape.geometry, self.shape.pe.banks
        push = Signal(name="b_push")
        panels = Steps(m, "b_load", self.n, g.n, shape.max_n)
        k = Steps(m, "b_load_k", self.k, 1, shape.max_k, indexed=True)
        is_open = expecting(m, "b", self.start, push, k, panels)
        lane, _ = _place(k.index, lanes)
        address = Signal(range(max(shape.panels * self.blocks, 2)), name="b_address")
        there = Signal(range(shape.panels + 1), name="b_panels")
        whole = Signal(name="b_whole")
        starved = Cat(row.starved[1] for row in rows).any()
        m.d.comb += [
            self.b_tready.eq(is_open),
            push.eq(self.b_tvalid & self.b_tready),
            self.stall_b.eq(starved & ~self.b_tvalid),
        ]
        with m.If(self.start):
            m.d.sync += [address.eq(0), there.eq(0), whole.eq(0)]
        with m.Elif(push):
            m.d.sync += [
                address.eq(address + (k.last | (lane == lanes - 1))),
                there.eq(there + k.last),
                whole.eq(finished(k, panels)),
            ]
        operands = Cat(elements(self.b_tdata, shape.pe.b, g.b_lanes))
        for row in rows:
            m.d.comb += [
                row.b_en.eq(Cat(push & (lane == bank) for bank in range(lanes))),
                row.b_addr.eq(address),
                row.b_data.eq(operands),
                row.panels_there.eq(there),
                row.whole.eq(whole),
                row.stride.eq((self.k + lanes - 1) >> (lanes.bit_length() - 1)),
            ]

    def _take(self, m, array, queue):
        """Results from the array to the queue, row by row of each tile, tile by tile."""
        shape, g = self.shape, self.shape.geometry
        panels = Steps(m, "take_rows", self.m, g.m, shape.max_m)
        columns = Steps(m, "take_columns", self.n, g.n, shape.max_n)
        row = Signal(range(max(g.m, 2)), name="take_row")
        slot = Signal(name="take_slot")
        last = Signal(name="take_last")
        given = Signal(name="given")
        waiting = Signal(range(self.queue_depth + 1), name="waiting")
        ready = [array.ready[which * g.m : (which + 1) * g.m] for which in range(SLOTS)]
        m.d.comb += [
            array.take_row.eq(row),
            array.take_slot.eq(slot),
            array.take.eq(
                Array(Mux(slot, late, early) for early, late in zip(*ready, strict=True))[row]
                & ~waiting[-1]  # the depth is a power of two
            ),
            last.eq(row == panels.top),
            self.tile.eq(array.take & last),
            queue.i_data.eq(array.o),
            queue.i_valid.eq(given),
        ]
        m.d.sync += [
            given.eq(array.take),
            waiting.eq(waiting + array.take - (queue.o_valid & queue.o_ready)),
        ]
        with m.If(self.start):
            m.d.sync += [row.eq(0), slot.eq(0)]
            panels.restart()
            columns.restart()
        with m.Elif(array.take):
            m.d.sync += row.eq(row + 1)
            with m.If(last):
                m.d.sync += [row.eq(0), slot.eq(~slot)]
                advance(m, columns, panels)


def _place(k, lanes: int):
    """Lane (or place in its group) and block of element ``k``."""
    bits = lanes.bit_length() - 1
    lane = k[:bits] if bits else Signal(name="lane_0")
    block = k[bits:] if len(k) > bits else Signal(name="block_0")
    return lane, block
