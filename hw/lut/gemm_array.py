"""The lookup array as the array of a GEMM engine: exact products of A with low-bit B.

What :class:`~..array.output_stationary.OutputStationaryArray` promises, so that the same core is
around it. Inside, sums are of odd integers q' = 2q - (2**W - 1); at the drain each becomes the
product: half of what is left after z' times the row's sum of activations (:mod:`..weights`).
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.edge import counted
from ..array.output_stationary import ports
from ..array.skew import delayed
from ..cells import shared
from ..formats import Format
from ..pe.base import Pe
from ..weights import Coding, WeightFormat
from .array import LowBitArray
from .precompute import HalfTable
from .row_sum import RowSumPe
from .table import TableEdge, TablePe, TableProducts


def weight_format(b: Format) -> WeightFormat:
    """How a lookup array reads operands of B: codes with zero point 0, or two's complement."""
    return WeightFormat(b.width, Coding.SYMMETRIC if b.signed else Coding.ASYMMETRIC)


class Correct(wiring.Component):
    """One row's sums -> products, combinational: ``o = (i - z' * sum) / 2`` of each column.

    ``i``: columns numbers of ``i_width`` bits, ``total`` the row's sum of ``sum_width``, ``o``:
    ``width`` bits each. Exact; the difference is even.
    """

    sequential = False

    def __init__(self, *, columns: int, weights: WeightFormat, i_width: int, sum_width: int,
                 width: int):  # fmt: skip
        self.columns, self.weights = columns, weights
        self.i_width, self.sum_width, self.width = i_width, sum_width, width
        super().__init__(
            {"i": In(columns * i_width), "total": In(sum_width), "o": Out(columns * width)}
        )

    def elaborate(self, platform):
        m = Module()
        # z' is 1, or 1 - 2**W.
        total = self.total.as_signed()
        signed = self.weights.coding is Coding.SYMMETRIC
        wide = -total if signed else (total << self.weights.width) - total
        term = Signal(wide.shape(), name="term")
        m.d.comb += term.eq(wide)
        results = []
        for column in range(self.columns):
            difference = Signal(self.width + 1, name=f"difference_{column}")
            number = self.i.word_select(column, self.i_width).as_signed()
            m.d.comb += difference.eq(number + term)
            results.append(difference[1:])
        m.d.comb += self.o.eq(Cat(results))
        return m


class LookupArray(wiring.Component):
    """``rows`` tables x ``columns`` lanes of ``depth`` products, sums staying where they are.

    Ports and contract as of :class:`~..array.output_stationary.OutputStationaryArray` (two ``last``
    at least ``rows`` cycles apart): ``a`` (rows*depth operands), ``b`` (depth*columns operands,
    lane ``d*columns + column``), ``valid``, ``first``, ``last``, ``size``; ``o`` (columns sums of
    ``width`` bits), ``o_valid``. All planes of B at once; initiation interval 1.

    ``pe``: the operands' formats, ``a`` signed, ``b`` of 1, 2, 3, 4, 6 or 8 bits. ``terms``: most
    products of a sum, which then is exact inside; ``o`` is modulo ``2**width``. ``sign``: place of
    the sign bit in a word.
    """

    cell_class = TableProducts
    saturate = False
    apart = {HalfTable: "recoders", TableEdge: "recoders"}
    """Cells that are synthesised apart, and the part of the area that they are."""

    def __init__(self, *, pe: Pe, rows: int, columns: int, depth: int, width: int, terms: int,
                 sign: int = 0):  # fmt: skip
        self.pe, self.rows, self.columns, self.depth = pe, rows, columns, depth
        self.width, self.terms = width, terms
        self.table = TablePe(pe.a, weight_format(pe.b), k=depth, table="half", sign=sign)
        #: Cycles from ``last`` to row 0: those of the array, the bus's register, the products'.
        self.latency = 2 + 1 + (rows > 1) + 2
        super().__init__(ports(pe, rows, columns, depth, width))

    def elaborate(self, platform):
        m = Module()
        table, hold = self.table, self.rows > 1
        width = table.sum_width(self.terms)
        sum_width = RowSumPe.beside(table).sum_width(self.terms)
        m.submodules.array = array = shared(
            LowBitArray, pe=table, rows=self.rows, columns=self.columns, width=width,
            partial=True, hold=hold, sum_width=sum_width,
        )  # fmt: skip
        finished = self.valid & self.last
        m.d.comb += [
            array.a.eq(self.a),
            array.load.eq(self.valid),
            array.w.eq(self._words()),
            array.valid.eq(self.valid),
            array.first.eq(self.first),
            array.read.eq(self._tokens(m, finished, self.latency - 2)),
        ]
        if hold:
            m.d.comb += array.last.eq(self.last)
        m.submodules.correct = correct = shared(
            Correct, columns=self.columns, weights=table.b, i_width=width, sum_width=sum_width,
            width=self.width,
        )  # fmt: skip
        m.d.comb += [
            correct.i.eq(delayed(m, "bus", array.o, 1)),
            correct.total.eq(delayed(m, "bus_sum", array.sum, 1)),
            self.o.eq(delayed(m, "o_register", correct.o, 1)),
        ]
        m.d.comb += self.o_valid.eq(counted(m, finished, self.size, self.rows, self.latency))
        return m

    def _words(self):
        """Plane after plane of every column's weights, a sign of two's complement inverted."""
        width = self.pe.b.width
        lanes = [self.b.word_select(n, width) for n in range(self.depth * self.columns)]
        lanes = [lane ^ self.table.b.inverted for lane in lanes]
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
