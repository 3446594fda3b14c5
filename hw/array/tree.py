"""Multiplier-adder tree: ``columns`` dot products of ``depth`` terms per cycle.

One column is the 1D tree (one dot product), several side by side the 2D tree. The ``depth`` x
``columns`` block of B stays in registers, two banks of it; A is broadcast to all columns.
"""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring

from ..cells import shared
from ..pe.base import Pe, recode
from .edge import resolved
from .skew import delayed
from .weight_stationary import weight_ports
from .ws_grid import WeightColumn


class TreeArray(wiring.Component):
    """``columns`` dot products of ``depth`` terms per cycle against weights that stay.

    Ports, contract and initiation interval as
    :class:`~.weight_stationary.WeightStationaryArray` with ``depth`` rows; :attr:`latency` is
    ``pipeline`` cycles (1 registers the sums, 2 the operands as well, 0 nothing), and what
    the PE needs to recode operands and to resolve a redundant sum.
    """

    def __init__(self, *, pe: Pe, columns: int, depth: int, pipeline: int = 1):
        for name, value in (("columns", columns), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        if not 0 <= pipeline <= 2:
            raise ValueError(f"pipeline must be 0, 1 or 2 stages, not {pipeline}")
        self.pe, self.rows, self.columns, self.pipeline = pe, depth, columns, pipeline
        self.width = pe.product_width(depth)
        self.latency = pipeline + pe.edge_latency + pe.resolve_latency
        super().__init__(weight_ports(depth, columns, pe, self.width))

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        lanes = [self.a.word_select(lane, pe.a.width) for lane in range(self.rows)]
        operands = Cat(recode(m, pe, "a", lanes, "a_recoder"))
        weights = [self.w.word_select(lane, pe.b.width) for lane in range(self.columns)]
        weights = Cat(recode(m, pe, "b", weights, "b_recoder"))
        enables = Cat(self.w_valid & (self.w_row == row) for row in range(self.rows))
        # The whole edge is delayed together, so that loads and rows of A keep their order.
        edge = pe.edge_latency + int(self.pipeline == 2)
        operands = delayed(m, "a_stage", operands, edge)
        enables = delayed(m, "en_stage", enables, edge, resettable=True)
        clear = enables[0]  # row 0 begins a block
        w = delayed(m, "w_stage", weights, edge)
        # The last of the banks' registers is in every column.
        early = edge > 0
        banks = Cat(self.bank, self.w_bank)
        banks = delayed(m, "bank_stage", banks, edge - early, resettable=True)
        results = []
        for column in range(self.columns):
            m.submodules[f"column_{column}"] = part = shared(
                WeightColumn, pe=pe, depth=self.rows, width=self.width, early=early
            )
            m.d.comb += [
                part.a.eq(operands),
                Cat(part.bank, part.write_bank).eq(banks),
                part.w.eq(w.word_select(column, pe.inner_width("b"))),
                part.en.eq(enables),
                part.clear.eq(clear),
                part.c.eq(0),
            ]
            state = delayed(m, f"sum_{column}", part.o, int(self.pipeline >= 1))
            results.append(resolved(m, pe, state, self.width, column))
        m.d.comb += [
            self.o.eq(Cat(results)),
            self.o_valid.eq(delayed(m, "o_stage", self.valid, self.latency, resettable=True)),
        ]
        return m
