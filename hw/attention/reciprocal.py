"""The inverse of a row's total, once per row: with leading zeros counted first, or as it is."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.divider import ConstantDivider
from ..cells import describe, shared
from .leading import Normalise
from .scores import delayed

__all__ = ["Inverse", "NormalisedReciprocal"]


class NormalisedReciprocal(wiring.Component):
    """``o`` = r, of ``precision`` + 1 bits, and k above it: 1 / ``i`` = r / 2**(precision + k - 1).

    ``i`` positive, ``width`` bits, k of them used; r is rounded down and has the same bits whatever
    ``i``. ``start`` with ``i`` in a cycle, ``o`` ``latency`` cycles later and until the next one;
    ``i`` is held meanwhile. Golden model: ``integers.reciprocal``.
    """

    def __init__(self, *, width: int, precision: int):
        self.width, self.precision = width, precision
        self._divider = {
            "numerator": 1 << (width - 1 + precision), "least": 1 << (width - 1), "width": width
        }  # fmt: skip
        self.latency = 1 + describe(ConstantDivider, **self._divider).latency + 1
        bits = width.bit_length()
        super().__init__({"start": In(1), "i": In(width), "o": Out(precision + 1 + bits)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.leading = leading = shared(Normalise, width=self.width)
        m.submodules.divider = divider = shared(ConstantDivider, **self._divider)
        mantissa = Signal(self.width, reset_less=True)
        bits = Signal.like(leading.bits, name="bits", reset_less=True)
        r = Signal(self.precision + 1, reset_less=True)
        m.d.comb += [
            leading.i.eq(self.i),
            divider.start.eq(delayed(m, self.start, 1, "normalised", reset=True)),
            divider.i.eq(mantissa),
            self.o.eq(Cat(r, bits)),
        ]
        m.d.sync += [mantissa.eq(leading.mantissa), bits.eq(leading.bits)]
        with m.If(delayed(m, self.start, self.latency - 1, "divided", reset=True)):
            m.d.sync += r.eq(divider.o)
        return m


class Inverse(wiring.Component):
    """``o`` = floor(``numerator`` / ``i``) of an ``i`` of at least ``least``, as softmaxes were
    published: the longer a row, the fewer bits of it are left.

    ``width`` bits of ``i``, which counts as ``numerator`` if it is above that. ``start``, ``i`` and
    ``latency`` as of :class:`NormalisedReciprocal`.
    """

    def __init__(self, *, numerator: int, least: int, width: int):
        inner = min(width, numerator.bit_length())
        self.numerator, self.least, self.width = numerator, least, width
        self._divider = {"numerator": numerator, "least": least, "width": inner}
        self.latency = describe(ConstantDivider, **self._divider).latency + 1
        bits = (numerator // least).bit_length()
        super().__init__({"start": In(1), "i": In(width), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.divider = divider = shared(ConstantDivider, **self._divider)
        result = Signal.like(self.o, reset_less=True)
        limited = self.i
        if self.numerator < 1 << self.width:
            limited = Mux(self.i > self.numerator, self.numerator, self.i)
        m.d.comb += [divider.start.eq(self.start), divider.i.eq(limited), self.o.eq(result)]
        with m.If(delayed(m, self.start, self.latency - 1, "divided", reset=True)):
            m.d.sync += result.eq(divider.o)
        return m
