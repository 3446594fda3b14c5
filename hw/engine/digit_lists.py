"""What a row of A has to be multiplied by, in an order that the row can walk: made while A loads.

Three components with the same ports (:func:`list_ports`). :class:`DigitLists` keeps only nonzero
digits, one list per weight and lane, so that a zero digit never costs a cycle; :class:`DigitStore`
keeps all digits; :class:`.group_lists.GroupLists` leaves the digits to the PEs.

Two *halves*: one panel of A is worked on while the next one loads.

Loading, one element per cycle: ``a`` (the element), and a cycle later ``push``, ``opens`` (it is
the first of a panel), ``lane`` and ``block`` (its place: ``k = block*banks + lane``), ``half``.

Reading: ``r_half``, ``r_pick`` (one-hot weight, or none) and ``r_index``, which give at once
``passes`` (the weights that have digits at all) and ``final`` (nothing is behind this place; also
if the weight has none); one cycle after ``r_en``, ``o_blocks`` (per bank of B, where its operand
is), and ``o``: what the PEs are to do with those. That is per lane *one*, *two*, *neg*, zero in a
lane that has no digit here, two cycles with ``r_en`` after, which is a cycle before B's operands;
or the group's operands of A, with B's. Of a weight without digits a group is read that has none.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.serial_cell import LINES, digit_lines, selected
from ..cells import shared
from ..pe.serial import SerialPe
from ..stream import HeldMemory


def list_ports(pe: SerialPe, blocks: int) -> dict:
    n_digits = pe.recoding.n_digits
    return {
        "a": In(pe.a.width),
        "push": In(1),
        "opens": In(1),
        "half": In(1),
        "lane": In(range(max(pe.banks, 2))),
        "block": In(range(max(blocks, 2))),
        "r_half": In(1),
        "r_pick": In(n_digits),
        "r_index": In(range(max(blocks, 2))),
        "r_en": In(1),
        "passes": Out(n_digits),
        "final": Out(1),
        "o_blocks": Out(pe.banks * max((blocks - 1).bit_length(), 1)),
        "o": Out(pe.group * pe.a.width if pe.group else pe.lanes * LINES),
    }


def recoded(m, pe: SerialPe, a):
    """The digits of an element of A, a cycle later: its recoder and the register behind it."""
    m.submodules.recoder = recoder = shared(pe.recoding.recoder_class, recoding=pe.recoding)
    code = Signal(pe.recoding.code_width, reset_less=True)
    m.d.sync += code.eq(recoder.o)
    m.d.comb += recoder.i.eq(a)
    return digit_lines(m, pe.recoding, code, "digit_")


def address(index, half, like):
    """Of a place in a memory that holds both halves."""
    return Cat(index[: len(like)], half)


def ends_list(lists, length):
    """Whether nothing is behind the place that is read of a list of ``length`` places, or none."""
    return ~(lists.r_pick & lists.passes).any() | (length == lists.r_index + 1)


class ListPair(wiring.Component):
    """A list for each half: one is filled while the other is read. ``depth``: most entries of one.

    ``push`` (an element of ``half``), ``opens`` (the list is empty before it), ``append`` (it has
    an ``entry``); ``count``: entries after it. ``r_half``, ``r_index``, ``r_en``: a cycle later
    ``o`` is that entry; ``r_count``: entries of ``r_half``.
    """

    def __init__(self, *, width: int, depth: int):
        self.width, self.depth = width, depth
        counts = range(depth + 1)
        super().__init__(
            {
                "push": In(1),
                "opens": In(1),
                "half": In(1),
                "append": In(1),
                "entry": In(width),
                "count": Out(counts),
                "r_half": In(1),
                "r_index": In(range(max(depth, 2))),
                "r_en": In(1),
                "r_count": Out(counts),
                "o": Out(width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.entries = memory = shared(
            HeldMemory, width=self.width, depth=2 << len(self.r_index)
        )
        ends = [Signal.like(self.count, name=f"end_{half}") for half in range(2)]
        place = Signal.like(self.count)
        m.d.comb += [
            place.eq(Mux(self.opens, 0, Mux(self.half, ends[1], ends[0]))),
            self.count.eq(place + self.append),
            self.r_count.eq(Mux(self.r_half, ends[1], ends[0])),
            memory.w_en.eq(self.append),
            memory.w_addr.eq(address(place, self.half, self.r_index)),
            memory.w_data.eq(self.entry),
            memory.r_en.eq(self.r_en),
            memory.r_addr.eq(address(self.r_index, self.r_half, self.r_index)),
            self.o.eq(memory.r_data),
        ]
        for half in range(2):
            with m.If(self.push & (self.half == half)):
                m.d.sync += ends[half].eq(self.count)
        return m


class DigitLists(wiring.Component):
    """Nonzero digits only (see the module). ``blocks``: largest number of places of a lane."""

    def __init__(self, *, pe: SerialPe, blocks: int):
        self.pe, self.blocks = pe, blocks
        super().__init__(list_ports(pe, blocks))

    def elaborate(self, platform):
        m = Module()
        pe, n_digits = self.pe, self.pe.recoding.n_digits
        digits = recoded(m, pe, self.a)
        lengths = [
            [Signal(range(self.blocks + 1), name=f"length_{half}_{d}") for d in range(n_digits)]
            for half in range(2)
        ]
        pick = Signal(n_digits)
        with m.If(self.r_en):
            m.d.sync += pick.eq(self.r_pick)
        blocks, lines = [], []
        for lane in range(pe.lanes):
            push = self.push & (self.lane == lane)
            words, ends = [], []
            for digit, (one, two, neg) in enumerate(digits):
                pair = shared(ListPair, width=len(self.block) + 2, depth=self.blocks)
                m.submodules[f"list_{lane}_{digit}"] = pair
                for name in ("push", "opens", "half", "r_half", "r_index", "r_en"):
                    m.d.comb += getattr(pair, name).eq(getattr(self, name))
                m.d.comb += [
                    pair.append.eq(push & (one | two)),
                    pair.entry.eq(Cat(self.block, two, neg)),
                ]
                words.append(pair.o)
                ends.append(pair.r_count)
                # The longest of the lanes; lanes come in turn, each ahead of the next by one.
                for half in range(2):
                    length = lengths[half][digit]
                    with m.If(push & (self.half == half)):
                        longer = pair.count > length
                        with m.If(self.opens | longer):
                            m.d.sync += length.eq(pair.count)
            valid = Signal(name=f"valid_{lane}")
            with m.If(self.r_en):
                m.d.sync += valid.eq(self.r_index < selected(self.r_pick, ends))
            entry = Signal(len(self.block) + 2, name=f"entry_{lane}")
            m.d.comb += entry.eq(selected(pick, words))
            two, neg = entry[-2:]
            blocks.append(entry[:-2])
            lines.append(Cat(valid & ~two, valid & two, valid & neg))
        here = [Mux(self.r_half, lengths[1][d], lengths[0][d]) for d in range(n_digits)]
        m.d.comb += [
            self.o_blocks.eq(Cat(blocks)),
            self.o.eq(held(m, self.r_en, Cat(lines))),
            self.passes.eq(Cat(length.any() for length in here)),
            self.final.eq(ends_list(self, selected(self.r_pick, here))),
        ]
        return m


class DigitStore(wiring.Component):
    """All digits (see the module). ``blocks``: largest number of places of a lane.

    A lane that is empty in a job's last block gives a digit that must not count: the last element
    of a panel says which one it was.
    """

    def __init__(self, *, pe: SerialPe, blocks: int):
        self.pe, self.blocks = pe, blocks
        super().__init__(list_ports(pe, blocks))

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        lines = recoded(m, pe, self.a)
        lane_end, block_end = (
            [Signal.like(value, name=f"{name}_end_{half}") for half in range(2)]
            for value, name in ((self.lane, "lane"), (self.block, "block"))
        )
        for half in range(2):
            with m.If(self.push & (self.half == half)):
                m.d.sync += [lane_end[half].eq(self.lane), block_end[half].eq(self.block)]
        last_lane = Mux(self.r_half, lane_end[1], lane_end[0])
        last_block = Mux(self.r_half, block_end[1], block_end[0])
        pick, index = Signal.like(self.r_pick), Signal.like(self.r_index)
        valid = Signal(pe.lanes)
        m.d.comb += [
            self.passes.eq(~0),
            self.final.eq(self.r_index == last_block),
        ]
        with m.If(self.r_en):
            m.d.sync += [
                pick.eq(self.r_pick),
                index.eq(self.r_index),
                valid.eq(Cat(~self.final | (last_lane >= lane) for lane in range(pe.lanes))),
            ]
        digits = []
        for lane in range(pe.lanes):
            m.submodules[f"store_{lane}"] = memory = shared(
                HeldMemory, width=LINES * len(lines), depth=2 << len(self.r_index)
            )
            m.d.comb += [
                memory.w_en.eq(self.push & (self.lane == lane)),
                memory.w_addr.eq(address(self.block, self.half, self.r_index)),
                memory.w_data.eq(Cat(lines)),
                memory.r_en.eq(self.r_en),
                memory.r_addr.eq(address(self.r_index, self.r_half, self.r_index)),
            ]
            words = [memory.r_data.word_select(d, LINES) for d in range(len(lines))]
            digits.append(Mux(valid[lane], selected(pick, words), 0)[:LINES])
        m.d.comb += [
            self.o_blocks.eq(Cat(index for _ in digits)),
            self.o.eq(held(m, self.r_en, Cat(digits))),
        ]
        return m


def held(m, enable, value):
    """``value`` of the last cycle with ``enable``."""
    register = Signal(len(value), name="held", reset_less=True)
    with m.If(enable):
        m.d.sync += register.eq(value)
    return register
