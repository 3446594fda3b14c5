"""Weight-stationary systolic array: a block of B stays, rows of A stream through, sums move down.

::

              0          0           weights enter at the top, row enables at the left
              |          |
    a_0 -> [tile]-reg->[tile]-reg->
             reg        reg
    a_1 -> [tile]-reg->[tile]-reg->
             reg        reg          partial sums of one row of A, skewed by column

Every PE has two weights; ``bank`` travels with A and chooses, so that the next block is loaded
while the present one works. Operands, weights, enables and sums are all registered between tiles
and therefore keep step: what is presented together at the edge meets in every PE. Inside a tile
a column is one sum of ``tile_rows`` products and what comes from above.
"""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.base import Pe, recode
from .edge import drain, pad
from .grid import tiles
from .skew import delayed, skewed
from .ws_grid import WsGrid


def weight_ports(rows: int, columns: int, pe: Pe, width: int) -> dict:
    """Ports common to the arrays that keep a ``rows`` x ``columns`` block of B."""
    return {
        "w": In(columns * pe.b.width),
        "w_row": In(range(max(rows, 2))),
        "w_valid": In(1),
        "w_bank": In(1),
        "a": In(rows * pe.a.width),
        "bank": In(1),
        "valid": In(1),
        "o": Out(columns * width),
        "o_valid": Out(1),
    }


class WeightStationaryArray(wiring.Component):
    """``rows`` (along K) x ``columns`` (along N) PEs, weights staying where they are.

    Ports: ``w`` (columns operands), ``w_row``, ``w_valid``, ``w_bank``: load row ``w_row`` of a
    block of B into bank ``w_bank``; usable by operands presented from the next cycle on. Row 0
    begins a block: the bank's other rows become zero, so that a short block needs no mask. ``a``
    (rows operands), ``bank``, ``valid``: one row of A against the block in ``bank``. ``o``
    (columns sums of ``width`` bits) with ``o_valid``: that row's partial sums, :attr:`latency`
    cycles later. Initiation interval 1. ``width`` holds the sum of ``rows`` products exactly.

    A bank may be overwritten as soon as its last row of A has been presented.
    """

    def __init__(
        self, *, pe: Pe, rows: int, columns: int, tile_rows: int = 1, tile_columns: int = 1
    ):
        for name, value in (("rows", rows), ("columns", columns)):
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        self.rows, self.columns = rows, columns
        self.tile_rows, self.tile_columns = min(tile_rows, rows), min(tile_columns, columns)
        self.pe = pe = pe.summing(self.tile_rows)
        self.width = pe.product_width(rows)
        #: Cycles from ``a`` to ``o``: tile rows, and the column skew.
        skew = tiles(columns, self.tile_columns) - 1
        self.latency = tiles(rows, self.tile_rows) + skew + pe.edge_latency + pe.resolve_latency
        super().__init__(weight_ports(rows, columns, pe, self.width))

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.grid = grid = shared(
            WsGrid,
            rows=self.rows,
            columns=self.columns,
            tile_rows=self.tile_rows,
            tile_columns=self.tile_columns,
            pe=pe,
            width=self.width,
        )
        row_groups = tiles(self.rows, self.tile_rows)
        column_groups = tiles(self.columns, self.tile_columns)

        a = pad(self.a, row_groups * self.tile_rows * pe.a.width)
        a = skewed(m, "a_skew", a, row_groups)
        lanes = [a.word_select(lane, pe.a.width) for lane in range(self.rows)]
        codes = Cat(recode(m, pe, "a", lanes, "a_recoder"))
        m.d.comb += grid.a_i.eq(delayed(m, "a_stage", codes, pe.edge_latency))

        control = []
        for start in range(0, row_groups * self.tile_rows, self.tile_rows):
            control += [self.bank, self.w_bank, self.w_valid & (self.w_row == 0)]
            control += [
                # Rows that only fill up the last tile do not exist.
                self.w_valid & (self.w_row == row) & (row < self.rows)
                for row in range(start, start + self.tile_rows)
            ]
        control = Cat(control)
        control = skewed(m, "control_skew", control, row_groups, resettable=True)
        control = control[: len(grid.control_i)]
        m.d.comb += grid.control_i.eq(
            delayed(m, "control_stage", control, pe.edge_latency, resettable=True)
        )

        w = pad(self.w, column_groups * self.tile_columns * pe.b.width)
        w = skewed(m, "w_skew", w, column_groups)
        lanes = [w.word_select(lane, pe.b.width) for lane in range(self.columns)]
        codes = Cat(recode(m, pe, "b", lanes, "b_recoder"))
        m.d.comb += [
            grid.w_i.eq(delayed(m, "w_stage", codes, pe.edge_latency)),
            grid.sum_i.eq(0),
            self.o.eq(
                drain(m, pe, grid.sum_o, self.columns, self.width, column_groups, self.tile_columns)
            ),
            self.o_valid.eq(delayed(m, "o_stage", self.valid, self.latency, resettable=True)),
        ]
        return m
