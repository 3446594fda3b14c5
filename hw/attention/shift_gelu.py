"""GELU by I-ViT's exponential: x times the sigmoid of 1.702 x."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.divider import PipelinedDivider
from ..cells import shared
from .scores import delayed
from .shift_exponential import ShiftExponential, unit

__all__ = ["ShiftGelu"]


class ShiftGelu(wiring.Component):
    """``o = i sigmoid(1.702 i)``, worth ``o_scale`` each, ``latency`` cycles after ``i``; never
    stops.

    ``i``: signed, ``width`` bits, worth ``scale``; the sigmoid has ``sigmoid`` bits less its sign
    and is rounded down. Exponentials are relative to max(i, 0) and not, as published, to the row's
    maximum, so that there is neither a reduction nor a limit to their sum. One of the two is that
    of 0 then, a constant. No overflow. Source: I-ViT (arXiv 2207.01405), algorithm 2; golden model
    ``gelu.shift_gelu``.
    """

    def __init__(self, *, width: int, scale: float, sigmoid: int = 8, n: int = 15):
        if not 2 <= sigmoid <= 24:
            raise ValueError(f"sigmoid must be 2 to 24, not {sigmoid}")
        self.width, self.scale, self.sigmoid, self.n = width, scale, sigmoid, n
        self.one = unit(1.702 * scale)
        self.o_scale = scale / 2 ** (sigmoid - 1)
        self.o_width = width + sigmoid - 1
        # Two bits of the quotient per cycle, of which one may be too much.
        self._bits = sigmoid + sigmoid % 2
        # Magnitude, exponential, sum, quotient, product.
        self.latency = 1 + ShiftExponential.latency + 1 + self._bits // 2 + 1
        super().__init__({"i": In(signed(width)), "o": Out(signed(self.o_width))})

    def elaborate(self, platform):
        m = Module()
        magnitude = Signal(self.width, reset_less=True)
        m.d.sync += magnitude.eq(Mux(self.i < 0, -self.i, self.i))
        m.submodules.exponential = exponential = shared(
            ShiftExponential, one=self.one, n=self.n, width=self.width
        )
        m.d.comb += [exponential.t.eq(magnitude), exponential.counts.eq(1)]
        of_zero = self.one << self.n
        before = 1 + ShiftExponential.latency
        negative = delayed(m, self.i[-1], before, "negative")
        numerator = Signal(len(exponential.o), reset_less=True)
        total = Signal(len(exponential.o) + 1, reset_less=True)
        m.d.sync += [
            numerator.eq(Mux(negative, exponential.o, of_zero)),
            total.eq(exponential.o + of_zero),
        ]
        m.submodules.divider = divider = shared(PipelinedDivider, width=len(total), bits=self._bits)
        m.d.comb += [divider.n.eq(numerator), divider.i.eq(total)]
        # Less than one, for the numerator is less than the total.
        sigmoid = Cat(divider.o[self._bits - self.sigmoid : -1], 0)
        x = delayed(m, self.i, self.latency - 1, "x").as_signed()
        result = Signal.like(self.o, reset_less=True)
        m.d.sync += result.eq(x * sigmoid.as_signed())
        m.d.comb += self.o.eq(result)
        return m
