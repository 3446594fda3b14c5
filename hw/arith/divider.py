"""Restoring dividers for reciprocals, two bits of the quotient per step: serial, and pipelined."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PipelinedReciprocal", "ReciprocalDivider", "latency"]


def latency(precision: int) -> int:
    """Cycles of either divider."""
    return (precision + 1) // 2


def _step(m, remainder, divisor, name: str):
    """Two bits of the quotient, the lower first, and twice what is left.

    ``remainder``, of one bit more than ``divisor``, is below twice that.
    """
    width, found = len(divisor), []
    for bit in range(2):
        of = Signal(width + 1, name=f"{name}remainder_{bit}")
        less = Signal(width + 2, name=f"{name}difference_{bit}")
        m.d.comb += [of.eq(remainder), less.eq(of - divisor)]
        fits = ~less[-1]
        found.insert(0, fits)
        remainder = Mux(fits, less[:width], of[:width]) << 1
    return Cat(found), remainder


def _checked(precision: int) -> None:
    if precision < 1 or not precision % 2:
        raise ValueError(f"precision must be an odd positive integer, not {precision}")


class ReciprocalDivider(wiring.Component):
    """``o = floor(2**(width - 1 + precision) / i)`` of an ``i`` whose highest bit is set.

    ``o`` has ``precision + 1`` bits, an even number. ``start`` with ``i`` in cycle t: ``o`` in
    cycle t + ``latency`` = t + (precision + 1) / 2. ``i`` is held meanwhile; without its highest
    bit ``o`` means nothing.
    """

    def __init__(self, *, width: int, precision: int):
        _checked(precision)
        self.width, self.precision, self.latency = width, precision, latency(precision)
        super().__init__({"start": In(1), "i": In(width), "o": Out(precision + 1)})

    def elaborate(self, platform):
        m = Module()
        rest = Signal(self.width + 1, reset_less=True)
        quotient = Signal.like(self.o, reset_less=True)
        current = Mux(self.start, 1 << (self.width - 1), rest)
        found, left = _step(m, current, self.i, "")
        m.d.sync += [rest.eq(left), quotient.eq(Cat(found, quotient))]
        m.d.comb += self.o.eq(quotient)
        return m


class PipelinedReciprocal(wiring.Component):
    """The same of another ``i`` in every cycle: a stage for every two bits; never stops."""

    def __init__(self, *, width: int, precision: int):
        _checked(precision)
        self.width, self.precision, self.latency = width, precision, latency(precision)
        super().__init__({"i": In(width), "o": Out(precision + 1)})

    def elaborate(self, platform):
        m = Module()
        divisor, rest, quotient = self.i, 1 << (self.width - 1), Cat()
        for stage in range(self.latency):
            found, left = _step(m, rest, divisor, f"stage_{stage}_")
            registers = [
                Signal(width, name=f"stage_{stage}_{name}", reset_less=True)
                for name, width in (
                    ("divisor", self.width), ("rest", self.width + 1), ("quotient", 2 * stage + 2)
                )
            ]  # fmt: skip
            for register, value in zip(
                registers, (divisor, left, Cat(found, quotient)), strict=True
            ):
                m.d.sync += register.eq(value)
            divisor, rest, quotient = registers
        m.d.comb += self.o.eq(quotient)
        return m
