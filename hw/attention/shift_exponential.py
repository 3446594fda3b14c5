"""I-ViT's exponential: additions and shifts alone."""

import math

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.constant import divided

__all__ = ["ShiftExponential", "unit"]


def unit(scale: float) -> int:
    """1 in integers worth ``scale``, rounded up. Raises :class:`ValueError` where there is none."""
    if not 0 < scale <= 1:
        raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
    return -math.floor(-1 / scale)


class ShiftExponential(wiring.Component):
    """``o = exp(-t / one)``, worth 2**-``n`` / ``one``, ``latency`` cycles after ``t``;
    never stops.

    ``t``: ``width`` bits; where ``counts`` is low ``o`` is 0. log2(e) is 1 + 1/2 - 1/16, and of the
    fraction f 2**-f is 1 - f/2; of a ``t`` beyond n binary orders ``o`` is what it is there. No
    overflow. Source: I-ViT (arXiv 2207.01405), algorithm 1. Golden model: ``softmax.shift_exp``.
    """

    latency = 3

    def __init__(self, *, one: int, n: int, width: int):
        if one < 1 or n < 1:
            raise ValueError(f"one and n must be positive, not {one} and {n}")
        self.one, self.n, self.width = one, n, width
        super().__init__(
            {"t": In(width), "counts": In(1), "o": Out(range((one << n) + 1))}
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        most = self.n * self.one
        # Shifts of a negative number round it down, so those of t up.
        in_base_2 = Signal(self.width + 1)
        limited = Signal(range(most + 1), reset_less=True)
        m.d.comb += in_base_2.eq(self.t + ((self.t + 1) >> 1) - ((self.t + 15) >> 4))
        m.d.sync += limited.eq(Mux(in_base_2 > most, most, in_base_2))
        counts = [Signal(name=f"counts_{n}", reset_less=True) for n in range(2)]
        m.d.sync += [counts[0].eq(self.counts), counts[1].eq(counts[0])]

        quotient = Signal(range(self.n + 1))
        orders = Signal(range(self.n + 1), reset_less=True)
        mantissa = Signal(range(2 * self.one + 1), reset_less=True)
        m.d.comb += quotient.eq(divided(limited, self.one))
        m.d.sync += [
            orders.eq(quotient),
            mantissa.eq(2 * self.one + quotient * self.one - limited),
        ]

        result = Signal.like(self.o, reset_less=True)
        value = (mantissa << (self.n - 1)) >> orders
        m.d.sync += result.eq(Mux(counts[1], value, 0))
        m.d.comb += self.o.eq(result)
        return m
