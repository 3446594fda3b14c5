"""From codes with minima and steps of groups to elements of K and V."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..formats import Format
from .shape import GROUP_BITS, STEP_BITS

__all__ = ["Dequantise", "dequantised"]


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
