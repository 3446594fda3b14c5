"""Restoring dividers, two bits of the quotient per step: serial ones of a constant numerator, and
pipelined ones."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ConstantDivider", "PipelinedDivider", "PipelinedReciprocal", "latency"]


def latency(precision: int) -> int:
    """Cycles of a reciprocal of so many bits after its first."""
    return (precision + 1) // 2


def _step(m, remainder, divisor, name: str, digits=(0, 0)):
    """Two bits of the quotient, the lower first, and twice what is left.

    ``remainder``, of one bit more than ``divisor``, is below twice that. ``digits``: the
    numerator's next two, which come in below.
    """
    width, found = len(divisor), []
    for bit, digit in enumerate(digits):
        of = Signal(width + 1, name=f"{name}remainder_{bit}")
        less = Signal(width + 1, name=f"{name}difference_{bit}")  # from -divisor to divisor - 1
        m.d.comb += [of.eq(remainder), less.eq(of - divisor)]
        fits = ~less[-1]
        found.insert(0, fits)
        left = Mux(fits, less[:width], of[:width])
        remainder = left << 1 if isinstance(digit, int) else Cat(digit, left)
    return Cat(found), remainder


def _pipeline(m, found, left, divisor, stages: int, *, above=()):
    """A quotient after so many stages, with a register behind each. ``found``, ``left``: of the
    first step. ``above``: bits of the divisor above ``divisor``, if there are constant ones."""
    quotient, width = Cat(), len(divisor)
    for stage in range(stages):
        registers = [
            Signal(bits, name=f"stage_{stage}_{name}", reset_less=True)
            for name, bits in (
                ("divisor", width), ("rest", width + len(above) + 1), ("quotient", 2 * stage + 2)
            )
        ]  # fmt: skip
        for register, value in zip(registers, (divisor, left, Cat(found, quotient)), strict=True):
            m.d.sync += register.eq(value)
        divisor, rest, quotient = registers
        if stage + 1 < stages:
            found, left = _step(m, rest, Cat(divisor, *above), f"stage_{stage + 1}_")
    return quotient


class ConstantDivider(wiring.Component):
    """``o = floor(numerator / i)`` of an ``i`` of ``width`` bits that is at least ``least``.

    ``o`` has as many bits as the largest quotient, rounded up to an even number. ``start`` with
    ``i`` in cycle t: ``o`` in cycle t + ``latency``, half that many cycles later, for one cycle.
    ``i`` is held meanwhile; below ``least`` ``o`` means nothing.
    """

    def __init__(self, *, numerator: int, least: int, width: int):
        if not 0 < least < 1 << width or numerator < least:
            raise ValueError(f"least must be positive, of at most {width} bits and not above the "
                             f"numerator, {numerator}, and is {least}")  # fmt: skip
        self.numerator, self.least, self.width = numerator, least, width
        self.latency = ((numerator // least).bit_length() + 1) // 2
        super().__init__({"start": In(1), "i": In(width), "o": Out(2 * self.latency)})

    def elaborate(self, platform):
        m = Module()
        bits = len(self.o)
        # The quotient comes in from below, while the numerator's digits leave at the top.
        rest = Signal(self.width + 1, reset_less=True)
        quotient = Signal(bits, reset_less=True)
        low = self.numerator & ((1 << bits) - 1)
        digits = (0, 0)
        before = quotient
        if low & ((1 << (bits - 1)) - 1):
            before = Mux(self.start, low, quotient)
            digits = (before[bits - 2], before[bits - 3] if bits > 2 else 0)
        current = Mux(self.start, self.numerator >> (bits - 1), rest)
        found, left = _step(m, current, self.i, "", digits)
        m.d.sync += [rest.eq(left), quotient.eq(Cat(found, before))]
        m.d.comb += self.o.eq(quotient)
        return m


class PipelinedDivider(wiring.Component):
    """``o = floor(2**(bits - 1) n / i)`` of other ``n`` < 2 ``i`` in every cycle; never stops.

    ``i``: ``width`` bits, not 0. A stage for every two of ``bits``, an even number: ``latency`` is
    half of it.
    """

    def __init__(self, *, width: int, bits: int):
        if bits < 2 or bits % 2:
            raise ValueError(f"bits must be an even positive integer, not {bits}")
        self.width, self.bits, self.latency = width, bits, bits // 2
        super().__init__({"n": In(width + 1), "i": In(width), "o": Out(bits)})

    def elaborate(self, platform):
        m = Module()
        found, left = _step(m, self.n, self.i, "stage_0_")
        m.d.comb += self.o.eq(_pipeline(m, found, left, self.i, self.latency))
        return m


class PipelinedReciprocal(wiring.Component):
    """``o = floor(2**(width - 1 + precision) / i)`` of another ``i`` in every cycle; never stops.
    The highest bit of ``i`` counts as set, whatever it is. ``o`` has ``precision + 1`` bits, an
    even number."""

    def __init__(self, *, width: int, precision: int):
        if precision < 1 or not precision % 2:
            raise ValueError(f"precision must be an odd positive integer, not {precision}")
        self.width, self.precision, self.latency = width, precision, latency(precision)
        super().__init__({"i": In(width), "o": Out(precision + 1)})

    def elaborate(self, platform):
        m = Module()
        # Of 2**(width - 1) by 2**(width - 1) + low: the first bit is set if low is 0, else the
        # second. Either way 2**(width - 1) - low is left of twice that, modulo 2**(width - 1).
        low = self.i[:-1]
        left = Signal(len(low), name="stage_0_left")
        m.d.comb += left.eq(-low)
        found = Cat(low.any(), ~low.any())
        quotient = _pipeline(m, found, left << 1, low, self.latency, above=[Const(1, 1)])
        m.d.comb += self.o.eq(quotient)
        return m
