"""The array ``digit_serial``: rows of serial processing elements that work at their own pace.

::

                     column 0         column 1
    select, first -> [PE {S,C}] ----> [PE {S,C}] ---->     row 0: its own place in K and weight
              b_0 ----^      |   b_1 ---^      |
    select, first -> [PE {S,C}] ----> [PE {S,C}] ---->     row 1
                             |                 |
                            bus               bus          OR of the row that was granted
                             |                 |
                          [drain]           [drain]        S + C, shift, running sum, result

C[m, n] is the sum over weights of ``4**w`` times the sum over K of ``digit_w(A[m, k]) * B[k, n]``
(the bit-weight notation: encode, map, half reduce in the PE; add, shift in the drain). A row adds
up one *pass*, all digits of one weight, then the next; which digits, and of what length, its edge
decides (:mod:`..engine.serial_row`), or the PEs themselves (:mod:`.group_cell`), all columns of a
row together.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.serial import SerialPe
from .grid import chunks
from .group_cell import cell_class
from .serial_drain import SLOTS, SerialDrain


class SerialCells(wiring.Component):
    """``rows`` x ``columns`` PEs; cut into blocks when large. Ports as the cell's, per row and
    column; ``b`` row by row; ``o``: the column buses; ``done`` (PEs with a group): all of a row."""

    def __init__(self, *, rows: int, columns: int, pe: SerialPe, width: int):
        self.rows, self.columns, self.pe, self.width = rows, columns, pe, width
        self.b_width = pe.banks * pe.b.width
        super().__init__(
            {
                "b": In(rows * columns * self.b_width),
                "select": In(rows * pe.select_width),
                "first": In(rows),
                "read": In(rows),
                "o": Out(columns * 2 * width),
                **({"done": Out(rows)} if pe.group else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lines = self.pe.select_width
        bus, done = [], [[] for _ in range(self.rows)]
        for column, columns in chunks(self.columns):
            driven = None
            for row, rows in chunks(self.rows):
                if rows == columns == 1:
                    part = shared(cell_class(self.pe), pe=self.pe, width=self.width)
                else:
                    part = shared(
                        SerialCells, rows=rows, columns=columns, pe=self.pe, width=self.width
                    )
                m.submodules[f"part_{row}_{column}"] = part
                b = [
                    self.b[(r * self.columns + column) * self.b_width :][: columns * self.b_width]
                    for r in range(row, row + rows)
                ]
                m.d.comb += [
                    part.b.eq(Cat(b)),
                    part.select.eq(self.select[row * lines : (row + rows) * lines]),
                    part.first.eq(self.first[row : row + rows]),
                    part.read.eq(self.read[row : row + rows]),
                ]
                driven = part.o if driven is None else driven | part.o
                for number in range(rows if self.pe.group else 0):
                    done[row + number].append(part.done[number])
            bus.append(driven)
        m.d.comb += self.o.eq(Cat(bus))
        if self.pe.group:
            m.d.comb += self.done.eq(Cat(Cat(columns).all() for columns in done))
        return m


class DigitSerialArray(wiring.Component):
    """``rows`` x ``columns`` PEs, ``share`` rows to a drain.

    Ports: per row ``b`` (columns x lanes operands, column by column), one cycle later ``select``
    (lanes x 3 lines) and ``first``, or as :class:`.group_cell.GroupCell` has them, with ``done``
    back; ``due``, ``weight``, ``opens``, ``closes``, ``slot``, ``grant`` and the results as in
    :class:`.serial_drain.SerialDrain`, for all rows together.

    ``terms``: largest K. ``width``: of a result; modulo ``2**width``. Latency: :attr:`latency`
    cycles from the last digits of a row's last pass to its result, if the row is granted at once.
    """

    queues = ("held_memory",)
    """Cells that hold results until they are taken, as the row queue does behind other arrays."""
    latency = 7
    initiation_interval = None
    """Depends on the data: a pass takes as many cycles as there are digits in it."""

    def __init__(
        self, *, pe: SerialPe, rows: int, columns: int, terms: int, width: int, share: int,
        barrier: bool = False,
    ):  # fmt: skip
        for name, value in (("rows", rows), ("columns", columns), ("share", share)):
            if value < 1:
                raise ValueError(f"{name} must be a positive integer, not {value}")
        self.pe, self.rows, self.columns, self.terms = pe, rows, columns, terms
        self.width, self.share = width, min(share, rows)
        #: Whether rows start every tile together; what the core in front of the array does.
        self.barrier = barrier
        self.pass_width = pe.pass_width(terms)
        self.weight_bits = pe.weight_bits
        self.cell_class = cell_class(pe)
        super().__init__(
            {
                "b": In(rows * columns * pe.banks * pe.b.width),
                "select": In(rows * pe.select_width),
                "first": In(rows),
                **({"done": Out(rows)} if pe.group else {}),
                "due": In(rows),
                "weight": In(rows * self.weight_bits),
                "opens": In(rows),
                "closes": In(rows),
                "slot": In(rows),
                "grant": Out(rows),
                "ready": Out(SLOTS * rows),
                "take": In(1),
                "take_row": In(range(max(rows, 2))),
                "take_slot": In(1),
                "o": Out(columns * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        ready = [[] for _ in range(SLOTS)]
        chosen = None
        lines, b_width = pe.select_width, self.columns * pe.banks * pe.b.width
        for start in range(0, self.rows, self.share):
            rows = min(self.share, self.rows - start)
            end = start + rows
            m.submodules[f"cells_{start}"] = cells = shared(
                SerialCells, rows=rows, columns=self.columns, pe=pe, width=self.pass_width
            )
            m.submodules[f"drain_{start}"] = drain = shared(
                SerialDrain,
                rows=rows,
                columns=self.columns,
                n_digits=pe.recoding.n_digits,
                pass_width=self.pass_width,
                width=self.width,
            )
            mine = Signal(name=f"mine_{start}")
            last = Signal(name=f"last_{start}", reset_less=True)
            m.d.comb += [
                cells.b.eq(self.b[start * b_width : end * b_width]),
                cells.select.eq(self.select[start * lines : end * lines]),
                cells.first.eq(self.first[start:end]),
                cells.read.eq(drain.read),
                drain.bus.eq(cells.o),
                drain.weight.eq(self.weight[start * self.weight_bits : end * self.weight_bits]),
                self.grant[start:end].eq(drain.grant),
                mine.eq((self.take_row >= start) & (self.take_row < end)),
                drain.take.eq(self.take & mine),
                drain.take_row.eq(self.take_row - start),
                drain.take_slot.eq(self.take_slot),
            ]
            if pe.group:
                m.d.comb += self.done[start:end].eq(cells.done)
            for name in ("due", "opens", "closes", "slot"):
                m.d.comb += getattr(drain, name).eq(getattr(self, name)[start:end])
            m.d.sync += last.eq(mine)
            for slot in range(SLOTS):
                ready[slot].append(drain.ready[slot * rows : (slot + 1) * rows])
            gated = Mux(last, drain.o, 0) if self.share < self.rows else drain.o
            chosen = gated if chosen is None else chosen | gated
        m.d.comb += [self.ready.eq(Cat(*ready)), self.o.eq(chosen)]
        return m
