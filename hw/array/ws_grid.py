"""Inside a weight-stationary array: weights in two banks, PEs, grids of tiles of them.

See :mod:`.weight_stationary` for the structure and its timing.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.base import Pe
from .grid import chain, chunks, tiles
from .skew import delayed

CONTROL = 3
"""Control bits of a tile beside its rows' enables."""


class WeightRegisters(wiring.Component):
    """``count`` pairs of weights: written by ``en`` (one bit per weight) into ``write_bank``,
    read from ``bank``. ``w`` holds ``count`` operands; ``o`` the chosen ``count``. ``clear`` zeroes
    those of ``write_bank`` that are not written.
    """

    def __init__(self, *, width: int, count: int):
        self.width, self.count = width, count
        super().__init__(
            {
                "w": In(count * width),
                "en": In(count),
                "clear": In(1),
                "write_bank": In(1),
                "bank": In(1),
                "o": Out(count * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # No reset: the first row of a block clears the rest, with the same pin.
        banks = [Signal(len(self.w), name=f"bank_{n}", reset_less=True) for n in range(2)]
        for n, weights in enumerate(banks):
            for index in range(self.count):
                weight = weights.word_select(index, self.width)
                with m.If(self.en[index] & (self.write_bank == n)):
                    m.d.sync += weight.eq(self.w.word_select(index, self.width))
                with m.Elif(self.clear & (self.write_bank == n)):
                    m.d.sync += weight.eq(0)
        m.d.comb += self.o.eq(Mux(self.bank, banks[1], banks[0]))
        return m


class WeightColumn(wiring.Component):
    """``depth`` weights under each other: ``o = c + sum(a[d] * weight[bank][d])``, combinational
    but for the weights, all products and ``c`` in one sum.

    Ports: ``a`` (depth operands or codes), ``bank``; ``w`` (one weight or code), ``en`` (which of
    the depth takes it), ``clear`` (the others become zero), ``write_bank``; ``c`` and ``o``
    (states). ``early``: both banks come a cycle before the rest, to registers of the column's own:
    one for all columns would choose late.
    """

    def __init__(self, *, pe: Pe, depth: int, width: int, early: bool = False):
        self.pe, self.depth, self.width, self.early = pe, depth, width, early
        state = pe.state_bits(width)
        super().__init__(
            {
                "a": In(depth * pe.inner_width("a")),
                "bank": In(1),
                "w": In(pe.inner_width("b")),
                "en": In(depth),
                "clear": In(1),
                "write_bank": In(1),
                "c": In(state),
                "o": Out(state),
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
        banks = Cat(self.bank, self.write_bank)
        banks = delayed(m, "bank_stage", banks, int(self.early), resettable=True)
        m.d.comb += [
            weights.w.eq(Cat(self.w for _ in range(self.depth))),
            weights.en.eq(self.en),
            weights.clear.eq(self.clear),
            Cat(weights.bank, weights.write_bank).eq(banks),
            dot.a.eq(self.a),
            dot.b.eq(weights.o),
            dot.c.eq(self.c),
            self.o.eq(dot.o),
        ]
        return m


class WsGrid(wiring.Component):
    """``rows`` x ``columns`` PEs in tiles of ``tile_rows`` x ``tile_columns``.

    Ports: ``a_i``/``a_o`` operands or codes, moving right; ``control_i``/``control_o`` per tile row
    {bank, write_bank, clear, one enable per PE row of the tile}; ``w_i``/``w_o`` weights (or codes)
    and ``sum_i``/``sum_o`` states, moving down.
    """

    def __init__(
        self, *, rows: int, columns: int, tile_rows: int, tile_columns: int, pe: Pe, width: int
    ):
        self.rows, self.columns, self.pe, self.width = rows, columns, pe, width
        self.tile_rows, self.tile_columns = tile_rows, tile_columns
        ports = {}
        for name, bits in (
            ("a", rows * pe.inner_width("a")),
            ("control", CONTROL * tiles(rows, tile_rows) + rows),
            ("w", columns * pe.inner_width("b")),
            ("sum", columns * pe.state_bits(width)),
        ):
            ports |= {f"{name}_i": In(bits), f"{name}_o": Out(bits)}
        super().__init__(ports)

    def elaborate(self, platform):
        if self.rows <= self.tile_rows and self.columns <= self.tile_columns:
            return self._tile()
        return self._blocks()

    def _tile(self):
        m = Module()
        pe, state = self.pe, self.pe.state_bits(self.width)
        sums = []
        for column in range(self.columns):
            m.submodules[f"column_{column}"] = part = shared(
                WeightColumn, pe=pe, depth=self.rows, width=self.width
            )
            m.d.comb += [
                part.a.eq(self.a_i),
                Cat(part.bank, part.write_bank, part.clear).eq(self.control_i[:CONTROL]),
                part.en.eq(self.control_i[CONTROL:]),
                part.w.eq(self.w_i.word_select(column, pe.inner_width("b"))),
                part.c.eq(self.sum_i.word_select(column, state)),
            ]
            sums.append(part.o)
        sums = Cat(sums)
        # Write enables are cleared by reset; data and sums need not be.
        for name, value, resettable in (
            ("a", self.a_i, False),
            ("control", self.control_i, True),
            ("w", self.w_i, False),
            ("sum", sums, False),
        ):
            register = Signal(len(value), name=f"{name}_register", reset_less=not resettable)
            m.d.sync += register.eq(value)
            m.d.comb += getattr(self, f"{name}_o").eq(register)
        return m

    def _blocks(self):
        m = Module()
        pe, state = self.pe, self.pe.state_bits(self.width)
        row_chunks = chunks(self.rows, self.tile_rows)
        column_chunks = chunks(self.columns, self.tile_columns)
        blocks = {}
        for row, rows in row_chunks:
            for column, columns in column_chunks:
                m.submodules[f"block_{row}_{column}"] = blocks[row, column] = shared(
                    WsGrid,
                    rows=rows,
                    columns=columns,
                    tile_rows=min(self.tile_rows, rows),
                    tile_columns=min(self.tile_columns, columns),
                    pe=pe,
                    width=self.width,
                )
        for row, rows in row_chunks:
            line = [blocks[row, column] for column, _ in column_chunks]
            width = pe.inner_width("a")
            chain(m, line, "a", self.a_i, self.a_o, row * width, rows * width)
            start = CONTROL * (row // self.tile_rows) + row
            length = CONTROL * tiles(rows, self.tile_rows) + rows
            chain(m, line, "control", self.control_i, self.control_o, start, length)
        for column, columns in column_chunks:
            line = [blocks[row, column] for row, _ in row_chunks]
            width = pe.inner_width("b")
            chain(m, line, "w", self.w_i, self.w_o, column * width, columns * width)
            chain(m, line, "sum", self.sum_i, self.sum_o, column * state, columns * state)
        return m
