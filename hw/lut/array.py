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

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.edge import resolved
from ..array.os_grid import OsTile
from ..cells import shared
from .base import LowBitPe


class RowSum(wiring.Component):
    """Adds up the activations of a row for the zero points: ``i`` is a row's register, ``add``
    when it is first used, ``first`` then begins a new sum. ``o``: the sum so far."""

    def __init__(self, *, pe: LowBitPe, width: int):
        self.pe, self.width = pe, width
        super().__init__({"i": In(pe.row_bits), "add": In(1), "first": In(1), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        total = Signal(self.width, reset_less=True)
        with m.If(self.add):
            m.d.sync += total.eq(Mux(self.first, 0, total).as_signed() + self.pe.row_sum(m, self.i))
        m.d.comb += self.o.eq(total)
        return m


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

    ``partial``: a register between products and accumulator. ``sum_width``: if any, ``sum`` (rows *
    sum_width) has every row's sum of activations, modulo ``2**sum_width``, two cycles after
    ``valid``; each slice counts once, with the first weights that come with it or after it.
    """

    def __init__(
        self,
        *,
        pe: LowBitPe,
        rows: int,
        columns: int,
        width: int,
        partial: bool = False,
        sum_width: int = 0,
    ):
        for name, value in (("rows", rows), ("columns", columns), ("width", width)):
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        self.pe, self.rows, self.columns, self.width = pe, rows, columns, width
        self.partial, self.sum_width = partial, sum_width
        self.latency = 2 + partial
        self.read_latency = pe.resolve_latency
        ports = {
            "a": In(rows * pe.slice_bits),
            "load": In(1),
            "w": In(columns * pe.word_bits),
            "valid": In(1),
            "first": In(1),
            "read": In(rows),
            "o": Out(columns * width),
        }
        if pe.shift_bits:
            ports["shift"] = In(pe.shift_bits)
        if sum_width:
            ports["sum"] = Out(rows * sum_width)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        valid = Signal(name="valid_register")
        first = Signal(name="control_register", reset_less=True)
        m.d.sync += [valid.eq(self.valid), first.eq(self.first)]
        # While nothing comes, "first" would clear the sums.
        control = Signal(name="control")
        m.d.comb += control.eq(first & valid)
        if self.partial:
            late = Signal(name="control_late")
            m.d.sync += late.eq(control)
            control = late
        rows = [self._row(m, row) for row in range(self.rows)]
        columns = self._columns(m)
        m.submodules.tile = tile = shared(
            OsTile, rows=self.rows, columns=self.columns, pe=pe, depth=1, width=self.width,
            saturate=False, hold=False, partial=self.partial,
        )  # fmt: skip
        state = pe.state_bits(self.width)
        results = [
            resolved(m, pe, tile.o.word_select(column, state), self.width, column)
            if pe.resolve_latency
            else tile.o.word_select(column, state)
            for column in range(self.columns)
        ]
        m.d.comb += [
            tile.a.eq(Cat(rows)),
            tile.b.eq(Cat(columns)),
            tile.control.eq(control),
            tile.read.eq(self.read),
            self.o.eq(Cat(results)),
        ]
        if self.sum_width:
            self._sums(m, rows, valid, first)
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

    def _columns(self, m):
        """What the columns' PEs take."""
        pe, columns = self.pe, []
        shift = Signal(pe.shift_bits, name="shift_register", reset_less=True)
        if pe.shift_bits:
            m.d.sync += shift.eq(self.shift)
        for column in range(self.columns):
            m.submodules[f"edge_{column}"] = edge = shared(pe.edge_class, pe=pe)
            register = Signal(pe.column_bits, name=f"column_{column}", reset_less=True)
            m.d.comb += [
                edge.i.eq(self.w.word_select(column, pe.word_bits)),
                edge.valid.eq(self.valid),
            ]
            m.d.sync += register.eq(edge.o)
            columns.append(Cat(register, shift) if pe.shift_bits else register)
        return columns

    def _sums(self, m, rows, valid, first):
        fresh = Signal()
        with m.If(self.load):
            m.d.sync += fresh.eq(1)
        with m.Elif(valid):
            m.d.sync += fresh.eq(0)
        for row, register in enumerate(rows):
            m.submodules[f"row_sum_{row}"] = total = shared(
                RowSum, pe=self.pe, width=self.sum_width
            )
            m.d.comb += [
                total.i.eq(register),
                total.add.eq(valid & fresh),
                total.first.eq(first),
                self.sum.word_select(row, self.sum_width).eq(total.o),
            ]
