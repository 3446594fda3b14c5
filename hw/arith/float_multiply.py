"""Floating-point multiplication, rounded to nearest, ties to even."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..floats import FloatFormat
from .float_fields import fields, normalised, rounded, sticky_shifted


class FloatMultiply(wiring.Component):
    """``o = i * c``, all codes of ``format``. Combinational.

    Subnormals as any number. Beyond the largest number: infinity. NaN of an operand, or of 0 times
    infinity, is ``format.nan``.
    """

    sequential = False

    def __init__(self, *, format: FloatFormat):
        self.format = format
        super().__init__({name: flow(format.width) for name, flow in
                          (("i", In), ("c", In), ("o", Out))})  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        format = self.format
        operands = []
        for name in ("i", "c"):
            code = Signal(format.width, name=f"code_{name}")
            m.d.comb += code.eq(getattr(self, name))
            operands.append(fields(m, code, format))
        x, y = operands
        product = Signal(2 * format.fraction + 2)
        place = Signal(signed(format.exponent + 2))
        m.d.comb += [
            product.eq(x.whole * y.whole),
            # The exponent of its highest bit.
            place.eq(x.place + y.place + (1 - format.bias)),
        ]
        below, distance = Signal(), Signal(format.exponent + 1)
        m.d.comb += [below.eq(place < 1), distance.eq(Mux(below, 1 - place, 0))]
        value = Signal(len(product), name="value")
        m.d.comb += value.eq(sticky_shifted(m, product, distance, "shifted"))
        least = Mux(below, 1, place[: format.exponent + 1])
        value, field = normalised(m, value, least, format)
        sign = x.sign ^ y.sign
        nan = (x.special & (x.fraction.any() | ~y.whole.any())) | (
            y.special & (y.fraction.any() | ~x.whole.any())
        )
        finite = rounded(m, sign, field, value, format)
        special = Cat(Const(0, format.fraction), Const(format.special, format.exponent), sign)
        either = x.special | y.special
        m.d.comb += self.o.eq(Mux(nan, format.nan, Mux(either, special, finite)))
        return m
