"""The array of low-bit PEs: M rows of activations, N columns of weights, K products in each PE.

::

           weights (as in memory)
    valid ->     edge              one per column
               register
                  |
    activations ->front->register->[PE]---- N of them share a row's register
                                     |
                                  column bus: the rows that are read

Operands are broadcast, nothing is skewed: it is one tile of :mod:`..array.os_grid`, elongated along
N, whose row registers hold tables (or what a baseline needs), so that all that is compared has the
same registers, accumulators and buses.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.edge import resolved
from ..array.os_grid import OsTile
from ..array.skew import delayed
from ..cells import shared
from .base import LowBitPe
from .row_sum import RowSumPe


class LowBitTile(wiring.Component):
    """``rows`` x ``columns`` PEs with the registers of their columns and of their control: one for
    the whole array would be read by every accumulator's bits.

    Ports: ``a`` (what the rows' registers hold), ``b_i`` (what the columns' edges give), ``shift``
    and ``first`` beside it and, with ``hold``, ``last``; ``read``, ``o`` (states on the column
    buses).
    """

    def __init__(
        self, *, rows: int, columns: int, pe: LowBitPe, width: int, partial: bool, hold: bool
    ):
        self.rows, self.columns, self.pe = rows, columns, pe
        self.width, self.partial, self.hold = width, partial, hold
        super().__init__(
            {
                "a": In(rows * pe.row_bits),
                "b_i": In(columns * pe.column_bits),
                **({"shift": In(pe.shift_bits)} if pe.shift_bits else {}),
                "first": In(1),
                **({"last": In(1)} if hold else {}),
                "read": In(rows),
                "o": Out(columns * pe.state_bits(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.tile = tile = shared(
            OsTile, rows=self.rows, columns=self.columns, pe=pe, depth=1, width=self.width,
            saturate=False, hold=self.hold, partial=self.partial,
        )  # fmt: skip
        b = Signal(len(self.b_i), name="b_register", reset_less=True)
        m.d.sync += b.eq(self.b_i)
        columns = [b.word_select(column, pe.column_bits) for column in range(self.columns)]
        if pe.shift_bits:
            shift = Signal(pe.shift_bits, name="w_register", reset_less=True)
            m.d.sync += shift.eq(self.shift)
            columns = [Cat(column, shift) for column in columns]
        control = self._late(m, "control_register", self.first, 1 + self.partial)
        if self.hold:
            # A sum is complete in the cycle after its last addition.
            control = Cat(control, self._late(m, "control_o", self.last, 2 + self.partial))
        m.d.comb += [
            tile.a.eq(self.a),
            tile.b.eq(Cat(columns)),
            tile.control.eq(control),
            tile.read.eq(self.read),
            self.o.eq(tile.o),
        ]
        return m

    def _late(self, m, name: str, value, cycles: int):
        stages = Signal(cycles, name=name)
        m.d.sync += stages.eq(Cat(value, stages))
        return stages[-1]


class LowBitArray(wiring.Component):
    """``rows`` x ``columns`` PEs, each adding ``pe.k`` products per step to ``width`` bits.

    Ports: ``a`` (rows * pe.slice_bits, row 0 lowest), taken at the end of a cycle with ``load``;
    ``w`` (columns * pe.word_bits) with ``valid``, ``first`` (begin new sums) and, if the PE is
    bit-serial, ``shift`` (of the plane): added to the products of what was loaded last before that
    cycle or in it. ``read`` (one bit per row, at most one set): that row's sums are on ``o``
    (columns * width) :attr:`read_latency` cycles later, zeros where none is set.

    Latency: sums have what came with ``valid`` :attr:`latency` cycles later, and can be read.
    Initiation interval 1; a slice takes ``pe.cycles`` with its table in place. Overflow: modulo
    ``2**width``; never with ``pe.sum_width(K)`` bits.

    ``hold``: a port ``last`` marks the last word of a sum, and what is read is the sum that was
    complete last, from :attr:`latency` cycles (here one more) after its ``last`` to the next one's;
    the next sums meanwhile begin. ``tile_columns``: columns that share a control register.
    ``partial``: a register between products and accumulator. ``sum_width``: if any, ``sum``
    (sum_width) has, beside ``o``, that row's sum of activations, modulo ``2**sum_width``; each
    slice counts once, with the first weights that come with it or after it.
    """

    def __init__(
        self,
        *,
        pe: LowBitPe,
        rows: int,
        columns: int,
        width: int,
        partial: bool = False,
        hold: bool = False,
        sum_width: int = 0,
        tile_columns: int = 4,
    ):
        sizes = {"rows": rows, "columns": columns, "width": width, "tile_columns": tile_columns}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        self.pe, self.rows, self.columns, self.width = pe, rows, columns, width
        self.partial, self.hold = partial, hold
        self.sum_width, self.tile_columns = sum_width, tile_columns
        self.latency = 2 + partial + hold
        self.read_latency = pe.resolve_latency
        super().__init__(
            {
                "a": In(rows * pe.slice_bits),
                "load": In(1),
                "w": In(columns * pe.word_bits),
                "valid": In(1),
                "first": In(1),
                **({"last": In(1)} if hold else {}),
                **({"shift": In(pe.shift_bits)} if pe.shift_bits else {}),
                "read": In(rows),
                "o": Out(columns * width),
                **({"sum": Out(sum_width)} if sum_width else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        rows = Cat(self._row(m, row) for row in range(self.rows))
        columns = [self._edge(m, column) for column in range(self.columns)]
        states = []
        for start in range(0, self.columns, self.tile_columns):
            inside = columns[start : start + self.tile_columns]
            states += self._tile(m, f"tile_{start}", pe, rows, inside, self.width)
        if pe.resolve_latency:
            states = [resolved(m, pe, state, self.width, n) for n, state in enumerate(states)]
        m.d.comb += self.o.eq(Cat(states))
        if self.sum_width:
            waiting, here = Signal(), Signal()
            m.d.comb += here.eq(self.load | waiting)
            m.d.sync += waiting.eq(here & ~self.valid)
            beside = RowSumPe.beside(pe)
            (total,) = self._tile(m, "sums", beside, rows, [here & self.valid], self.sum_width)
            late = delayed(m, "sum_late", total, self.read_latency)
            m.d.comb += self.sum.eq(late)
        return m

    def _row(self, m, row: int):
        """A row's register, behind what is made of its activations."""
        pe = self.pe
        m.submodules[f"front_{row}"] = front = shared(pe.front_class, pe=pe)
        register = Signal(pe.row_bits, name=f"row_{row}", reset_less=True)
        m.d.comb += front.i.eq(self.a.word_select(row, pe.slice_bits))
        with m.If(self.load):
            m.d.sync += register.eq(front.o)
        return register

    def _edge(self, m, column: int):
        """What a column's register takes."""
        m.submodules[f"edge_{column}"] = edge = shared(self.pe.edge_class, pe=self.pe)
        m.d.comb += [
            edge.i.eq(self.w.word_select(column, self.pe.word_bits)),
            edge.valid.eq(self.valid),
        ]
        return edge.o

    def _tile(self, m, name: str, pe: LowBitPe, rows, columns: list, width: int) -> list:
        """States on the buses of some columns, by what their registers take."""
        m.submodules[name] = tile = shared(
            LowBitTile, rows=self.rows, columns=len(columns), pe=pe, width=width,
            partial=self.partial, hold=self.hold,
        )  # fmt: skip
        m.d.comb += [
            tile.a.eq(rows),
            tile.b_i.eq(Cat(columns)),
            # While nothing comes, it would clear the sums.
            tile.first.eq(self.first & self.valid),
            tile.read.eq(self.read),
        ]
        if self.hold:
            m.d.comb += tile.last.eq(self.last & self.valid)
        if pe.shift_bits:
            m.d.comb += tile.shift.eq(self.shift)
        word = pe.state_bits(width)
        return [tile.o.word_select(column, word) for column in range(len(columns))]
