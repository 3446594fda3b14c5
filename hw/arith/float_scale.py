"""Floating-point numbers times a small integer, and halved; rounded to nearest, ties to even."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..floats import FloatFormat
from .float_fields import fields, normalised, rounded


class FloatScale(wiring.Component):
    """``o = i * factor``: codes of ``format``, and an integer of ``bits`` bits, two's complement.
    Combinational.

    The exact product rounded once. Beyond the largest number: infinity. NaN is ``format.nan``; 0
    times anything, infinity and NaN included, is a zero of either sign: where nothing counts,
    nothing is seen.
    """

    sequential = False

    def __init__(self, *, format: FloatFormat, bits: int):
        if not 2 <= bits < 1 << (format.exponent - 1):
            raise ValueError(f"bits must be 2 to {(1 << (format.exponent - 1)) - 1}, not {bits}")
        self.format, self.bits = format, bits
        super().__init__(
            {"i": In(format.width), "factor": In(signed(bits)), "o": Out(format.width)}
        )

    def elaborate(self, platform):
        m = Module()
        format, bits = self.format, self.bits
        code = Signal(format.width, name="code")
        m.d.comb += code.eq(self.i)
        of = fields(m, code, format)
        negative, some = self.factor[-1], Signal(name="some")
        magnitude = Signal(bits, name="magnitude")
        m.d.comb += [
            magnitude.eq(Mux(negative, -self.factor, self.factor)),
            some.eq(self.factor.any()),
        ]
        product = Signal(format.fraction + 1 + bits, name="product")
        m.d.comb += product.eq(of.whole * magnitude)
        # Its highest bit is ``bits`` places above the hidden one.
        place = Signal(format.exponent + 1, name="place")
        m.d.comb += place.eq(of.place + bits)
        leading, field = normalised(m, product, place, format)
        sign = of.sign ^ negative
        finite = rounded(m, sign, field, leading, format)
        infinite = Cat(Const(0, format.fraction), Const(format.special, format.exponent), sign)
        special = Mux(of.fraction.any(), format.nan, infinite)
        m.d.comb += self.o.eq(Mux(of.special & some, special, finite))
        return m


class FloatHalve(wiring.Component):
    """``o = i / 2``, codes of ``format``: exact, but of subnormals, and of numbers whose half is
    one, the nearest. Combinational. Infinity and NaN stay."""

    sequential = False

    def __init__(self, *, format: FloatFormat):
        self.format = format
        super().__init__({"i": In(format.width), "o": Out(format.width)})

    def elaborate(self, platform):
        m = Module()
        format = self.format
        magnitude, exponent = self.i[:-1], self.i[format.fraction : -1]
        # With exponents 0 and 1 the hidden bit is the exponent's: all of it is shifted.
        least, special = Signal(name="least"), Signal(name="special")
        shifted = Signal(format.width - 1, name="shifted")
        lower = Signal(format.exponent, name="lower")
        m.d.comb += [
            least.eq(~exponent[1:].any()),
            special.eq(exponent == format.special),
            shifted.eq(magnitude[1:] + (magnitude[0] & magnitude[1])),
            lower.eq(exponent - ~special),
            self.o.eq(
                Cat(Mux(least, shifted, Cat(magnitude[: format.fraction], lower)), self.i[-1])
            ),
        ]
        return m
