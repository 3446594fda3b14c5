"""The lookup array as the array of a GEMM engine: exact products of A with low-bit B.

What :class:`~..array.output_stationary.OutputStationaryArray` promises, so that the same core is
around it. Inside, sums are of odd integers q' = 2q - (2**W - 1); at the drain (:mod:`.drain`) each
becomes the product: half of what is left after z' times the row's sum of activations
(:mod:`..weights`), less a zero point times that sum.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.edge import counted
from ..array.output_stationary import ports
from ..array.skew import delayed
from ..cells import shared
from ..pe.base import Pe
from ..weights import CODINGS, Coding, WeightFormat
from .array import LowBitArray
from .drain import CodedCorrect, Correct, ZeroProducts, needs_sum
from .precompute import HalfTable
from .row_sum import RowSumPe
from .table import TableEdge, TablePe, TableProducts


class LookupArray(wiring.Component):
    """``rows`` tables x ``columns`` lanes of ``depth`` products, sums staying where they are.

    Ports and contract as of :class:`~..array.output_stationary.OutputStationaryArray` (two ``last``
    at least ``rows`` cycles apart): ``a`` (rows*depth operands), ``b`` (depth*columns operands,
    lane ``d*columns + column``), ``valid``, ``first``, ``last``, ``size``; ``o`` (columns sums of
    ``width`` bits), ``o_valid``. Initiation interval 1.

    ``pe``: the operands' formats, ``a`` signed, ``b`` a :class:`~..weights.WeightFormat`, of which
    ``b`` has codes. ``terms``: most products of a sum, which then is exact inside; ``o`` is modulo
    ``2**width``. ``sign``: place of the sign bit in a word.

    ``serial``: ``b`` has one bit per lane, of the plane ``plane``; a block comes as its planes one
    after another, bit 0 first and ``last_plane`` with the last, and with the same ``a``. How many
    ``bits`` and which ``coding`` (a number of the register WEIGHTS) may be any up to those of
    ``pe.b``, and stay while there are sums in the array.

    ``panels``: if any, zero points are subtracted. ``panel`` comes with ``last``; as rows of that
    tile leave it is ``zero_panel``, and in the cycle after that ``zeros`` must be those of its
    columns (``pe.b.width + 1`` bits each, unsigned). A cycle more latency.
    """

    cell_class = TableProducts
    saturate = False
    apart = {HalfTable: "recoders", TableEdge: "recoders"}
    """Cells that are synthesised apart, and the part of the area that they are."""

    def __init__(self, *, pe: Pe, rows: int, columns: int, depth: int, width: int, terms: int,
                 sign: int = 0, serial: bool = False, panels: int = 0):  # fmt: skip
        self.pe, self.rows, self.columns, self.depth = pe, rows, columns, depth
        self.width, self.terms, self.serial, self.panels = width, terms, serial, panels
        b = WeightFormat(pe.b.width) if serial else pe.b
        self.table = self._table(b, k=depth, serial=serial, table="half", sign=sign)
        #: Cycles between the registers of the bus and of the products.
        self.drain_stages = self._drain_stages()
        #: Cycles from ``last`` to row 0: those of the array, the bus's register, the products'.
        self.latency = 2 + 1 + (rows > 1) + 2 + self.drain_stages
        self.zero_width = pe.b.width + 1
        members = ports(pe, rows, columns, depth, width)
        if serial:
            members |= {
                "b": In(depth * columns),
                "plane": In(range(max(pe.b.width, 2))),
                "last_plane": In(1),
                "bits": In(4),
                "coding": In(2),
            }
        if panels:
            members |= {
                "panel": In(range(max(panels, 2))),
                "zero_panel": Out(range(max(panels, 2))),
                "zeros": In(columns * self.zero_width),
            }
        super().__init__(members)

    def _table(self, weights: WeightFormat, **options) -> TablePe:
        """The PE of the array inside."""
        return TablePe(self.pe.a, weights, **options)

    def _drain_stages(self) -> int:
        return int(bool(self.panels))

    def elaborate(self, platform):
        m = Module()
        table, hold = self.table, self.rows > 1
        width = table.sum_width(self.terms)
        summed = self.serial or needs_sum(table.b)
        sum_width = RowSumPe.beside(table).sum_width(self.terms) if summed else 0
        m.submodules.array = array = shared(
            LowBitArray, pe=table, rows=self.rows, columns=self.columns, width=width,
            partial=True, hold=hold, sum_width=sum_width,
        )  # fmt: skip
        finished = self.valid & self.last
        read = self._tokens(m, finished, self.latency - 2 - self.drain_stages)
        m.d.comb += [
            array.a.eq(self.a),
            array.load.eq(self.valid & (self.plane == 0) if self.serial else self.valid),
            array.w.eq(self._words()),
            array.valid.eq(self.valid),
            array.first.eq(self.first),
            array.read.eq(read),
        ]
        if hold:
            m.d.comb += array.last.eq(self.last)
        if table.shift_bits:
            m.d.comb += array.shift.eq(Mux(self._coded(Coding.TERNARY), 0, self.plane))
        total = delayed(m, "bus_sum", array.sum, 1) if summed else None
        products = self._drained(m, delayed(m, "bus", array.o, 1), total, finished)
        m.d.comb += [
            self.o.eq(delayed(m, "o_register", products, 1)),
            self.o_valid.eq(counted(m, finished, self.size, self.rows, self.latency)),
        ]
        return m

    def _coded(self, coding: Coding):
        return self.coding == CODINGS.index(coding)

    def _drained(self, m, sums, total, finished):
        """Products, :attr:`drain_stages` cycles after the ``sums`` and the ``total`` of a row."""
        products = self._corrected(m, sums, total, len(sums) // self.columns)
        return self._without_zeros(m, products, total, finished) if self.panels else products

    def _corrected(self, m, sums, total, i_width: int):
        """Products with numbers whose zero points are 0, from the sums of odd integers."""
        sizes = {"columns": self.columns, "i_width": i_width, "width": self.width}
        if self.serial:
            m.submodules.correct = correct = shared(
                CodedCorrect, bits=self.pe.b.width, sum_width=len(total), **sizes
            )
            m.d.comb += [correct.bits.eq(self.bits), correct.coding.eq(self.coding)]
        else:
            sum_width = 0 if total is None else len(total)
            m.submodules.correct = correct = shared(
                Correct, weights=self.table.b, sum_width=sum_width, **sizes
            )
        m.d.comb += correct.i.eq(sums)
        if total is not None:
            m.d.comb += correct.total.eq(total)
        return correct.o

    def _without_zeros(self, m, products, total, finished):
        """A cycle later: less the row's sum of activations times each column's zero point."""
        self._ask_for_zeros(m, finished)
        m.submodules.zero_products = zeros = shared(
            ZeroProducts, columns=self.columns, zero_width=self.zero_width, sum_width=len(total),
            width=self.width,
        )  # fmt: skip
        m.d.comb += [zeros.total.eq(total), zeros.zeros.eq(self.zeros)]
        products = delayed(m, "products", products, 1)
        terms = delayed(m, "zero_terms", zeros.o, 1)
        return Cat(
            (products.word_select(n, self.width) - terms.word_select(n, self.width))[: self.width]
            for n in range(self.columns)
        )

    def _ask_for_zeros(self, m, finished):
        """The column panel of a tile's rows, a cycle before they are behind the bus."""
        panel = Signal(len(self.panel), name="zero_panel_register", reset_less=True)
        ahead = self.latency - 4
        start = delayed(m, "zero_start", finished, ahead, resettable=True)
        of_start = delayed(m, "zero_panel_stage", self.panel, ahead)
        with m.If(start):
            m.d.sync += panel.eq(of_start)
        m.d.comb += self.zero_panel.eq(panel)

    def _words(self):
        """Plane after plane of every column's weights, a sign of two's complement inverted."""
        width = 1 if self.serial else self.pe.b.width
        lanes = [self.b.word_select(n, width) for n in range(self.depth * self.columns)]
        if self.serial:
            inverted = self.last_plane & self._coded(Coding.SYMMETRIC)
        else:
            inverted = self.table.b.inverted
        lanes = [lane ^ inverted for lane in lanes]
        return Cat(
            lanes[d * self.columns + column][plane]
            for column in range(self.columns)
            for plane in range(width)
            for d in range(self.depth)
        )

    def _tokens(self, m, finished, cycles: int):
        """A bit that goes from row to row, ``cycles`` after ``finished`` at row 0."""
        token = delayed(m, "token_stage", finished, cycles, resettable=True)
        if self.rows == 1:
            return token
        rest = Signal(self.rows - 1, name="token")
        m.d.sync += rest.eq(Cat(token, rest))
        return Cat(token, rest)
