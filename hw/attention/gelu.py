"""GELU by I-BERT's polynomial of the error function."""

import math

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import signed_width

__all__ = ["PolynomialGelu"]


class PolynomialGelu(wiring.Component):
    """``o = i (erf + one)``, worth ``o_scale`` each, ``latency`` cycles after ``i``; never stops.

    ``i``: signed, ``width`` bits, worth ``scale``. ``n``: bits that the polynomial loses; published
    is 14, which only inputs finer than about 1e-3 bear. No overflow: widths are those of the
    extremes. Source: I-BERT (arXiv 2101.01321), section 3.4; golden model ``gelu.i_gelu``.
    """

    latency = 3

    def __init__(self, *, width: int, scale: float, n: int = 0):
        a, b = -0.2888, -1.769
        s = scale / 1.4142
        self.width, self.scale, self.n = width, scale, n
        self.reach = -math.floor(b / s)
        self.constant = math.floor(1.0 / a / s**2)
        self.one = math.floor(1 / (a * s**2 * 2**n))
        self.o_scale = scale * a * s**2 * 2**n / 2
        # The polynomial is negative: from its constant, at the reach and beyond, to its value at 0.
        lowest = self.constant >> n
        highest = (self.reach**2 + self.constant) >> n
        self._erf = signed_width(
            min(lowest, highest, -lowest, -highest), max(lowest, highest, -lowest, -highest)
        )
        reaches = [self.one + sign * x for x in (lowest, highest) for sign in (1, -1)]
        low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
        products = [x * y for x in (low, high) for y in reaches]
        self.o_width = signed_width(min(0, *products), max(0, *products))
        super().__init__({"i": In(signed(width)), "o": Out(signed(self.o_width))})

    def elaborate(self, platform):
        m = Module()
        # How far |i| is from the reach, at most; then its square; then times i.
        magnitude = Signal(self.width)
        distance = Signal(range(self.reach + 1), reset_less=True)
        m.d.comb += magnitude.eq(Mux(self.i < 0, -self.i, self.i))
        m.d.sync += distance.eq(Mux(magnitude < self.reach, self.reach - magnitude, 0))
        first, second = (Signal.like(self.i, name=f"i_{n}", reset_less=True) for n in (1, 2))
        m.d.sync += [first.eq(self.i), second.eq(first)]

        polynomial = Signal(signed(self._erf))
        erf = Signal(signed(self._erf), reset_less=True)
        m.d.comb += polynomial.eq((distance * distance + self.constant) >> self.n)
        m.d.sync += erf.eq(Mux(first < 0, -polynomial, Mux(first == 0, 0, polynomial)))

        result = Signal.like(self.o, reset_less=True)
        m.d.sync += result.eq(second * (erf + self.one))
        m.d.comb += self.o.eq(result)
        return m
