"""Inside an output-stationary array: PEs with accumulators, tiles and grids of them.

See :mod:`.output_stationary` for the structure and its timing.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.base import Pe
from .accumulate import accumulate
from .grid import chain, chunks, tiles


class OsCell(wiring.Component):
    """One PE with its accumulator, and its place on the column bus.

    Ports: ``a``, ``b`` (depth operands or codes, zero when there are none: a register that always
    adds is a multiplexer per bit smaller than one with an enable), ``first`` (start a new sum),
    ``capture`` (sum complete; only with ``hold``), ``read`` (drive the bus), ``o`` (bus: the state,
    or zero). ``partial``: a register between products and accumulator; ``first`` then comes one
    cycle after the operands.
    """

    def __init__(
        self, *, pe: Pe, depth: int, width: int, saturate: bool, hold: bool, partial: bool
    ):
        self.pe, self.depth, self.width = pe, depth, width
        self.saturate, self.hold, self.partial = saturate, hold, partial
        super().__init__(
            {
                "a": In(depth * pe.inner_width("a")),
                "b": In(depth * pe.inner_width("b")),
                "first": In(1),
                **({"capture": In(1)} if hold else {}),
                "read": In(1),
                "o": Out(pe.state_bits(width)),
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
                "a": In(rows * depth * pe.inner_width("a")),
                "b": In(columns * depth * pe.inner_width("b")),
                "control": In(control_width(cell["hold"])),
                "read": In(rows),
                "o": Out(columns * pe.state_bits(cell["width"])),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, depth = self.cell["pe"], self.cell["depth"]
        a_width, b_width = (depth * pe.inner_width(operand) for operand in "ab")
        word = pe.state_bits(self.cell["width"])
        bus = []
        for column, columns in chunks(self.columns):
            driven = None
            for row, rows in chunks(self.rows):
                if rows == columns == 1:
                    part = shared(OsCell, **self.cell)
                    m.d.comb += part.first.eq(self.control[0])
                    if self.cell["hold"]:
                        m.d.comb += part.capture.eq(self.control[1])
                else:
                    part = shared(OsTile, rows=rows, columns=columns, **self.cell)
                    m.d.comb += part.control.eq(self.control)
                m.submodules[f"part_{row}_{column}"] = part
                m.d.comb += [
                    part.a.eq(self.a[row * a_width : (row + rows) * a_width]),
                    part.b.eq(self.b[column * b_width : (column + columns) * b_width]),
                    part.read.eq(self.read[row : row + rows]),
                ]
                driven = merged(driven, part.o, word)
            bus += driven
        m.d.comb += self.o.eq(Cat(bus))
        return m


class OsGrid(wiring.Component):
    """``rows`` x ``columns`` PEs in tiles, registers between tiles.

    Ports (T_r, T_c tiles down and across; PE row 0 and column 0 lowest):
    ``a_i``/``a_o`` operands or codes entering left, leaving right; ``control_i``/``control_o`` per
    tile row {first[, capture]}; ``b_i``/``b_o`` operands or codes entering at the top, leaving
    at the bottom; ``token_i``/``token_o`` per tile column; ``o`` the column buses.
    """

    def __init__(self, *, rows: int, columns: int, tile_rows: int, tile_columns: int, **cell):
        self.rows, self.columns = rows, columns
        self.tile_rows, self.tile_columns, self.cell = tile_rows, tile_columns, cell
        pe, depth = cell["pe"], cell["depth"]
        ports = {}
        for name, width in (
            ("a", rows * depth * pe.inner_width("a")),
            ("control", tiles(rows, tile_rows) * control_width(cell["hold"])),
            ("b", columns * depth * pe.inner_width("b")),
            ("token", tiles(columns, tile_columns)),
        ):
            ports |= {f"{name}_i": In(width), f"{name}_o": Out(width)}
        super().__init__(ports | {"o": Out(columns * pe.state_bits(cell["width"]))})

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
        a_width, b_width = (depth * pe.inner_width(operand) for operand in "ab")
        c_width = control_width(self.cell["hold"])
        word = pe.state_bits(self.cell["width"])
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
            driven = None
            for block in line:
                driven = merged(driven, block.o, word)
            bus += driven
        m.d.comb += self.o.eq(Cat(bus))
        return m


def merged(words, bus, width: int) -> list:
    """The words of ``width`` bits of a column bus (``None``: none yet) with ``bus`` on it too.

    Word by word: simulators are slow with vectors of more than 64 bits.
    """
    more = [bus.word_select(n, width) for n in range(len(bus) // width)]
    return more if words is None else [a | b for a, b in zip(words, more, strict=True)]


def control_width(hold: bool) -> int:
    """Bits of a tile row's control: first and, with hold registers, capture."""
    return 1 + hold
