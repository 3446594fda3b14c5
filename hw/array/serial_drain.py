"""The drain of the array ``digit_serial``: one carry-propagate adder per column, shared by rows.

::

    cycle    t      t+1            t+latency  +1          +2 to +1+parts   +2+parts
    due -> grant -> last digits .. read    -> bus (OR) -> sum + carries -> take
"""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..stream import HeldMemory
from .serial_cell import RADIX, carry_places, state_bits
from .skew import delayed

SLOTS = 2
"""Tiles of which a row may have results that were not taken: so far may rows run ahead."""

PART = 6
"""Bits of the final addition per cycle: about as long a path as any in the PE."""


def parts(width: int) -> list[tuple[int, int]]:
    """``(start, end)`` of what is added in a cycle, from the lowest bits on."""
    return [(start, min(start + PART, width)) for start in range(0, width, PART)]


class DrainLane(wiring.Component):
    """One column: a PE's ``state`` (sum and carries, ``width`` bits of sum) in one cycle; the
    lowest part of their number, modulo ``2**width``, on ``o`` in the next cycle, the part above it
    in the cycle after, and so on (:func:`parts`).
    """

    def __init__(self, *, width: int):
        self.width = width
        super().__init__({"state": In(state_bits(width)), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        carries = [Const(0, 1)] * self.width
        for index, place in enumerate(carry_places(self.width)):
            carries[place] = self.state[self.width + index]
        carry = Const(0, 1)
        for number, (start, end) in enumerate(parts(self.width)):
            own = Cat(self.state[start:end], *carries[start:end:RADIX])
            own = delayed(m, f"part_{number}", own, number + 1)
            size = end - start
            spread = [Const(0, 1)] * size
            for index in range(0, size, RADIX):
                spread[index] = own[size + index // RADIX]
            total = Signal(size + 1, name=f"total_{number}")
            m.d.comb += [
                total.eq((Cat(Const(1, 1), own[:size]) + Cat(carry, *spread)) >> 1),
                self.o[start:end].eq(total),
            ]
            carry = Signal(name=f"carry_{number}", reset_less=True)
            m.d.sync += carry.eq(total[-1])
        return m


class SerialDrain(wiring.Component):
    """Takes the finished sums of ``rows`` rows, one row per cycle, and keeps them.

    Per row: ``due`` (the last digits of its tile are on their way, or leave in the next cycle, if
    they may) with ``slot``; ``grant`` answers in the same cycle. ``latency`` cycles later, when the
    PEs are adding those digits, ``read`` asks for the row's state on ``bus`` in the cycle after.
    The lowest row goes first; none whose result would replace one that was not taken.

    Results: ``ready`` (bit ``slot*rows + row``); ``take`` with ``take_row`` and ``take_slot`` takes
    one, on ``o`` a cycle later: ``width`` bits a column, signed as the state of the PEs is.
    """

    def __init__(self, *, rows: int, columns: int, latency: int, width: int):
        self.rows, self.columns = rows, columns
        self.latency, self.width = latency, width
        super().__init__(
            {
                "due": In(rows),
                "slot": In(rows),
                "grant": Out(rows),
                "read": Out(rows),
                "bus": In(columns * state_bits(width)),
                "ready": Out(SLOTS * rows),
                "take": In(1),
                "take_row": In(range(max(rows, 2))),
                "take_slot": In(1),
                "o": Out(columns * width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        taken = [Signal(self.rows, name=f"taken_{slot}") for slot in range(SLOTS)]
        ready = [Signal(self.rows, name=f"ready_{slot}") for slot in range(SLOTS)]
        asks = Signal(self.rows)
        # Two slots: a slot is taken from the grant on, not only once the result is there. That it
        # was granted shows a cycle late, when the row can at most ask for the other slot.
        full = (taken[0] & ~self.slot) | (taken[1] & self.slot)
        m.d.comb += [
            asks.eq(self.due & ~full),
            self.grant.eq(Cat(asks[n] & ~asks[:n].any() for n in range(self.rows))),
            self.ready.eq(Cat(ready)),
        ]
        granted, slots = Signal(self.rows), Signal(self.rows, reset_less=True)
        m.d.sync += [granted.eq(self.grant), slots.eq(self.slot)]
        # One row at a time, and its slot.
        reading = Cat(granted, (granted & slots).any())
        reading = delayed(m, "reading", reading, self.latency - 1, resettable=True)
        m.d.comb += self.read.eq(reading[:-1])
        written = self._keep(m, delayed(m, "on_bus", self._encoded(reading), 1, resettable=True))
        for slot in range(SLOTS):
            begun = granted & (slots if slot else ~slots)
            done, gone = (
                Cat(
                    (where == Cat(1, Const(row, len(self.take_row)), slot))
                    for row in range(self.rows)
                )
                for where in (written, Cat(self.take, self.take_row, self.take_slot))
            )
            m.d.sync += [
                taken[slot].eq((taken[slot] | begun) & ~gone),
                ready[slot].eq((ready[slot] | done) & ~gone),
            ]
        return m

    def _encoded(self, reading):
        """Whether there is a row, its number, its slot."""
        row = [
            Cat(reading[n] for n in range(self.rows) if n >> place & 1).any()
            for place in range(len(self.take_row))
        ]
        return Cat(reading[:-1].any(), *row, reading[-1])

    def _keep(self, m, on_bus):
        """Resolve what is on the bus and write it, part by part; what is written as a whole."""
        lanes = []
        for column in range(self.columns):
            m.submodules[f"lane_{column}"] = lane = shared(DrainLane, width=self.width)
            m.d.comb += lane.state.eq(self.bus.word_select(column, state_bits(self.width)))
            lanes.append(lane)
        words = [[] for _ in range(self.columns)]
        for number, (start, end) in enumerate(parts(self.width)):
            now = delayed(m, f"where_{number}", on_bus, 1 + number, resettable=True)
            m.submodules[f"results_{number}"] = results = shared(
                HeldMemory,
                width=self.columns * (end - start),
                depth=SLOTS << len(self.take_row),
            )
            m.d.comb += [
                results.w_en.eq(now[0]),
                results.w_addr.eq(now[1:]),
                results.w_data.eq(Cat(lane.o[start:end] for lane in lanes)),
                results.r_en.eq(self.take),
                results.r_addr.eq(Cat(self.take_row, self.take_slot)),
            ]
            for column, word in enumerate(words):
                word.append(results.r_data.word_select(column, end - start))
        m.d.comb += self.o.eq(Cat(*words))
        return delayed(m, "written", on_bus, len(parts(self.width)), resettable=True)
