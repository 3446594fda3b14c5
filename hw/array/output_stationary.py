"""Output-stationary arrays: systolic, 2D matrix (operands broadcast) and 3D cube.

One structure with three settings. Processing elements (PEs) form *tiles* of ``tile_rows`` x
``tile_columns``; operands are broadcast inside a tile and registered between tiles (Gemmini's
mesh of tiles, Genc et al., DAC 2021, section III-A). A tile of 1 x 1 is the textbook systolic
array, one tile for the whole array the 2D matrix, and with ``depth`` products per PE the cube.

::

               b_0        b_1            tokens: "row i, put your sum on the bus"
                |          |
      a_0 -> [tile]-reg->[tile]-reg->
               reg        reg
      a_1 -> [tile]-reg->[tile]-reg->    column bus: OR of (sum & token) down each column

Drain. The sum of PE (i, j) is complete one cycle after its last operands, and tile row g is g
cycles behind tile row 0. A token that moves down one row per cycle therefore finds row i complete
exactly when (``tile_rows`` = 1) or after (otherwise, then a hold register keeps the sum) it comes
by, and no shift chain is needed: a row of the tile leaves every cycle, while the next tile is
already being computed.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.base import Pe, recode
from .edge import counted, drain, pad
from .grid import tiles
from .os_grid import OsGrid
from .skew import delayed, skewed


def ports(pe: Pe, rows: int, columns: int, depth: int, width: int) -> dict:
    """Of all arrays whose sums stay where they are: see :class:`OutputStationaryArray`."""
    return {
        "a": In(rows * depth * pe.a.width),
        "b": In(depth * columns * pe.b.width),
        "valid": In(1),
        "first": In(1),
        "last": In(1),
        "size": In(range(rows + 1)),
        "o": Out(columns * width),
        "o_valid": Out(1),
    }


class OutputStationaryArray(wiring.Component):
    """``rows`` x ``columns`` PEs of ``depth`` products each, sums staying where they are.

    Every cycle with ``valid`` takes a block of A and one of B and adds their product to the tile:
    ``first`` marks the first block of a tile, ``last`` its last. Two ``last`` must be at least
    ``rows`` cycles apart, and nothing else is asked of the caller: blocks may come with any gaps.

    Ports: ``a`` (rows*depth operands, lane ``row*depth + d``), ``b`` (depth*columns operands, lane
    ``d*columns + column``), ``valid``, ``first``, ``last``, and with ``last`` the ``size`` of the
    tile (1 to rows); ``o`` (columns two's-complement sums of ``width`` bits) with ``o_valid``: the
    tile's rows 0 to size-1, in consecutive cycles.

    Latency: :attr:`latency` cycles from ``last`` to row 0. Initiation interval 1. Overflow: modulo
    ``2**width``, or saturating at each block's addition with ``saturate``.
    """

    def __init__(
        self,
        *,
        pe: Pe,
        rows: int,
        columns: int,
        width: int,
        depth: int = 1,
        tile_rows: int = 1,
        tile_columns: int = 1,
        pipeline: int = 0,
        saturate: bool = False,
    ):
        for name, value in (("rows", rows), ("columns", columns), ("depth", depth)):
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        if not 0 <= pipeline <= 2:
            raise ValueError(f"pipeline must be 0, 1 or 2 stages, not {pipeline}")
        self.pe = pe = pe.summing(depth)
        self.rows, self.columns, self.depth, self.width = rows, columns, depth, width
        self.tile_rows, self.tile_columns = min(tile_rows, rows), min(tile_columns, columns)
        self.pipeline, self.saturate = pipeline, saturate
        self.hold = self.tile_rows > 1
        #: Cycles from ``last`` to row 0: accumulator, hold, column skew, output register, …
        skew = tiles(columns, self.tile_columns) - 1
        self.latency = 2 + self.hold + skew + pipeline + pe.edge_latency + pe.resolve_latency
        super().__init__(ports(pe, rows, columns, depth, width))

    def elaborate(self, platform):
        m = Module()
        pe, depth = self.pe, self.depth
        row_groups = tiles(self.rows, self.tile_rows)
        column_groups = tiles(self.columns, self.tile_columns)
        operands = pe.edge_latency + int(self.pipeline == 2)
        control_stages = pe.edge_latency + self.pipeline
        m.submodules.grid = grid = shared(
            OsGrid,
            rows=self.rows,
            columns=self.columns,
            tile_rows=self.tile_rows,
            tile_columns=self.tile_columns,
            pe=pe,
            depth=depth,
            width=self.width,
            saturate=self.saturate,
            hold=self.hold,
            partial=self.pipeline >= 1,
        )

        # Without a block, zeros: accumulators have no enable. Both operands, because in Verilog
        # zero times unknown is unknown.
        # Signals, as a slice of an expression is emitted with the whole of it.
        a, b = Signal.like(self.a, name="a_gated"), Signal.like(self.b, name="b_gated")
        m.d.comb += [a.eq(Mux(self.valid, self.a, 0)), b.eq(Mux(self.valid, self.b, 0))]
        # B enters element by element of a block's rows; a PE column wants its depth together.
        b = Cat(
            b.word_select(d * self.columns + column, pe.b.width)
            for column in range(self.columns)
            for d in range(depth)
        )

        # Left edge: operands and control of tile row g, g cycles late; then any recoders.
        a_group = self.tile_rows * depth * pe.a.width
        a = skewed(m, "a_skew", pad(a, row_groups * a_group), row_groups)
        lanes = [a.word_select(lane, pe.a.width) for lane in range(self.rows * depth)]
        codes = Cat(recode(m, pe, "a", lanes, "a_recoder"))
        m.d.comb += grid.a_i.eq(delayed(m, "a_stage", codes, operands))

        finished = self.valid & self.last
        first = self.valid & self.first
        control = delayed(m, "control_stage", first, control_stages, resettable=True)
        done = delayed(m, "done_stage", finished, 1 + control_stages, resettable=True)
        if self.hold:
            control = Cat(control, done)
        control = Cat(control for _ in range(row_groups))
        m.d.comb += grid.control_i.eq(
            skewed(m, "control_skew", control, row_groups, resettable=True)
        )

        # Top edge: operands and drain token of tile column g, g cycles late.
        b_group = self.tile_columns * depth * pe.b.width
        b = skewed(m, "b_skew", pad(b, column_groups * b_group), column_groups)
        lanes = [b.word_select(lane, pe.b.width) for lane in range(self.columns * depth)]
        codes = Cat(recode(m, pe, "b", lanes, "b_recoder"))
        m.d.comb += grid.b_i.eq(delayed(m, "b_stage", codes, operands))
        token = delayed(m, "token_stage", done, int(self.hold), resettable=True)
        token = Cat(token for _ in range(column_groups))
        m.d.comb += grid.token_i.eq(skewed(m, "token_skew", token, column_groups, resettable=True))

        # Bottom edge: register, resolve to two's complement, and line the columns up again.
        # A register per column, in a cell of its own: simulators slice a wide one every cycle.
        word = pe.state_bits(self.width)
        bus = Signal.like(grid.o, name="bus")
        m.d.comb += bus.eq(
            Cat(
                delayed(m, f"bus_{column}", grid.o.word_select(column, word), 1)
                for column in range(self.columns)
            )
        )
        m.d.comb += self.o.eq(
            drain(m, pe, bus, self.columns, self.width, column_groups, self.tile_columns)
        )
        m.d.comb += self.o_valid.eq(counted(m, finished, self.size, self.rows, self.latency))
        return m
