"""For PEs that recode and search themselves: which groups of a row of A to send them, and A."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring

from ..array.serial_cell import selected
from ..cells import shared
from ..pe.serial import SerialPe
from ..stream import HeldMemory
from .digit_lists import ListPair, address, ends_list, held, list_ports, recoded


class GroupLists(wiring.Component):
    """Per weight a list of the groups that have a digit there, so that a group without any costs no
    cycle; and the operands of A, which go to the PEs as they came. Ports as
    :mod:`.digit_lists`; ``blocks``: largest number of groups.

    What digits a group has, and how many, is not kept: the recoder here only says where there is
    none. A group that the end of a row left incomplete is filled up with zeros.
    """

    def __init__(self, *, pe: SerialPe, blocks: int):
        self.pe, self.blocks = pe, blocks
        super().__init__(list_ports(pe, blocks))

    def elaborate(self, platform):
        m = Module()
        pe, n_digits = self.pe, self.pe.recoding.n_digits
        # Nothing of a weight without digits: what its list has is some other panel's.
        pick = Signal(n_digits)
        with m.If(self.r_en):
            m.d.sync += pick.eq(self.r_pick & self.passes)
        words, ends = [], []
        for digit, (one, two, _) in enumerate(recoded(m, pe, self.a)):
            pair = shared(ListPair, width=len(self.block), depth=self.blocks)
            m.submodules[f"list_{digit}"] = pair
            for name in ("push", "opens", "half", "r_half", "r_index", "r_en"):
                m.d.comb += getattr(pair, name).eq(getattr(self, name))
            listed = Signal(name=f"listed_{digit}")
            before = listed & (self.lane != 0)
            m.d.comb += [
                pair.append.eq(self.push & (one | two) & ~before),
                pair.entry.eq(self.block),
            ]
            with m.If(self.push):
                m.d.sync += listed.eq(one | two | before)
            words.append(pair.o)
            ends.append(pair.r_count)
        block = Signal.like(self.block, name="group")
        m.d.comb += [
            block.eq(selected(pick, words)),
            self.o_blocks.eq(Cat(block for _ in range(pe.group))),
            self.o.eq(self._operands(m, block)),
            self.passes.eq(Cat(end.any() for end in ends)),
            self.final.eq(ends_list(self, selected(self.r_pick, ends))),
        ]
        return m

    def _operands(self, m, block):
        """A memory per place in a group; read as B's are, an address register in front."""
        element = Signal.like(self.a, name="element", reset_less=True)
        m.d.sync += element.eq(self.a)
        half = held(m, self.r_en, self.r_half)
        place = Signal(len(self.r_index) + 1, name="a_address", reset_less=True)
        with m.If(self.r_en):
            m.d.sync += place.eq(address(block, half, self.r_index))
        operands = []
        for lane in range(self.pe.group):
            m.submodules[f"a_{lane}"] = memory = shared(
                HeldMemory, width=self.pe.a.width, depth=2 << len(self.r_index)
            )
            # The first of a group clears the places behind it: there may be nothing more.
            mine = self.lane == lane
            m.d.comb += [
                memory.w_en.eq(self.push & (mine | (self.lane == 0))),
                memory.w_addr.eq(address(self.block, self.half, self.r_index)),
                memory.w_data.eq(element & mine.replicate(len(element))),
                memory.r_en.eq(self.r_en),
                memory.r_addr.eq(place),
            ]
            operands.append(memory.r_data)
        return Cat(operands)
