"""The lookup array of floating-point activations as the array of a GEMM engine.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations in the engine", says what its sums
are, in which order.
"""

from amaranth.hdl import Const

from ..array.skew import delayed
from ..cells import shared
from ..floats import FP32, FloatFormat
from ..weights import Coding
from .float_drain import FloatCorrect, FloatTerms
from .float_table import FloatProducts, FloatTable, FloatTablePe
from .gemm_array import LookupArray
from .table import TableEdge


class FloatLookupArray(LookupArray):
    """As :class:`.gemm_array.LookupArray`, ``pe.a`` a :class:`~..floats.FloatFormat`; what leaves
    are codes of ``accumulator``. Sums are rounded at each addition, infinite where they are too
    large, and never wrong in their ``terms``, which say nothing here.

    A cycle more latency, with or without zero points: those of a product by z', and of its
    difference.
    """

    cell_class = FloatProducts
    apart = {FloatTable: "recoders", TableEdge: "recoders"}

    def __init__(self, *, accumulator: FloatFormat = FP32, **options):
        self.accumulator = accumulator
        super().__init__(**options)

    def _table(self, weights, **options):
        return FloatTablePe(self.pe.a, weights, accumulator=self.accumulator, **options)

    def _drain_stages(self):
        return 1

    def _drained(self, m, sums, total, finished):
        weights, terms = self.table.b, 0
        if total is not None:
            zeros = {"zero_width": self.zero_width} if self.panels else {}
            m.submodules.terms = factors = shared(
                FloatTerms, weights=weights, format=self.accumulator, columns=self.columns,
                serial=self.serial, **zeros,
            )  # fmt: skip
            m.d.comb += factors.total.eq(total)
            if self.serial:
                m.d.comb += [factors.bits.eq(self.bits), factors.coding.eq(self.coding)]
            if self.panels:
                self._ask_for_zeros(m, finished)
                m.d.comb += factors.zeros.eq(self.zeros)
            terms = len(factors.o) // self.accumulator.width
        m.submodules.correct = correct = shared(
            FloatCorrect, format=self.accumulator, columns=self.columns, terms=terms
        )
        halved = ~self._coded(Coding.BINARY) if self.serial else Const(int(weights.halved), 1)
        m.d.comb += [correct.i.eq(delayed(m, "sum_stage", sums, 1)), correct.halve.eq(halved)]
        if terms:
            m.d.comb += correct.term.eq(delayed(m, "term_stage", factors.o, 1))
        return correct.o
