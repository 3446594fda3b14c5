"""What else a layer needs: rotation of pairs by a position's angle, addition of residuals, and
products of gates."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format, Rounding
from .rounded import LATENCY, rounded

__all__ = ["ResidualAdd", "Rotate", "ScaledProduct"]


class Rotate(wiring.Component):
    """RoPE of one pair: (``even``, ``odd``) turned by the angle of ``cosine`` and ``sine``.

    These are signed numbers with ``fraction`` bits, up to one; results are rounded half up once and
    saturate to ``format``. ``latency`` cycles; never stops.
    """

    latency = LATENCY

    def __init__(self, *, format: Format, fraction: int = 14):
        if not format.signed:
            raise ValueError(f"format must be signed, not {format}")
        self.format, self.fraction = format, fraction
        number, angle = signed(format.width), signed(fraction + 2)
        super().__init__(
            {
                **{name: In(number) for name in ("even", "odd")},
                **{name: In(angle) for name in ("cosine", "sine")},
                **{name: Out(number) for name in ("o_even", "o_odd")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        most = 2 * (1 << self.fraction) * -self.format.min
        sums = {
            "even": self.even * self.cosine - self.odd * self.sine,
            "odd": self.even * self.sine + self.odd * self.cosine,
        }
        for name, value in sums.items():
            result = rounded(
                m, value, most, self.fraction, to=self.format, total=f"sum_{name}", name=name
            )
            m.d.comb += getattr(self, f"o_{name}").eq(result)
        return m


class ResidualAdd(wiring.Component):
    """``o = clamp(round((a of_a + b of_b) / 2**shift))``: a sum of numbers of different scales.

    ``a``, ``b``, ``o``: of ``format``; ``of_a``, ``of_b``: ``multiplier_bits``, unsigned, constant
    while there are numbers on their way, as is ``shift`` (0 to 62). Rounded once, of the exact sum;
    HAWQ-V3 rounds each branch. ``latency`` cycles; never stops.
    """

    latency = LATENCY

    def __init__(
        self, *, format: Format, rounding: Rounding = Rounding.HALF_UP, multiplier_bits: int = 16
    ):
        self.format, self.rounding = format, rounding
        self.multiplier_bits = multiplier_bits
        number = (signed if format.signed else lambda width: width)(format.width)
        super().__init__(
            {
                **{name: In(number) for name in ("a", "b")},
                **{name: In(multiplier_bits) for name in ("of_a", "of_b")},
                "shift": In(6),
                "o": Out(number),
            }
        )

    def elaborate(self, platform):
        m = Module()
        most = 2 * ((1 << self.multiplier_bits) - 1) * max(-self.format.min, self.format.max)
        value = self.a * self.of_a + self.b * self.of_b
        m.d.comb += self.o.eq(
            rounded(m, value, most, self.shift, to=self.format, rounding=self.rounding)
        )
        return m


class ScaledProduct(wiring.Component):
    """``o = clamp(round(a b multiplier / 2**shift))``, half up: what a gate lets through.

    ``a``, ``b``, ``o``: of ``format``, signed; ``multiplier``: ``multiplier_bits``, unsigned, and
    ``shift``: 0 to 62, both constant while there are numbers on their way. Rounded once.
    ``latency`` cycles; never stops.
    """

    latency = LATENCY

    def __init__(self, *, format: Format, multiplier_bits: int = 16):
        if not format.signed:
            raise ValueError(f"format must be signed, not {format}")
        self.format, self.multiplier_bits = format, multiplier_bits
        number = signed(format.width)
        super().__init__(
            {
                **{name: In(number) for name in ("a", "b")},
                "multiplier": In(multiplier_bits),
                "shift": In(6),
                "o": Out(number),
            }
        )

    def elaborate(self, platform):
        m = Module()
        most = self.format.min**2
        m.d.comb += self.o.eq(
            rounded(
                m, self.a * self.b, most, self.shift, to=self.format, multiplier=self.multiplier
            )
        )
        return m
