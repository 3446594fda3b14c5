"""Floating-point numbers in another format, without rounding: either it has them, or they are too
large and become infinite."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..floats import FloatFormat
from .float_fields import fields, normalised


class FloatNormalise(wiring.Component):
    """``i``, a code of ``format`` -> ``o``, one of ``to``, the same fraction's bits with so long an
    exponent that no number of ``format`` is a subnormal of it. Combinational."""

    sequential = False

    def __init__(self, *, format: FloatFormat, to: FloatFormat):
        if to.fraction != format.fraction or to.bias < format.bias + format.fraction:
            raise ValueError(f"{to} has not all numbers of {format} as normal ones")
        self.format, self.to = format, to
        super().__init__({"i": In(format.width), "o": Out(to.width)})

    def elaborate(self, platform):
        m = Module()
        format, to = self.format, self.to
        code = Signal(format.width, name="code")
        m.d.comb += code.eq(self.i)
        of = fields(m, code, format)
        place = Signal(to.exponent, name="place")
        m.d.comb += place.eq(of.place + (to.bias - format.bias))
        # So large a place that the shift ends at a bit, or has gone through all of them.
        value = Signal(format.fraction + 1, name="value")
        m.d.comb += value.eq(of.whole)
        value, field = normalised(m, value, place, to)
        field = Mux(of.special, to.special, field[: to.exponent])
        m.d.comb += self.o.eq(Cat(value[:-1], field, of.sign))
        return m


class FloatStore(wiring.Component):
    """``i``, a code of ``format``, in which only 0 has the exponent 0 -> ``o``, one of ``to``.
    Combinational.

    Every number that is not too large must be one of ``to``, its subnormals included: nothing is
    rounded. Too large ones, and infinities, are infinite; NaN is that of ``to``.
    """

    sequential = False

    def __init__(self, *, format: FloatFormat, to: FloatFormat):
        if to.fraction < format.fraction:
            raise ValueError(f"{to} has fewer bits of a fraction than {format}")
        self.format, self.to = format, to
        super().__init__({"i": In(format.width), "o": Out(to.width)})

    def elaborate(self, platform):
        m = Module()
        format, to = self.format, self.to
        code = Signal(format.width, name="code")
        m.d.comb += code.eq(self.i)
        of = fields(m, code, format)
        some = of.exponent.any()
        value = Cat(Const(0, to.fraction - format.fraction), of.fraction)
        below = format.bias - to.bias  # what exponents are less in ``to``
        if below <= 0:
            field = Signal(to.exponent, name="field")
            m.d.comb += field.eq(Mux(some, of.exponent - below, 0))
            too_large = Const(0, 1)
        else:
            field, value, too_large = self._narrower(m, of, value, below)
        nan = of.special & of.fraction.any()
        infinite = of.special | too_large
        number = Cat(value, field[: to.exponent])
        magnitude = Mux(nan, to.nan, Mux(infinite, to.infinity, number))
        m.d.comb += self.o.eq(Cat(magnitude[: to.width - 1], of.sign & ~nan))
        return m

    def _narrower(self, m, of, value, below: int):
        """Exponents of ``to`` end sooner: below, fractions are shifted; above, nothing is."""
        to, bits = self.to, (self.format.fraction).bit_length()
        normal = Signal(name="normal")
        m.d.comb += normal.eq(of.exponent > below)
        distance = Signal(bits, name="distance")
        m.d.comb += distance.eq(below + 1 - of.exponent)
        some = of.exponent.any()
        shifted = Signal(to.fraction + 1, name="shifted")
        m.d.comb += shifted.eq(Cat(value, some) >> Mux(normal, 0, distance))
        field = Signal(to.exponent, name="field")
        m.d.comb += field.eq(Mux(normal, of.exponent - below, 0))
        return field, shifted[: to.fraction], of.exponent >= to.special + below
