"""The final addition in two cycles, so that the array's clock is that of its PEs."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..pe.base import Pe

GROUP = 8
"""Bits that are added without looking at what is below."""


class Resolver(wiring.Component):
    """``o`` is the number that the redundant state ``i`` stands for, two cycles later.

    First groups of :data:`GROUP` bits for themselves, then into each the carry from those below,
    which passes a group that is all ones (carry-skip, with a register in its middle).
    """

    def __init__(self, *, pe: Pe, width: int):
        assert pe.words == pe.resolve_latency == 2
        self.pe, self.width = pe, width
        super().__init__({"i": In(pe.state_bits(width)), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        low, high = self.pe.rows(self.i, self.width)
        groups, carry = [], Const(0, 1)
        for start in range(0, self.width, GROUP):
            size = min(GROUP, self.width - start)
            group = Signal(size + 1, name=f"group_{start}", reset_less=True)
            m.d.sync += group.eq(low[start : start + size] + high[start : start + size])
            total = Signal(size, name=f"total_{start}")
            m.d.comb += total.eq(group[:size] + carry)
            groups.append(total)
            passed = Signal(name=f"carry_{start}")
            m.d.comb += passed.eq(group[size] | (group[:size].all() & carry))
            carry = passed
        resolved = Signal(self.width, reset_less=True)
        m.d.sync += resolved.eq(Cat(groups))
        m.d.comb += self.o.eq(resolved)
        return m
