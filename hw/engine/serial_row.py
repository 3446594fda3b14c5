"""The edge of one row of the array ``digit_serial``: which digit, and which operands of B, next.

::

    stage   0            1              2           3
            index -> list memory -> reg -> B memory -> multiples in the PEs

A row goes through its tiles (column panels of B, for every row panel of A), through the weights,
from the highest that has digits to the lowest, and through their lists, a place per cycle. A weight
without digits below the highest takes a place too, and a row of A without any digit one in all.

Between the stages nothing waits, except that the last place of a tile may not leave stage 2 before
the drain has room for the tile's sums: then stages 0 to 2 stand still. The PEs go on with zeros.

PEs that recode themselves walk through lists of groups. A group goes from stage 3 into a stage of
its own, in the PEs, where it spends as many cycles as it has digits; the stages before it wait.
Which digit is a tile's last only the PEs know: the row asks the drain a cycle after it, and until
there is room the next tile's first digit may not leave.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..pe.serial import SerialPe
from ..stream import HeldMemory
from .digit_lists import DigitLists, DigitStore, list_ports
from .group_lists import GroupLists

LOADING = ("push", "opens", "half", "lane", "block")
"""Ports of loading A that are the same for all rows."""


class SerialRow(wiring.Component):
    """Lists of digits or groups, a copy of B, and the walk through both.

    Loading A: ``a`` (the row's element, a cycle before ``push`` and the rest of
    :data:`LOADING`), ``loaded`` (this row's panel in ``half`` is complete; with its last element or
    later). Loading B: ``b_en`` (one bit per bank), ``b_addr``, ``b_data`` (a row of a panel).

    ``restart``: a job begins. ``panels_there``: column panels of B loaded so far; ``whole``: that
    is all of them; ``stride``: places of a panel in a bank of B. ``waits``: a tile could begin as
    far as this row is concerned; it does with ``go``. ``busy``: halves that must not be loaded;
    ``live``: that of this row's next tile is there; ``starved``: the row waits for {A, B}. To the
    array: ``b``, ``select``, ``clear`` and ``shift``; ``due`` with ``slot`` (of the tile that is at
    its end); ``grant`` and, from PEs that take groups, ``done`` back.
    """

    def __init__(self, *, pe: SerialPe, columns: int, blocks: int, panels: int):
        self.pe, self.columns, self.blocks, self.panels = pe, columns, blocks, panels
        self.list_class = DigitStore
        if pe.sparse:
            self.list_class = GroupLists if pe.group else DigitLists
        self.depth = panels * blocks
        loading = list_ports(pe, blocks)
        super().__init__(
            {
                "a": In(pe.a.width),
                **{name: loading[name] for name in LOADING},
                "loaded": In(1),
                "b_en": In(pe.banks),
                "b_addr": In(range(max(self.depth, 2))),
                "b_data": In(columns * pe.b.width),
                "restart": In(1),
                "panels_there": In(range(panels + 1)),
                "whole": In(1),
                "stride": In(range(blocks + 1)),
                "waits": Out(1),
                "go": In(1),
                "busy": Out(2),
                "live": Out(1),
                "starved": Out(2),
                "b": Out(columns * pe.banks * pe.b.width),
                "select": Out(pe.select_width),
                "clear": Out(1),
                "shift": Out(1),
                **({"done": In(1)} if pe.group else {}),
                "due": Out(1),
                "slot": Out(1),
                "grant": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.lists = lists = shared(self.list_class, pe=pe, blocks=self.blocks)
        m.d.comb += lists.a.eq(self.a)
        m.d.comb += [getattr(lists, name).eq(getattr(self, name)) for name in LOADING]

        move = Signal()
        fresh, finished, issue = Signal(init=1), Signal(), Signal()
        opens, shifts, lowest = self._walk(m, lists, fresh, finished, issue)
        base, slot, half, busy = self._panels(m, lists, fresh, finished, issue, move)
        m.d.comb += [lists.r_en.eq(move), finished.eq(lists.final & lowest)]
        valid, tag = issue, Cat(opens, shifts, finished, slot)
        if pe.group:
            tag = Cat(tag, _number(lists.r_pick, pe.weight_bits))
        for stage in (1, 2):
            valid = self._held(m, move, valid, f"valid_{stage}", reset_less=False)
            tag = self._held(m, move, tag, f"tag_{stage}")
            if stage == 1:
                base = self._held(m, move, base, "base_1")
                addresses = [base + block for block in _words(lists.o_blocks, pe.banks)]
            if pe.group:
                # A's operands are read in stage 2, when the walk may be in the other half.
                half = self._held(m, move, half, f"half_{stage}")
                busy = busy | (valid << half)
        self._read_b(m, move, addresses)
        m.d.comb += self.busy.eq(busy)
        (self._groups if pe.group else self._digits)(m, move, valid, tag, lists.o)
        return m

    def _digits(self, m, move, valid, tag, digits):
        """From stage 2 to the PEs."""
        clear, shift, closes, slot = tag
        m.d.comb += [
            self.due.eq(valid & closes),
            self.slot.eq(slot),
            move.eq(~self.due | self.grant),
        ]
        m.d.sync += [
            self.select.eq(Mux(valid & move, digits, 0)),
            self.clear.eq(valid & move & clear),
            self.shift.eq(valid & move & shift),
        ]

    def _groups(self, m, move, valid, tag, operands):
        """Stage 3, and that in which the PEs have a group, until its last digit was taken."""
        valid = self._held(m, move, valid, "valid_3", reset_less=False)
        tag = self._held(m, move, tag, "tag_3")
        held = Signal(4, name="group_tag", reset_less=True)
        clear, shift, closes, slot = held
        here, first = Signal(name="group_here"), Signal(name="group_first")
        load, step, leave = (Signal(name=f"group_{name}") for name in ("load", "step", "leave"))
        due = Signal(name="group_due")
        m.d.comb += [
            self.due.eq(due),
            step.eq(~due | self.grant),
            leave.eq(here & step & self.done),
            move.eq(~valid | ~here | leave),
            load.eq(valid & move),
            self.select.eq(Cat(operands, tag[len(held) :], load, step)),
            self.clear.eq(first & step & clear),
            self.shift.eq(first & step & shift),
        ]
        m.d.sync += [here.eq(load | (here & ~leave)), due.eq((leave & closes) | ~step)]
        with m.If(load):
            m.d.sync += [held.eq(tag), first.eq(1)]
        with m.Elif(step):
            m.d.sync += first.eq(0)
        with m.If(leave):
            m.d.sync += self.slot.eq(slot)

    def _walk(self, m, lists, fresh, finished, issue):
        """Stage 0, inside a tile: weight and place. Returns whether the place at hand is a tile's
        first, another weight's first, of the last weight."""
        n_digits = self.pe.recoding.n_digits
        index = Signal.like(lists.r_index, name="index")
        pick, left = Signal(n_digits), Signal(n_digits)
        above = [lists.passes[digit + 1 :].any() for digit in range(n_digits)]
        # The lowest weight if there are no digits at all.
        highest = Cat(
            ~over & (lists.passes[digit] if digit else 1) for digit, over in enumerate(above)
        )
        m.d.comb += pick.eq(Mux(fresh, highest, left))
        with m.If(self.restart):
            m.d.sync += [fresh.eq(1), index.eq(0)]
        with m.Elif(issue):
            m.d.sync += [
                fresh.eq(finished),
                index.eq(Mux(lists.final, 0, index + 1)),
                left.eq(Mux(lists.final, pick >> 1, pick)),
            ]
        m.d.comb += [lists.r_pick.eq(pick), lists.r_index.eq(index)]
        return fresh, ~fresh & (index == 0), pick[0]

    def _panels(self, m, lists, fresh, finished, issue, move):
        """Stage 0, from tile to tile: panels of A and B. Returns the place of the latter, the slot,
        the half of A, and which are in use."""
        busy = Signal(2)
        half = Signal()
        panel = Signal(range(max(self.panels, 2)))
        base = Signal(range(max(self.depth, 2)))
        slot = Signal(name="tile_slot")
        a_here, b_here, last = Signal(), Signal(), Signal(name="last_panel")
        m.d.comb += [
            a_here.eq(Mux(half, busy[1], busy[0])),
            b_here.eq(panel < self.panels_there),
            # The panel that is worked on is there; if no other is and that is all, it is the last.
            last.eq(self.whole & (panel + 1 == self.panels_there)),
            issue.eq(move & Mux(fresh, self.waits & self.go, 1)),
            self.waits.eq(fresh & a_here & b_here & move),
            self.live.eq(a_here),
            self.starved.eq(Cat(fresh & ~a_here, fresh & a_here & ~b_here)),
            lists.r_half.eq(half),
        ]
        ends = issue & finished
        m.d.sync += busy.eq((busy | (self.loaded << self.half)) & ~((ends & last) << half))
        with m.If(self.restart):
            m.d.sync += [half.eq(0), panel.eq(0), base.eq(0), slot.eq(0)]
        with m.Elif(ends):
            m.d.sync += [
                slot.eq(~slot),
                panel.eq(Mux(last, 0, panel + 1)),
                base.eq(Mux(last, 0, base + self.stride)),
                half.eq(half ^ last),
            ]
        return base, slot, half, busy

    def _held(self, m, enable, value, name: str, *, reset_less: bool = True):
        register = Signal(len(value), name=name, reset_less=reset_less)
        with m.If(enable):
            m.d.sync += register.eq(value)
        return register

    def _read_b(self, m, move, addresses):
        """The copy of B, bank by bank; its answer is what the PEs take."""
        width = self.pe.b.width
        banks = []
        for lane, address in enumerate(addresses):
            m.submodules[f"b_{lane}"] = bank = shared(
                HeldMemory, width=self.columns * width, depth=self.depth
            )
            register = self._held(m, move, address[: len(self.b_addr)], f"b_address_{lane}")
            m.d.comb += [
                bank.w_en.eq(self.b_en[lane]),
                bank.w_addr.eq(self.b_addr),
                bank.w_data.eq(self.b_data),
                bank.r_en.eq(move),
                bank.r_addr.eq(register),
            ]
            banks.append(bank.r_data)
        m.d.comb += self.b.eq(
            Cat(data.word_select(n, width) for n in range(self.columns) for data in banks)
        )


def _number(select, bits: int):
    """Which bit of ``select`` is set."""
    number = [
        [bit for place, bit in enumerate(select) if place >> power & 1] for power in range(bits)
    ]
    return Cat(Cat(chosen).any() if chosen else Signal(name="never") for chosen in number)


def _words(value, count: int):
    return [value.word_select(n, len(value) // count) for n in range(count)]
