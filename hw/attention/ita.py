"""ITA's softmax: exponentials are powers of two, and dividing by them is a shift."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format
from .reciprocal import Inverse
from .softmax import INT8, Cell

__all__ = ["Ita", "PowerOfTwo", "Shifted"]

ONE = 1 << 8
"""The exponential of the row's highest logit."""
INVERSE = 16
"""Bits of the total's inverse."""


class PowerOfTwo(wiring.Component):
    """``by = t >> shift``, limited to ``most``, and ``o = 256 >> by``, a cycle later.

    ``t``: ``width`` bits; where ``counts`` is low ``o`` is 0. Never stops.
    """

    latency = 1

    def __init__(self, *, shift: int, most: int, width: int):
        self.shift, self.most, self.width = shift, most, width
        super().__init__(
            {"t": In(width), "counts": In(1), "o": Out(range(ONE + 1)), "by": Out(range(most + 1))}
        )

    def elaborate(self, platform):
        m = Module()
        distance = Signal(max(self.width - self.shift, 1))
        by = Signal.like(self.by, reset_less=True)
        counts = Signal(reset_less=True)
        m.d.comb += [distance.eq(self.t >> self.shift), self.by.eq(by)]
        m.d.sync += [
            by.eq(Mux(distance > self.most, self.most, distance)),
            counts.eq(self.counts),
        ]
        m.d.comb += self.o.eq(Mux(counts, ONE >> by, 0))
        return m


class Shifted(wiring.Component):
    """``p = r >> (by + INVERSE - width)`` of ``lanes`` shifts ``e``, a cycle later."""

    latency = 1

    def __init__(self, *, lanes: int, bits: int, width: int):
        self.lanes, self.bits, self.width = lanes, bits, width
        super().__init__(
            {"e": In(lanes * bits), "r": In(INVERSE), "beat": In(1), "p": Out(lanes * width)}
        )

    def elaborate(self, platform):
        m = Module()
        highest = self.r >> (INVERSE - self.width)
        for lane in range(self.lanes):
            p = Signal(self.width, name=f"p_{lane}", reset_less=True)
            m.d.sync += p.eq(highest >> self.e.word_select(lane, self.bits))
            m.d.comb += self.p.word_select(lane, self.width).eq(p)
        return m


@dataclass(frozen=True, kw_only=True)
class Ita:
    """Of logits worth 2**-``shift`` in base 2 p, worth 2**-``width``, rounded down.

    The total's inverse is floor(256 (2**16 - 1) / total). Source: ITA (arXiv 2307.03493), section
    III; it computes the total in one pass with a running maximum, here it is that of the row.
    Golden model: ``golden.attention.softmax.ita``.
    """

    shift: int = 5
    logit: Format = INT8
    width: int = 8
    exponential: ClassVar[int] = ONE.bit_length()
    keeps: ClassVar[str] = "by"

    def __post_init__(self):
        if not 1 <= self.width <= INVERSE:
            raise ValueError(f"width must be 1 to {INVERSE}, not {self.width}")
        if not self.logit.signed:
            raise ValueError(f"logit must be signed, not {self.logit}")
        if not 0 <= self.shift < self.logit.width:
            raise ValueError(f"shift must be 0 to {self.logit.width - 1}, not {self.shift}")

    @property
    def _most(self) -> int:
        """Where both an exponential and its probability are 0."""
        return max(self.width, ONE.bit_length())

    @property
    def p_fraction(self) -> int:
        return self.width

    @property
    def kept(self) -> int:
        return self._most.bit_length()

    def exponentiate(self, lane: int, lanes: int) -> Cell:
        numbers = {"shift": self.shift, "most": self._most}
        return PowerOfTwo, {**numbers, "width": self.logit.width}

    def invert(self, width: int) -> Cell:
        return Inverse, {"numerator": ONE * ((1 << INVERSE) - 1), "least": ONE, "width": width}

    def divide(self, lanes: int, inverse: int, width: int) -> Cell:
        return Shifted, {"lanes": lanes, "bits": self.kept, "width": self.width}
