"""What the PLLs of all families have in common: choosing dividers, exactly.

Frequencies are :class:`~fractions.Fraction` in MHz, so that what a PLL gives is known exactly and
the constraint on the clock is the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Module, Signal
from amaranth.lib import io

from ...hw.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What a datasheet allows, in MHz, ends included; ``name``: what the user calls the PLL."""

    name: str
    pfd: tuple[float, float]
    vco: tuple[float, float]
    output: tuple[float, float]

    def admits(self, pfd: Fraction, vco: Fraction, output: Fraction) -> bool:
        pairs = ((pfd, self.pfd), (vco, self.vco), (output, self.output))
        return all(Fraction(least) <= value <= Fraction(most) for value, (least, most) in pairs)


@dataclass(frozen=True)
class Setting:
    """Dividers (the primitive's parameters) and what they give, in MHz."""

    mhz: Fraction
    pfd: Fraction
    vco: Fraction
    parameters: Mapping[str, int] = field(hash=False)


def nearest(wanted: Fraction, limits: Limits, settings: Iterable[Setting]) -> Setting:
    """The setting within ``limits`` whose output is nearest to ``wanted``.

    Of two as near the slower one; then the one that compares most often (highest PFD), which has
    least jitter; then the one whose oscillator is farthest from its limits.
    Raises :class:`.errors.UserError` if ``wanted`` is out of the PLL's range.
    """
    least, most = limits.output
    if not Fraction(least) <= wanted <= Fraction(most):
        raise UserError(
            f"--clock {float(wanted):g}: is not a clock that {limits.name} can make; allowed are "
            f"{least:g} to {most:g} MHz"
        )
    middle = Fraction(sum(limits.vco)) / 2
    fitting = (each for each in settings if limits.admits(each.pfd, each.vco, each.mhz))

    def preference(each: Setting) -> tuple:
        late = each.mhz > wanted
        return abs(each.mhz - wanted), late, -each.pfd, abs(each.vco - middle), each.vco

    best = min(fitting, key=preference, default=None)
    if best is None:
        raise UserError(
            f"--clock {float(wanted):g}: no setting of {limits.name} makes such a clock"
        )
    return best


def clock_pin(m, platform):
    """The board's clock from its pin, through a buffer in module ``m``."""
    m.submodules.pin = pin = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
    return pin.i


class Crystal(Elaboratable):
    """No PLL: the board's own clock.

    Ports (plain signals, as of every PLL): ``o``, the clock; ``locked``, whether it is good.
    """

    def __init__(self, mhz: Fraction):
        self.mhz = mhz
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [self.o.eq(clock_pin(m, platform)), self.locked.eq(Const(1))]
        return m
