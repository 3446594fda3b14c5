"""The drain of the array ``digit_serial``: one carry-propagate adder per column, shared by rows.

::

    cycle    t        t+1          t+2          t+3           t+4          t+5        t+6
    due -> grant -> bus (OR) -> sum+carry -> << 2*weight -> + running -> write back -> take
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..stream import BufferMemory, HeldMemory
from .skew import delayed

SLOTS = 2
"""Tiles of which a row may have results that were not taken: so far may rows run ahead."""


class DrainLane(wiring.Component):
    """One column: ``pair`` {sum, carry} in one cycle, ``weight`` two cycles later, ``running`` and
    ``opens`` three cycles later, ``o`` in the cycle after that: ``running`` (or 0 if ``opens``)
    plus the pair's sum times ``4**weight``. Modulo ``2**width``.
    """

    def __init__(self, *, n_digits: int, pass_width: int, width: int):
        self.n_digits, self.pass_width, self.width = n_digits, pass_width, width
        super().__init__(
            {
                "pair": In(2 * pass_width),
                "weight": In(range(max(n_digits, 2))),
                "opens": In(1),
                "running": In(width),
                "o": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pair = Signal.like(self.pair, name="pair_register", reset_less=True)
        resolved = Signal(self.pass_width, reset_less=True)
        total = Signal(self.width, reset_less=True)
        shifted = Signal(self.width, reset_less=True)
        # Only the resolved pass has a sign: first the addition, then extension and shift.
        extended = resolved.as_signed()
        with m.Switch(self.weight):
            for digit in range(self.n_digits):
                with m.Case(digit):
                    m.d.sync += shifted.eq(extended << (2 * digit))
        m.d.sync += [
            pair.eq(self.pair),
            resolved.eq(pair[: self.pass_width] + pair[self.pass_width :]),
            total.eq(Mux(self.opens, 0, self.running) + shifted),
        ]
        m.d.comb += self.o.eq(total)
        return m


class SerialDrain(wiring.Component):
    """Takes the finished passes of ``rows`` rows, one row per cycle, and keeps their results.

    Per row: ``due`` (the row's pass is complete at the end of this cycle, or was before), and its
    tag ``weight``, ``opens`` (first pass of a tile), ``closes`` (last), ``slot``, held while it is
    due. ``grant`` answers in the same cycle; in the next one ``read`` asks for the row's pair on
    ``bus``. The lowest row goes first, never in two successive cycles (the running sum of its pass
    before is on its way), and not while its result would replace one that was not taken.

    Results: ``ready`` (bit ``slot*rows + row``); ``take`` with ``take_row`` and ``take_slot`` takes
    one, on ``o`` a cycle later.
    """

    def __init__(self, *, rows: int, columns: int, n_digits: int, pass_width: int, width: int):
        self.rows, self.columns, self.n_digits = rows, columns, n_digits
        self.pass_width, self.width = pass_width, width
        self.weight_bits = max((n_digits - 1).bit_length(), 1)
        super().__init__(
            {
                "due": In(rows),
                "weight": In(rows * self.weight_bits),
                "opens": In(rows),
                "closes": In(rows),
                "slot": In(rows),
                "grant": Out(rows),
                "read": Out(rows),
                "bus": In(columns * 2 * pass_width),
                "ready": Out(SLOTS * rows),
                "take": In(1),
                "take_row": In(range(max(rows, 2))),
                "take_slot": In(1),
                "o": Out(columns * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self.rows
        taken = [Signal(rows, name=f"taken_{slot}") for slot in range(SLOTS)]
        ready = [Signal(rows, name=f"ready_{slot}") for slot in range(SLOTS)]
        read = Signal(rows)
        asks = Signal(rows)
        # Two slots: a slot is taken from the grant on, not only once the result is there.
        full = (taken[0] & ~self.slot) | (taken[1] & self.slot)
        m.d.comb += [
            asks.eq(self.due & ~read & ~(self.closes & full)),
            self.grant.eq(asks & -asks),
            self.read.eq(read),
            self.ready.eq(Cat(ready)),
        ]
        m.d.sync += read.eq(self.grant)

        # The granted row's tag, then alongside its pass: cycle t+1 of the table above, and so on.
        def granted(values):
            return (values & self.grant).any()

        weight = Signal(self.weight_bits)
        for row in range(rows):
            with m.If(self.grant[row]):
                m.d.comb += weight.eq(self.weight.word_select(row, self.weight_bits))
        number = [
            granted(Const(sum((row >> bit & 1) << row for row in range(rows)), rows))
            for bit in range(len(self.take_row))
        ]
        tag = Cat(weight, granted(self.opens), granted(self.slot), *number)
        valid = Cat(self.grant.any(), granted(self.closes))
        width, index = self.weight_bits, self.weight_bits + 2
        tags = [tag]
        valids = [valid]
        for stage in range(1, 6):
            tags.append(delayed(m, f"tag_{stage}", tags[-1], 1))
            valids.append(delayed(m, f"valid_{stage}", valids[-1], 1, resettable=True))

        m.submodules.running = running = shared(
            BufferMemory, width=self.columns * self.width, depth=rows
        )
        m.submodules.results = results = shared(
            HeldMemory, width=self.columns * self.width, depth=SLOTS << len(self.take_row)
        )
        totals = []
        for column in range(self.columns):
            m.submodules[f"lane_{column}"] = lane = shared(
                DrainLane, n_digits=self.n_digits, pass_width=self.pass_width, width=self.width
            )
            m.d.comb += [
                lane.pair.eq(self.bus.word_select(column, 2 * self.pass_width)),
                lane.weight.eq(tags[3][:width]),
                lane.opens.eq(tags[4][width]),
                lane.running.eq(running.r_data.word_select(column, self.width)),
            ]
            totals.append(lane.o)
        done = valids[5][0] & valids[5][1]
        m.d.comb += [
            running.r_addr.eq(tags[3][index:]),
            running.w_en.eq(valids[5][0]),
            running.w_addr.eq(tags[5][index:]),
            running.w_data.eq(Cat(totals)),
            results.w_en.eq(done),
            results.w_addr.eq(Cat(tags[5][index:], tags[5][index - 1])),
            results.w_data.eq(Cat(totals)),
            results.r_en.eq(self.take),
            results.r_addr.eq(Cat(self.take_row, self.take_slot)),
            self.o.eq(results.r_data),
        ]
        ended = [done & (tags[5][index:] == row) for row in range(rows)]
        for slot in range(SLOTS):
            begun = self.grant & self.closes & (self.slot if slot else ~self.slot)
            now = Cat(row & (tags[5][index - 1] == slot) for row in ended)
            gone = Cat(
                self.take & (self.take_slot == slot) & (self.take_row == row) for row in range(rows)
            )
            m.d.sync += [
                taken[slot].eq((taken[slot] | begun) & ~gone),
                ready[slot].eq((ready[slot] | now) & ~gone),
            ]
        return m
