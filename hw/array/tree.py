"""Multiplier-adder tree: ``columns`` dot products of ``depth`` terms per cycle.

One column is the 1D tree (one dot product), several side by side the 2D tree. The ``depth`` x
``columns`` block of B stays in registers, two banks of it; A is broadcast to all columns.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.base import Pe, recode
from .accumulate import product_width
from .edge import resolved
from .skew import delayed
from .weight_stationary import weight_ports
from .ws_grid import WeightRegisters


class TreeColumn(wiring.Component):
    """One dot product of ``depth`` terms with its weights; ``o`` is a state.

    ``registered``: ``o`` leaves through a register.
    """

    def __init__(self, *, pe: Pe, depth: int, width: int, registered: bool):
        self.pe, self.depth, self.width, self.registered = pe, depth, width, registered
        super().__init__(
            {
                "a": In(depth * pe.inner_width("a")),
                "bank": In(1),
                "w": In(pe.inner_width("b")),
                "en": In(depth),
                "write_bank": In(1),
                "o": Out(pe.words * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.weights = weights = shared(
            WeightRegisters, width=self.pe.inner_width("b"), count=self.depth
        )
        m.submodules.dot = dot = shared(
            self.pe.dot_class, pe=self.pe, depth=self.depth, width=self.width
        )
        m.d.comb += [
            weights.w.eq(Cat(self.w for _ in range(self.depth))),
            weights.en.eq(self.en),
            weights.write_bank.eq(self.write_bank),
            weights.bank.eq(self.bank),
            dot.a.eq(self.a),
            dot.b.eq(weights.o),
            dot.c.eq(0),
        ]
        output = dot.o
        if self.registered:
            output = Signal(len(dot.o), name="sum", reset_less=True)
            m.d.sync += output.eq(dot.o)
        m.d.comb += self.o.eq(output)
        return m


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
        self.width = product_width(pe, depth)
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
        w = delayed(m, "w_stage", weights, edge)
        banks = delayed(m, "bank_stage", Cat(self.bank, self.w_bank), edge, resettable=True)
        results = []
        for column in range(self.columns):
            m.submodules[f"column_{column}"] = part = shared(
                TreeColumn,
                pe=pe,
                depth=self.rows,
                width=self.width,
                registered=self.pipeline >= 1,
            )
            m.d.comb += [
                part.a.eq(operands),
                Cat(part.bank, part.write_bank).eq(banks),
                part.w.eq(w.word_select(column, pe.inner_width("b"))),
                part.en.eq(enables),
            ]
            results.append(resolved(m, pe, part.o, self.width, column))
        m.d.comb += [
            self.o.eq(Cat(results)),
            self.o_valid.eq(delayed(m, "o_stage", self.valid, self.latency, resettable=True)),
        ]
        return m
