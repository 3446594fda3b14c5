"""What a row of A has to be multiplied by, digit by digit: lists made while A is loaded.

Two components with the same ports. :class:`DigitLists` keeps only nonzero digits, one list per
weight and lane, so that a zero digit never costs a cycle; :class:`DigitStore` keeps all digits.

Two *halves*: one panel of A is worked on while the next one loads.

Loading, one element per cycle: ``code`` (of the element), ``push``, ``opens`` (the first of a
panel), ``lane`` and ``block`` (its place: ``k = block*lanes + lane``), ``half``.

Reading: ``r_half``, ``r_pick`` (one-hot weight, or none) and ``r_index``, which give at once
``passes`` (the weights that have digits at all) and ``final`` (no digit is behind this one; also
if there are none); one cycle after ``r_en``, per lane, ``o_blocks`` and ``o_digits`` (lanes times
*one*, *two*, *neg*; zero in a lane that has no digit here).
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..array.serial_cell import LINES
from ..cells import shared
from ..pe.serial import SerialPe
from ..stream import HeldMemory


def list_ports(pe: SerialPe, blocks: int) -> dict:
    n_digits = pe.recoding.n_digits
    return {
        "code": In(pe.recoding.code_width),
        "push": In(1),
        "opens": In(1),
        "half": In(1),
        "lane": In(range(max(pe.lanes, 2))),
        "block": In(range(max(blocks, 2))),
        "r_half": In(1),
        "r_pick": In(n_digits),
        "r_index": In(range(max(blocks, 2))),
        "r_en": In(1),
        "passes": Out(n_digits),
        "final": Out(1),
        "o_blocks": Out(pe.lanes * max((blocks - 1).bit_length(), 1)),
        "o_digits": Out(pe.lanes * LINES),
    }


def _lines(m, pe, code):
    """The digits of a code, each as a vector of :data:`LINES` bits."""
    digits = pe.recoding.digits(m, code, "digit_")
    return [Cat(*(_bit(line) for line in digit)) for digit in digits]


def _bit(line):
    return Signal(name="never") if line is None else line


def _selected(select, values):
    """The value whose bit of ``select`` is set; zero if none is."""
    result = 0
    for bit, value in zip(select, values, strict=True):
        result = result | Mux(bit, value, 0)
    return result


class DigitLists(wiring.Component):
    """Nonzero digits only (see the module). ``blocks``: largest number of places of a lane."""

    def __init__(self, *, pe: SerialPe, blocks: int):
        self.pe, self.blocks = pe, blocks
        super().__init__(list_ports(pe, blocks))

    def elaborate(self, platform):
        m = Module()
        pe, n_digits = self.pe, self.pe.recoding.n_digits
        lines = _lines(m, pe, self.code)
        lengths = [
            [Signal(range(self.blocks + 1), name=f"length_{half}_{n}") for n in range(n_digits)]
            for half in range(2)
        ]
        pick = Signal(n_digits)
        with m.If(self.r_en):
            m.d.sync += pick.eq(self.r_pick)
        blocks, digits = [], []
        for lane in range(pe.lanes):
            lists = [
                self._list(m, lane, digit, value, [half[digit] for half in lengths])
                for digit, value in enumerate(lines)
            ]
            words, ends = zip(*lists, strict=True)
            valid = Signal(name=f"valid_{lane}")
            here = self.r_index < _selected(self.r_pick, ends)
            with m.If(self.r_en):
                m.d.sync += valid.eq(here)
            entry = Signal(len(words[0]), name=f"entry_{lane}")
            m.d.comb += entry.eq(_selected(pick, words))
            blocks.append(entry[:-2])
            two, neg = entry[-2], entry[-1]
            digits.append(Cat(valid & ~two, valid & two, valid & neg))
        here = [Mux(self.r_half, lengths[1][d], lengths[0][d]) for d in range(n_digits)]
        m.d.comb += [
            self.o_blocks.eq(Cat(blocks)),
            self.o_digits.eq(Cat(digits)),
            self.passes.eq(Cat(length.any() for length in here)),
            self.final.eq(
                ~(self.r_pick & self.passes).any()
                | (_selected(self.r_pick, here) == self.r_index + 1)
            ),
        ]
        return m

    def _list(self, m, lane: int, digit: int, lines, lengths):
        """One lane's list of one weight: what is read of it, and its length in the half that is
        read; ``lengths``, of the longest of the lanes, by half."""
        one, two, neg = lines
        name = f"{lane}_{digit}"
        counts = range(self.blocks + 1)
        push, append = self.push & (self.lane == lane), Signal(name=f"append_{name}")
        end = [Signal(counts, name=f"count_{half}_{name}") for half in range(2)]
        place, behind = Signal(counts, name=f"place_{name}"), Signal(counts)
        m.submodules[f"list_{name}"] = memory = shared(
            HeldMemory, width=len(self.block) + 2, depth=2 << len(self.r_index)
        )
        m.d.comb += [
            append.eq(push & (one | two)),
            place.eq(Mux(self.opens, 0, Mux(self.half, end[1], end[0]))),
            behind.eq(place + append),
            memory.w_en.eq(append),
            memory.w_addr.eq(_address(place, self.half, self.r_index)),
            memory.w_data.eq(Cat(self.block, two, neg)),
            memory.r_en.eq(self.r_en),
            memory.r_addr.eq(_address(self.r_index, self.r_half, self.r_index)),
        ]
        for half, length in enumerate(lengths):
            with m.If(self.push & (self.half == half)):
                m.d.sync += end[half].eq(behind)
            # The longest of the lanes; lanes come in turn, each ahead of the next by one.
            with m.If(push & (self.half == half)):
                longer = behind > length
                with m.If(self.opens | longer):
                    m.d.sync += length.eq(behind)
        return memory.r_data, Mux(self.r_half, end[1], end[0])


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
        lines = _lines(m, pe, self.code)
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
                memory.w_addr.eq(_address(self.block, self.half, self.r_index)),
                memory.w_data.eq(Cat(lines)),
                memory.r_en.eq(self.r_en),
                memory.r_addr.eq(_address(self.r_index, self.r_half, self.r_index)),
            ]
            words = [memory.r_data.word_select(d, LINES) for d in range(len(lines))]
            digits.append(Mux(valid[lane], _selected(pick, words), 0)[:LINES])
        m.d.comb += [self.o_blocks.eq(Cat(index for _ in digits)), self.o_digits.eq(Cat(digits))]
        return m


def _address(index, half, like):
    return Cat(index[: len(like)], half)
