"""From packed caches to K and V: groups' minima and steps, and codes."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..formats import Format
from .shape import GROUP_BITS, STEP_BITS

__all__ = ["Dequantise", "GroupHeader", "dequantised"]


def dequantised(m, codes, groups, bits: int, format: Format):
    """``codes`` side by side, each with one of ``groups`` -> elements of ``format``."""
    elements = []
    for number, group in enumerate(groups):
        m.submodules[f"dequantise_{number}"] = element = shared(
            Dequantise, bits=bits, format=format
        )
        m.d.comb += [element.code.eq(codes.word_select(number, bits)), element.group.eq(group)]
        elements.append(element.o)
    return Cat(elements)


class Dequantise(wiring.Component):
    """``o = clamp(minimum + ((step code + 2**(bits - 2)) >> (bits - 1)))`` to ``format``.

    ``group``: the minimum, of ``format`` in a byte, and the step above it, as they lie in a beat.
    Combinational. Golden model: ``golden.attention.kivi.dequantised``.
    """

    sequential = False

    def __init__(self, *, bits: int, format: Format):
        if bits < 2:
            raise ValueError(f"bits must be at least 2, not {bits}")
        self.bits, self.format = bits, format
        shape = signed if format.signed else unsigned
        super().__init__({"code": In(bits), "group": In(GROUP_BITS), "o": Out(shape(format.width))})

    def elaborate(self, platform):
        m = Module()
        format = self.format
        shape = signed if format.signed else unsigned
        minimum = Signal(shape(format.width))
        step = self.group[-STEP_BITS:]
        above = Signal(STEP_BITS + 1)
        total = Signal(signed(max(format.width, STEP_BITS) + 3))
        m.d.comb += [
            minimum.eq(self.group[: format.width]),
            above.eq((step * self.code + (1 << (self.bits - 2))) >> (self.bits - 1)),
            total.eq(minimum + above),
            # What is added is not negative: only the upper end can be left.
            self.o.eq(Mux(total > format.max, format.max, total)),
        ]
        return m


class GroupHeader(wiring.Component):
    """Collects the header of a group of keys: ``beats`` beats of ``width`` bits, in order.

    ``starts``: the walk is at a beat of keys that a header precedes. ``ready``: a beat of the
    header can be taken; ``complete``: none is missing. ``valid`` with ``data`` while ``ready``
    takes one; ``take``: the beat of keys is taken, and the next group's header may come. ``o``
    holds ``groups`` minima and steps from the cycle after the last beat until that of the next
    header's first.
    """

    def __init__(self, *, width: int, groups: int):
        self.width, self.groups = width, groups
        self.beats = -(-groups * GROUP_BITS // width)
        super().__init__(
            {
                "starts": In(1),
                "valid": In(1),
                "data": In(width),
                "take": In(1),
                "ready": Out(1),
                "complete": Out(1),
                "o": Out(groups * GROUP_BITS),
            }
        )

    def elaborate(self, platform):
        m = Module()
        header = Signal(self.beats * self.width, reset_less=True)
        taken = Signal(range(self.beats + 1))
        m.d.comb += [
            self.complete.eq(~self.starts | (taken == self.beats)),
            self.ready.eq(~self.complete),
            self.o.eq(header),
        ]
        with m.If(self.ready & self.valid):
            m.d.sync += [
                taken.eq(taken + 1),
                header.eq(Cat(header, self.data)[self.width :]),
            ]
        with m.Elif(self.take):
            m.d.sync += taken.eq(0)
        return m
