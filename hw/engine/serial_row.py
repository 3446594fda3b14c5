"""The edge of one row of the array ``digit_serial``: which digit, and which operands of B, next.

::

    stage   0            1              2         3                 4
            index -> list memory -> reg -> B memory -> PE's register -> {sum, carry}

A row goes through its tiles (column panels of B, for every row panel of A), through the weights
that have digits, lowest first, and through their lists, a place per cycle. A row of A without any
digit takes one cycle with none, so that its result is zero.

Between the stages nothing waits, except that a new pass may not enter stage 4 before the pass there
was granted its way out: then stages 0 to 3 stand still.

PEs that recode themselves walk through lists of groups. A group spends as many cycles as it has
digits in a stage of its own in front of stage 4, in the PEs; the stages before it wait.
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
    array: ``b``, ``select``, ``first``, ``due`` with its tag; ``grant`` and, from PEs that take
    groups, ``done`` back.
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
                "first": Out(1),
                **({"done": In(1)} if pe.group else {}),
                "due": Out(1),
                "weight": Out(pe.weight_bits),
                "opens_tile": Out(1),
                "closes_tile": Out(1),
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
        busy = Signal(2)
        valid, tag, half, base = self._walk(m, lists, move, busy)

        # Stages 1 to 3: what a place of a list needs on its way.
        reading = 0
        for stage in (1, 2, 3):
            valid = self._held(m, move, valid, f"valid_{stage}", reset_less=False)
            tag = self._held(m, move, tag, f"tag_{stage}")
            if stage == 1:
                base = self._held(m, move, base, "base_1")
                addresses = [base + block for block in _words(lists.o_blocks, pe.banks)]
            elif stage == 2:
                self._read_b(m, move, addresses)
            if pe.group and stage < 3:
                # A's operands are read in stage 2, when the walk may be in the other half.
                half = self._held(m, move, half, f"half_{stage}")
                reading |= valid << half
        m.d.comb += self.busy.eq(busy | reading)

        # Stage 4, which takes digits with ``step``.
        step, accepts = Signal(), Signal()
        m.d.comb += move.eq(~valid | accepts)
        if pe.group:
            valid, tag = self._group(m, valid, tag, step, accepts, lists.o)
        else:
            now = Signal.like(self.select, name="digits_4")
            m.d.sync += now.eq(Mux(valid & step, lists.o, 0))
            m.d.comb += [accepts.eq(step), self.select.eq(now)]
        self._passes(m, valid & step, tag, step)
        return m

    def _walk(self, m, lists, move, busy):
        """Stage 0: through tiles, weights and the places of their lists, one per ``move``. What
        goes on, as ``valid``, ``tag``, half of A and first place of B's panel."""
        n_digits = self.pe.recoding.n_digits
        issue, half = Signal(), Signal()
        panel = Signal(range(max(self.panels, 2)))
        base = Signal(range(max(self.depth, 2)))
        slot = Signal()
        fresh = Signal(init=1)
        left = Signal(n_digits)
        opening = Signal()
        index = Signal(range(max(self.blocks, 2)))
        passes, pick, rest = (Signal(n_digits, name=name) for name in ("passes", "pick", "rest"))
        opens, closes, finished, last_panel = Signal(), Signal(), Signal(), Signal()
        a_here, b_here = Signal(), Signal()
        m.d.comb += [
            a_here.eq(Mux(half, busy[1], busy[0])),
            b_here.eq(panel < self.panels_there),
            self.waits.eq(fresh & a_here & b_here & move),
            self.live.eq(a_here),
            self.starved.eq(Cat(fresh & ~a_here, fresh & a_here & ~b_here)),
            issue.eq(move & Mux(fresh, self.waits & self.go, 1)),
            passes.eq(Mux(fresh, lists.passes, left)),
            pick.eq(passes & -passes),
            rest.eq(passes & ~pick),
            opens.eq(fresh | opening),
            closes.eq(~rest.any()),
            finished.eq(lists.final & closes),
            # The panel that is worked on is there; if no other is and that is all, it is the last.
            last_panel.eq(self.whole & (panel + 1 == self.panels_there)),
            lists.r_half.eq(half),
            lists.r_pick.eq(pick),
            lists.r_index.eq(index),
            lists.r_en.eq(move),
        ]
        m.d.sync += busy.eq(
            (busy | (self.loaded << self.half))
            & ~((issue & finished & last_panel) << half)
        )  # fmt: skip
        with m.If(self.restart):
            m.d.sync += [half.eq(0), panel.eq(0), base.eq(0), slot.eq(0), fresh.eq(1)]
            m.d.sync += [opening.eq(0), index.eq(0)]
        with m.Elif(issue):
            m.d.sync += [
                index.eq(Mux(lists.final, 0, index + 1)),
                left.eq(Mux(lists.final, rest, passes)),
                opening.eq(opens & ~lists.final),
                fresh.eq(finished),
            ]
            with m.If(finished):
                m.d.sync += [
                    slot.eq(~slot),
                    panel.eq(Mux(last_panel, 0, panel + 1)),
                    base.eq(Mux(last_panel, 0, base + self.stride)),
                    half.eq(half ^ last_panel),
                ]
        weight = Cat(
            _any(pick, [digit >> bit & 1 for digit in range(n_digits)])
            for bit in range(len(self.weight))
        )
        return issue, Cat(index == 0, lists.final, weight, opens, closes, slot), half, base

    def _group(self, m, valid, tag, step, accepts, operands):
        """The stage in which the PEs have a group, until its last digit goes to stage 4: what goes
        there, as ``valid`` and ``tag``."""
        here, first = Signal(name="group_here"), Signal(name="group_first")
        load, leave = Signal(name="group_load"), Signal(name="group_leave")
        held = Signal(len(tag), name="group_tag", reset_less=True)
        weight = tag[2 : 2 + len(self.weight)]
        m.d.comb += [
            leave.eq(here & step & self.done),
            accepts.eq(~here | leave),
            load.eq(valid & accepts),
            self.select.eq(Cat(operands, weight, load, step)),
        ]
        m.d.sync += here.eq(load | (here & ~leave))
        with m.If(load):
            m.d.sync += [held.eq(tag), first.eq(tag[0])]
        with m.Elif(step):
            m.d.sync += first.eq(0)
        return here, Cat(first, held[1] & self.done, held[2:])

    def _passes(self, m, enter, tag, step):
        """Stage 4: the last digit of a pass, and who it was, until the pass is granted."""
        last, full = Signal(), Signal()
        final = Signal.like(tag, name="tag_4", reset_less=True)
        m.d.comb += [
            step.eq(~self.due | self.grant),
            self.due.eq(last | full),
            Cat(
                Signal(2, name="unused"), self.weight, self.opens_tile, self.closes_tile, self.slot
            ).eq(final),
        ]
        m.d.sync += [
            self.first.eq(enter & tag[0]),
            last.eq(enter & tag[1]),
            full.eq(self.due & ~self.grant),
        ]
        with m.If(enter):
            m.d.sync += final.eq(tag)

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


def _any(select, bits):
    """Whether any bit of ``select`` is set where ``bits`` has a one."""
    chosen = [bit for bit, wanted in zip(select, bits, strict=True) if wanted]
    return Cat(chosen).any() if chosen else Signal(name="never")


def _words(value, count: int):
    return [value.word_select(n, len(value) // count) for n in range(count)]
