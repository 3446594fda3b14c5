"""Sums of floating-point products: what lookup and its baseline have in common.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations", says where sums are rounded.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.float_add import FloatAdd
from ..arith.float_convert import FloatStore
from ..cells import shared
from ..floats import FP32, FloatFormat
from ..pe.base import Dot
from .base import LowBitPe


def kept(a: FloatFormat) -> FloatFormat:
    """The format of a table's entries in registers: without subnormals, and with exponents for
    their multiples by planes' weights."""
    return FloatFormat(a.exponent + 1, a.fraction)


class FloatAccumulate(wiring.Component):
    """``o = i + c``: ``c`` and ``o`` codes of ``accumulator``, ``i`` one of ``format``, that or
    what :func:`kept` is; ``carry``: whether ``i`` is negated. Rounded to nearest, ties to even."""

    sequential = False

    def __init__(self, *, format: FloatFormat, accumulator: FloatFormat):
        self.format, self.accumulator = format, accumulator
        width = accumulator.width
        super().__init__({"i": In(format.width), "carry": In(1), "c": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        value = Cat(self.i[:-1], self.i[-1] ^ self.carry)
        value = stored(m, "store", value, self.format, self.accumulator)
        m.submodules.add = add = shared(FloatAdd, format=self.accumulator)
        m.d.comb += [add.i.eq(value), add.c.eq(self.c), self.o.eq(add.o)]
        return m


def stored(m, name: str, value, format: FloatFormat, to: FloatFormat):
    """A code of ``format`` as one of ``to``."""
    if format == to:
        return value
    m.submodules[name] = store = shared(FloatStore, format=format, to=to)
    m.d.comb += store.i.eq(value)
    return store.o


class FloatDot(Dot):
    """``o = c + products``, in the accumulator's format."""

    def __init__(self, *, pe: "FloatPe", depth: int, width: int):
        if width != pe.sum_width(1):
            raise ValueError(
                f"sums have the {pe.sum_width(1)} bits of the accumulator's format, not {width}"
            )
        super().__init__(pe=pe, depth=depth, width=width)

    def elaborate(self, platform):
        m = Module()
        pe = self.pe
        m.submodules.products = products = shared(pe.products_class, pe=pe)
        m.submodules.add = add = shared(
            pe.add_class, **pe.add_parameters(self.width, len(products.o))
        )
        m.d.comb += [
            products.a.eq(self.a),
            products.b.eq(self.b),
            add.i.eq(products.o),
            add.carry.eq(products.negate),
            add.c.eq(self.c),
            self.o.eq(add.o),
        ]
        return m


@dataclass(frozen=True)
class FloatPe(LowBitPe):
    """A PE for activations ``a`` of a :class:`~..floats.FloatFormat`. ``accumulator``: the format
    of sums, which has all numbers of ``a``. Subclasses set ``products_class``, whose ``o`` is a
    code of :attr:`product_format`."""

    accumulator: FloatFormat = FP32

    dot_class = FloatDot
    add_class = FloatAccumulate

    def __post_init__(self):
        super().__post_init__()
        if not self.accumulator.contains(self.a):
            raise ValueError(f"sums of {self.a} cannot be {self.accumulator}, which has less")
        if self.a.bias + 1 < max(*self.b.shifts, self.a.fraction):
            raise ValueError(f"{self.a} has too short an exponent for sums of its products")

    @property
    def product_format(self) -> FloatFormat:
        """What the accumulator's adder takes."""
        return kept(self.a)

    def add_parameters(self, width, i_width):
        return {"format": self.product_format, "accumulator": self.accumulator}

    def sum_width(self, terms):
        """Bits of the accumulator's format, however many ``terms`` there are."""
        return self.accumulator.width
