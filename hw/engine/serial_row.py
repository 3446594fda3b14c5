"""The edge of one row of the array ``digit_serial``: which digit, and which operands of B, next.

::

    stage   0            1              2         3                 4
            index -> list memory -> reg -> B memory -> PE's register -> {sum, carry}

A row goes through its tiles (column panels of B, for every row panel of A), through the weights
that have digits, lowest first, and through their lists, a place per cycle. A row of A without any
digit takes one cycle with none, so that its result is zero.

Between the stages nothing waits, except that a new pass may not enter stage 4 before the pass there
was granted its way out: then stages 0 to 3 stand still.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.serial_cell import LINES
from ..cells import shared
from ..pe.serial import SerialPe
from ..stream import HeldMemory
from .digit_lists import DigitLists, DigitStore, list_ports

LOADING = ("push", "opens", "half", "lane", "block")
"""Ports of loading A that are the same for all rows."""


class SerialRow(wiring.Component):
    """Lists of digits, a copy of B, and the walk through both.

    Loading A: ``a`` (the row's element, a cycle before ``push`` and the rest of
    :data:`LOADING`), ``loaded`` (this row's panel in ``half`` is complete; with its last element or
    later). Loading B: ``b_en`` (one bit per lane), ``b_addr``, ``b_data`` (a row of a panel).

    ``restart``: a job begins. ``panels_there``: column panels of B loaded so far; ``whole``: that
    is all of them; ``stride``: places of a panel in a lane of B. ``waits``: a tile could begin as
    far as this row is concerned; it does with ``go``. ``busy``: halves in use; ``live``: that of
    this row's next tile is; ``starved``: the row waits for {A, B}. To the array: ``b``, ``digits``,
    ``first``, ``due`` with its tag, and ``grant`` back.
    """

    def __init__(self, *, pe: SerialPe, columns: int, blocks: int, panels: int):
        self.pe, self.columns, self.blocks, self.panels = pe, columns, blocks, panels
        self.list_class = DigitLists if pe.sparse else DigitStore
        self.depth = panels * blocks
        loading = list_ports(pe, blocks)
        weight_bits = max((pe.recoding.n_digits - 1).bit_length(), 1)
        super().__init__(
            {
                "a": In(pe.a.width),
                **{name: loading[name] for name in LOADING},
                "loaded": In(1),
                "b_en": In(pe.lanes),
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
                "b": Out(columns * pe.lanes * pe.b.width),
                "digits": Out(pe.lanes * LINES),
                "first": Out(1),
                "due": Out(1),
                "weight": Out(weight_bits),
                "opens_tile": Out(1),
                "closes_tile": Out(1),
                "slot": Out(1),
                "grant": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pe, n_digits = self.pe, self.pe.recoding.n_digits
        m.submodules.recoder = recoder = shared(pe.recoding.recoder_class, recoding=pe.recoding)
        m.submodules.lists = lists = shared(self.list_class, pe=pe, blocks=self.blocks)
        code = Signal(pe.recoding.code_width, reset_less=True)
        m.d.sync += code.eq(recoder.o)
        m.d.comb += [recoder.i.eq(self.a), lists.code.eq(code)]
        m.d.comb += [getattr(lists, name).eq(getattr(self, name)) for name in LOADING]

        # Stage 0: the walk.
        move, issue = Signal(), Signal()
        busy = Signal(2)
        half = Signal()
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
            self.busy.eq(busy),
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

        # Stages 1 to 3: what a place of a list needs on its way.
        weight = Cat(
            _any(pick, [digit >> bit & 1 for digit in range(n_digits)])
            for bit in range(len(self.weight))
        )
        tag = Cat(index == 0, lists.final, weight, opens, closes, slot)
        valid = issue
        for stage in (1, 2, 3):
            valid = self._held(m, move, valid, f"valid_{stage}", reset_less=False)
            tag = self._held(m, move, tag, f"tag_{stage}")
            if stage == 1:
                base = self._held(m, move, base, "base_1")
                digits = lists.o_digits
                addresses = [base + block for block in _words(lists.o_blocks, pe.lanes)]
            else:
                digits = self._held(m, move, digits, f"digits_{stage}")
            if stage == 2:
                self._read_b(m, move, addresses)

        # Stage 4.
        last, full, enter = Signal(), Signal(), Signal()
        now = Signal(pe.lanes * LINES, name="digits_4")
        final = Signal.like(tag, name="tag_4", reset_less=True)
        m.d.comb += [
            move.eq(~valid | ~self.due | self.grant),
            enter.eq(valid & move),
            self.due.eq(last | full),
            self.digits.eq(now),
            Cat(
                Signal(2, name="unused"), self.weight, self.opens_tile, self.closes_tile, self.slot
            ).eq(final),
        ]
        m.d.sync += [
            now.eq(Mux(enter, digits, 0)),
            self.first.eq(enter & tag[0]),
            last.eq(enter & tag[1]),
            full.eq(self.due & ~self.grant),
        ]
        with m.If(enter):
            m.d.sync += final.eq(tag)
        return m

    def _held(self, m, enable, value, name: str, *, reset_less: bool = True):
        register = Signal(len(value), name=name, reset_less=reset_less)
        with m.If(enable):
            m.d.sync += register.eq(value)
        return register

    def _read_b(self, m, move, addresses):
        """The copy of B, one bank per lane; its answer is what the PEs take."""
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
