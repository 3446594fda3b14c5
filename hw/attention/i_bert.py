"""I-BERT's softmax: an exponential by a polynomial of second degree."""

import math
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.constant import divided
from ..formats import Format
from .probability import Products
from .reciprocal import Inverse
from .softmax import INT8, Cell

__all__ = ["IBert", "PolynomialExponential"]

BITS = 15
"""Of an exponential: I-BERT's 16 signed ones."""
VANISHING = 16
"""Halvings after which nothing is left of an exponential: less than half of 2**-15 rounds to 0."""


class PolynomialExponential(wiring.Component):
    """``o = exp(-t scale)``, worth 2**-15 or so, ``latency`` cycles after ``t``; never stops.

    ``t``: ``width`` bits; where ``counts`` is low ``o`` is 0. With t = z ln2 + r the polynomial is
    L = (r' + b) r' + c for r' = -r, in integers of the scale, and ``o`` = L ``multiplier`` /
    2**(k + z), half up: 32,767 for ``t`` = 0, whatever the scale. No overflow. Source: I-BERT
    (arXiv 2101.01321), algorithm 2, coefficients of its code. Golden models: ``softmax.i_exp``,
    ``i_bert``.
    """

    latency = 4

    def __init__(self, *, scale: float, width: int):
        if not 0 < scale <= 1:
            raise ValueError(f"scale must be above 0 and at most 1, not {scale}")
        self.scale, self.width = scale, width
        self.ln2 = -math.floor(-0.6931 / scale)
        self.b, self.c = math.floor(2.707325 / scale), math.floor(2.792115 / scale**2)
        # 18 bits, so that c itself is a quarter of a last place off at most.
        self.k = self.c.bit_length() + 2
        self.multiplier = ((((1 << BITS) - 1) << (self.k + 1)) + self.c) // (2 * self.c)
        super().__init__({"t": In(width), "counts": In(1), "o": Out(BITS)})

    def elaborate(self, platform):
        m = Module()
        most = VANISHING * self.ln2
        limited = Signal(range(most + 1))
        m.d.comb += limited.eq(Mux(self.t > most, most, self.t))
        z = [Signal(range(VANISHING + 1), name=f"z_{n}", reset_less=True) for n in range(3)]
        quotient = Signal(range(VANISHING + 1))
        gone = Mux(self.counts, divided(limited, self.ln2), VANISHING)
        m.d.comb += quotient.eq(divided(limited, self.ln2))
        rest = Signal(range(self.ln2), reset_less=True)
        m.d.sync += [z[0].eq(gone), rest.eq(limited - quotient * self.ln2)]

        polynomial = Signal(range(self.c + 1), reset_less=True)
        m.d.sync += [polynomial.eq(self.c - rest * (self.b - rest)), z[1].eq(z[0])]

        product = Signal(len(polynomial) + self.multiplier.bit_length(), reset_less=True)
        m.d.sync += [product.eq(polynomial * self.multiplier), z[2].eq(z[1])]

        result = Signal.like(self.o, reset_less=True)
        m.d.sync += result.eq(((product >> z[2]) + (1 << (self.k - 1))) >> self.k)
        m.d.comb += self.o.eq(result)
        return m


@dataclass(frozen=True, kw_only=True)
class IBert:
    """Of logits worth ``scale`` (in nats) p, worth 2**-``width``, rounded down.

    The total's inverse is floor(2**32 / total), as published: 17 bits of a row with one key, 17 -
    log2(n) of one with n equal ones. Golden model: ``golden.attention.softmax.i_bert``.
    """

    scale: float
    logit: Format = INT8
    width: int = 8
    exponential: ClassVar[int] = BITS
    kept: ClassVar[int] = BITS
    keeps: ClassVar[str] = "o"

    def __post_init__(self):
        if not 1 <= self.width <= 16:
            raise ValueError(f"width must be 1 to 16, not {self.width}")
        if not self.logit.signed:
            raise ValueError(f"logit must be signed, not {self.logit}")

    @property
    def p_fraction(self) -> int:
        return self.width

    def exponentiate(self, lane: int, lanes: int) -> Cell:
        return PolynomialExponential, {"scale": self.scale, "width": self.logit.width}

    def invert(self, width: int) -> Cell:
        return Inverse, {"numerator": 1 << 32, "least": (1 << BITS) - 1, "width": width}

    def divide(self, lanes: int, inverse: int, width: int) -> Cell:
        return Products, {
            "lanes": lanes, "exponential": BITS, "factor": inverse, "width": self.width,
            "shift": 32 - self.width,
        }  # fmt: skip
