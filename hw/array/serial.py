"""The array ``digit_serial``: rows of serial processing elements that work at their own pace.

::

                     column 0         column 1
    select, shift -> [PE {S,C}] ----> [PE {S,C}] ---->     row 0: its own place in K and weight
              b_0 ----^      |   b_1 ---^      |
    select, shift -> [PE {S,C}] ----> [PE {S,C}] ---->     row 1
                             |                 |
                            bus               bus          OR of the row that was granted
                             |                 |
                          [drain]           [drain]        S + C, result

C[m, n] is the sum over weights of ``4**w`` times the sum over K of ``digit_w(A[m, k]) * B[k, n]``
(the bit-weight notation: encode, map, half reduce, shift in the PE; add in the drain). A row adds
up one *pass*, all digits of one weight, from the highest weight to the lowest, and what there is
counts four times when the next begins; which digits, and of what length, its edge decides
(:mod:`..engine.serial_row`), or the PEs themselves (:mod:`.group_cell`), all columns of a row
together.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.serial import SerialPe
from .grid import chunks
from .group_cell import cell_class
from .serial_cell import state_bits
from .serial_drain import SLOTS, SerialDrain, parts
from .skew import delayed

CONTROL = ("clear", "shift", "read")


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
                "clear": In(rows * columns),
                "shift": In(rows * columns),
                "read": In(rows * columns),
                "o": Out(columns * state_bits(width)),
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
                ]
                for name in CONTROL:
                    lane = [
                        getattr(self, name)[r * self.columns + column :][:columns]
                        for r in range(row, row + rows)
                    ]
                    m.d.comb += getattr(part, name).eq(Cat(lane))
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

    Ports: per row ``b`` (columns x lanes operands, column by column), in the same cycle ``select``
    (lanes x 3 lines), ``clear`` and ``shift`` as :class:`.serial_cell.SerialCell`; or ``b`` and
    ``select`` as :class:`.group_cell.GroupCell` has them, with ``done`` back, ``clear`` and
    ``shift`` in the cycle of the step. ``due``, ``slot``, ``grant`` and the results as in
    :class:`.serial_drain.SerialDrain`, for all rows together.

    ``terms``: largest K. ``width``: of a result; modulo ``2**width``. Latency: :attr:`latency`
    cycles from the last digits of a row's tile to its result, if that is taken at once.
    """

    queues = ("held_memory",)
    """Cells that hold results until they are taken, as the row queue does behind other arrays."""
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
        self.cell_class = cell_class(pe)
        #: Bits that PEs and drains work with; the rest of a result is its sign.
        self.state_width = pe.state_width(terms, width)
        #: The PE's registers, the bus, the parts of the addition, the results.
        self.latency = pe.latency + 2 + len(parts(self.state_width))
        super().__init__(
            {
                "b": In(rows * columns * pe.banks * pe.b.width),
                "select": In(rows * pe.select_width),
                "clear": In(rows),
                "shift": In(rows),
                **({"done": Out(rows)} if pe.group else {}),
                "due": In(rows),
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
        clear = delayed(m, "clears", self.clear, pe.latency - 2, resettable=True)
        shift = delayed(m, "shifts", self.shift, pe.latency - 2, resettable=True)
        for start in range(0, self.rows, self.share):
            rows = min(self.share, self.rows - start)
            end = start + rows
            m.submodules[f"cells_{start}"] = cells = shared(
                SerialCells, rows=rows, columns=self.columns, pe=pe, width=self.state_width
            )
            m.submodules[f"drain_{start}"] = drain = shared(
                SerialDrain,
                rows=rows,
                columns=self.columns,
                latency=pe.read_latency,
                width=self.state_width,
            )
            mine = Signal(name=f"mine_{start}")
            last = Signal(name=f"last_{start}", reset_less=True)
            m.d.comb += [
                cells.b.eq(self.b[start * b_width : end * b_width]),
                cells.select.eq(self.select[start * lines : end * lines]),
                cells.clear.eq(self._copies(clear[start:end])),
                cells.shift.eq(self._copies(shift[start:end])),
                cells.read.eq(self._copies(drain.read)),
                drain.bus.eq(cells.o),
                drain.due.eq(self.due[start:end]),
                drain.slot.eq(self.slot[start:end]),
                self.grant[start:end].eq(drain.grant),
                mine.eq((self.take_row >= start) & (self.take_row < end)),
                drain.take.eq(self.take & mine),
                drain.take_row.eq(self.take_row - start),
                drain.take_slot.eq(self.take_slot),
            ]
            if pe.group:
                m.d.comb += self.done[start:end].eq(cells.done)
            m.d.sync += last.eq(mine)
            for slot in range(SLOTS):
                ready[slot].append(drain.ready[slot * rows : (slot + 1) * rows])
            gated = Mux(last, drain.o, 0) if self.share < self.rows else drain.o
            chosen = gated if chosen is None else chosen | gated
        extended = [
            chosen.word_select(column, self.state_width).as_signed()
            for column in range(self.columns)
        ]
        results = [Signal(self.width, name=f"result_{n}") for n in range(self.columns)]
        m.d.comb += [result.eq(value) for result, value in zip(results, extended, strict=True)]
        m.d.comb += [self.ready.eq(Cat(*ready)), self.o.eq(Cat(results))]
        return m

    def _copies(self, bits):
        """A row's control bit, for every PE of the row."""
        return Cat(bit.replicate(self.columns) for bit in bits)
