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
from ..pe.base import Pe, encode
from .accumulate import accumulate
from .grid import chunks, tiles
from .skew import delayed, skewed


class OsCell(wiring.Component):
    """One PE with its accumulator, and its place on the column bus.

    Ports: ``a`` (depth codes), ``b`` (depth operands), ``en`` (operands valid), ``first`` (start a
    new sum), ``capture`` (sum complete; only with ``hold``), ``read`` (drive the bus), ``o`` (bus:
    the state, or zero). ``partial``: a register between products and accumulator; ``en`` and
    ``first`` then come one cycle after the operands.
    """

    def __init__(
        self, *, pe: Pe, depth: int, width: int, saturate: bool, hold: bool, partial: bool
    ):
        self.pe, self.depth, self.width = pe, depth, width
        self.saturate, self.hold, self.partial = saturate, hold, partial
        super().__init__(
            {
                "a": In(depth * pe.code_width),
                "b": In(depth * pe.b.width),
                "en": In(1),
                "first": In(1),
                **({"capture": In(1)} if hold else {}),
                "read": In(1),
                "o": Out(pe.words * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(len(self.o), reset_less=True)
        feedback = Mux(self.first, 0, state)
        total = accumulate(
            m, self.pe, self.depth, self.width, self.a, self.b, feedback,
            saturate=self.saturate, partial=self.partial,
        )  # fmt: skip
        with m.If(self.en):
            m.d.sync += state.eq(total)
        done = state
        if self.hold:
            done = Signal.like(state, name="done", reset_less=True)
            with m.If(self.capture):
                m.d.sync += done.eq(state)
        m.d.comb += self.o.eq(Mux(self.read, done, 0))
        return m


class OsTile(wiring.Component):
    """``rows`` x ``columns`` PEs that share their operands without registers in between.

    ``registered``: whether the operands leave through registers (to the next tile) or not at all.
    Cut into blocks when large. Ports as :class:`OsGrid`, but ``read`` is one bit per row.
    """

    def __init__(self, *, rows: int, columns: int, **cell):
        self.rows, self.columns, self.cell = rows, columns, cell
        pe, depth = cell["pe"], cell["depth"]
        super().__init__(
            {
                "a": In(rows * depth * pe.code_width),
                "b": In(columns * depth * pe.b.width),
                "control": In(control_width(cell["hold"])),
                "read": In(rows),
                "o": Out(columns * pe.words * cell["width"]),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, depth = self.cell["pe"], self.cell["depth"]
        a_width, b_width = depth * pe.code_width, depth * pe.b.width
        bus = []
        for column, columns in chunks(self.columns):
            driven = None
            for row, rows in chunks(self.rows):
                if rows == columns == 1:
                    part = shared(OsCell, **self.cell)
                    m.d.comb += Cat(part.en, part.first).eq(self.control[:2])
                    if self.cell["hold"]:
                        m.d.comb += part.capture.eq(self.control[2])
                else:
                    part = shared(OsTile, rows=rows, columns=columns, **self.cell)
                    m.d.comb += part.control.eq(self.control)
                m.submodules[f"part_{row}_{column}"] = part
                m.d.comb += [
                    part.a.eq(self.a[row * a_width : (row + rows) * a_width]),
                    part.b.eq(self.b[column * b_width : (column + columns) * b_width]),
                    part.read.eq(self.read[row : row + rows]),
                ]
                driven = part.o if driven is None else driven | part.o
            bus.append(driven)
        m.d.comb += self.o.eq(Cat(bus))
        return m


class OsGrid(wiring.Component):
    """``rows`` x ``columns`` PEs in tiles, registers between tiles.

    Ports (T_r, T_c tiles down and across; PE row 0 and column 0 lowest):
    ``a_i``/``a_o`` codes entering left, leaving right; ``control_i``/``control_o`` per tile row
    {en, first[, capture]}; ``b_i``/``b_o`` operands entering at the top, leaving at the bottom;
    ``token_i``/``token_o`` per tile column; ``o`` the column buses.
    """

    def __init__(self, *, rows: int, columns: int, tile_rows: int, tile_columns: int, **cell):
        self.rows, self.columns = rows, columns
        self.tile_rows, self.tile_columns, self.cell = tile_rows, tile_columns, cell
        pe, depth = cell["pe"], cell["depth"]
        ports = {}
        for name, width in (
            ("a", rows * depth * pe.code_width),
            ("control", tiles(rows, tile_rows) * control_width(cell["hold"])),
            ("b", columns * depth * pe.b.width),
            ("token", tiles(columns, tile_columns)),
        ):
            ports |= {f"{name}_i": In(width), f"{name}_o": Out(width)}
        super().__init__(ports | {"o": Out(columns * pe.words * cell["width"])})

    def elaborate(self, platform):
        if self.rows <= self.tile_rows and self.columns <= self.tile_columns:
            return self._tile()
        return self._blocks()

    def _tile(self):
        m = Module()
        m.submodules.tile = tile = shared(OsTile, rows=self.rows, columns=self.columns, **self.cell)
        # Resettable, so that a reset in mid-drain leaves no token behind.
        token = Signal(self.rows)
        a_o, b_o = (
            Signal.like(self.a_o, name="a_register", reset_less=True),
            Signal.like(self.b_o, name="b_register", reset_less=True),
        )
        control_o = Signal.like(self.control_o, name="control_register")
        m.d.sync += [
            a_o.eq(self.a_i),
            b_o.eq(self.b_i),
            control_o.eq(self.control_i),
            token.eq(Cat(self.token_i, token[:-1]) if self.rows > 1 else self.token_i),
        ]
        m.d.comb += [
            tile.a.eq(self.a_i),
            tile.b.eq(self.b_i),
            tile.control.eq(self.control_i),
            tile.read.eq(Cat(self.token_i, token[:-1]) if self.rows > 1 else self.token_i),
            self.a_o.eq(a_o),
            self.b_o.eq(b_o),
            self.control_o.eq(control_o),
            self.token_o.eq(token[-1]),
            self.o.eq(tile.o),
        ]
        return m

    def _blocks(self):
        m = Module()
        pe, depth = self.cell["pe"], self.cell["depth"]
        a_width, b_width = depth * pe.code_width, depth * pe.b.width
        c_width = control_width(self.cell["hold"])
        row_chunks = chunks(self.rows, self.tile_rows)
        column_chunks = chunks(self.columns, self.tile_columns)
        blocks = {}
        for row, rows in row_chunks:
            for column, columns in column_chunks:
                m.submodules[f"block_{row}_{column}"] = blocks[row, column] = shared(
                    OsGrid,
                    rows=rows,
                    columns=columns,
                    tile_rows=min(self.tile_rows, rows),
                    tile_columns=min(self.tile_columns, columns),
                    **self.cell,
                )
        for row, rows in row_chunks:
            line = [blocks[row, column] for column, _ in column_chunks]
            chain(m, line, "a", self.a_i, self.a_o, row * a_width, rows * a_width)
            start = row // self.tile_rows * c_width
            length = tiles(rows, self.tile_rows) * c_width
            chain(m, line, "control", self.control_i, self.control_o, start, length)
        bus = []
        for column, columns in column_chunks:
            line = [blocks[row, column] for row, _ in row_chunks]
            chain(m, line, "b", self.b_i, self.b_o, column * b_width, columns * b_width)
            start = column // self.tile_columns
            length = tiles(columns, self.tile_columns)
            chain(m, line, "token", self.token_i, self.token_o, start, length)
            driven = line[0].o
            for block in line[1:]:
                driven = driven | block.o
            bus.append(driven)
        m.d.comb += self.o.eq(Cat(bus))
        return m


def chain(m, blocks, name, value, result, start: int, length: int):
    """Connect ``{name}_o`` of each block to ``{name}_i`` of the next; the ends are bits
    ``start`` to ``start + length`` of ``value`` and ``result``."""
    value = value[start : start + length]
    for block in blocks:
        m.d.comb += getattr(block, f"{name}_i").eq(value)
        value = getattr(block, f"{name}_o")
    m.d.comb += result[start : start + length].eq(value)


def control_width(hold: bool) -> int:
    """Bits of a tile row's control: en, first and, with hold registers, capture."""
    return 2 + hold


class OutputStationaryArray(wiring.Component):
    """``rows`` x ``columns`` PEs of ``depth`` products each, sums staying where they are.

    Every cycle with ``valid`` takes a block of A and one of B and adds their product to the tile:
    ``first`` marks the first block of a tile, ``last`` its last. Two ``last`` must be at least
    ``rows`` cycles apart, and nothing else is asked of the caller: blocks may come with any gaps.

    Ports: ``a`` (rows*depth operands, lane ``row*depth + d``), ``b`` (depth*columns operands, lane
    ``d*columns + column``), ``valid``, ``first``, ``last``; ``o`` (columns two's-complement sums of
    ``width`` bits) with ``o_valid``: the tile's rows 0 to rows-1, in ``rows`` consecutive cycles.

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
        self.pe, self.rows, self.columns, self.depth, self.width = pe, rows, columns, depth, width
        self.tile_rows, self.tile_columns = min(tile_rows, rows), min(tile_columns, columns)
        self.pipeline, self.saturate = pipeline, saturate
        self.hold = self.tile_rows > 1
        #: Cycles from ``last`` to row 0: accumulator, hold, column skew, output register, pipeline.
        self.latency = 2 + self.hold + (tiles(columns, self.tile_columns) - 1) + pipeline
        super().__init__(
            {
                "a": In(rows * depth * pe.a.width),
                "b": In(depth * columns * pe.b.width),
                "valid": In(1),
                "first": In(1),
                "last": In(1),
                "o": Out(columns * width),
                "o_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, depth = self.pe, self.depth
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
        row_groups = tiles(self.rows, self.tile_rows)
        column_groups = tiles(self.columns, self.tile_columns)

        # B enters element by element of a block's rows; a PE column wants its depth together.
        b = Cat(
            self.b.word_select(d * self.columns + column, pe.b.width)
            for column in range(self.columns)
            for d in range(depth)
        )
        operands = int(self.pipeline == 2)
        a = delayed(m, "a_stage", self.a, operands)
        b = delayed(m, "b_stage", b, operands)

        # Left edge: operands and control of tile row g, g cycles late; then the encoders.
        a_group = self.tile_rows * depth * pe.a.width
        a = skewed(m, "a_skew", pad(a, row_groups * a_group), row_groups)
        lanes = [a.word_select(lane, pe.a.width) for lane in range(self.rows * depth)]
        m.d.comb += grid.a_i.eq(Cat(encode(m, pe, lanes, "encoder")))

        finished = self.valid & self.last
        control = [self.valid, self.first]
        control = delayed(m, "control_stage", Cat(control), self.pipeline, resettable=True)
        done = delayed(m, "done_stage", finished, 1 + self.pipeline, resettable=True)
        if self.hold:
            control = Cat(control, done)
        control = Cat(control for _ in range(row_groups))
        m.d.comb += grid.control_i.eq(
            skewed(m, "control_skew", control, row_groups, resettable=True)
        )

        # Top edge: operands and drain token of tile column g, g cycles late.
        b_group = self.tile_columns * depth * pe.b.width
        b = skewed(m, "b_skew", pad(b, column_groups * b_group), column_groups)
        m.d.comb += grid.b_i.eq(b[: len(grid.b_i)])
        token = delayed(m, "token_stage", done, int(self.hold), resettable=True)
        token = Cat(token for _ in range(column_groups))
        m.d.comb += grid.token_i.eq(skewed(m, "token_skew", token, column_groups, resettable=True))

        # Bottom edge: register, resolve to two's complement, and line the columns up again.
        bus = Signal.like(grid.o, name="bus", reset_less=True)
        m.d.sync += bus.eq(grid.o)
        m.d.comb += self.o.eq(
            drain(m, pe, bus, self.columns, self.width, column_groups, self.tile_columns)
        )
        self._count_rows(m, finished)
        return m

    def _count_rows(self, m, finished):
        """``o_valid``: high for ``rows`` cycles, from ``latency`` cycles after ``finished``."""
        start = delayed(m, "o_start", finished, self.latency, resettable=True)
        if self.rows == 1:
            m.d.comb += self.o_valid.eq(start)
            return
        left = Signal(range(self.rows))
        with m.If(start):
            m.d.sync += left.eq(self.rows - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.comb += self.o_valid.eq(start | (left != 0))


def drain(m, pe: Pe, bus, columns: int, width: int, groups: int, tile_columns: int):
    """One resolved number per column from the states on ``bus``, de-skewed by tile column."""
    resolved = []
    state = pe.words * width
    for column in range(columns):
        m.submodules[f"resolve_{column}"] = resolve = shared(pe.resolve_class, pe=pe, width=width)
        m.d.comb += resolve.i.eq(bus.word_select(column, state))
        resolved.append(resolve.o)
    padded = pad(Cat(resolved), groups * tile_columns * width)
    return skewed(m, "deskew", padded, groups, reverse=True)[: columns * width]


def pad(value, width: int):
    """``value`` zero-extended to ``width`` bits, for groups that the last tile does not fill."""
    missing = width - len(value)
    if missing == 0:
        return value
    return Cat(value, Signal(missing, name="padding"))
