"""What else a layer needs: rotation of pairs by a position's angle, and addition of residuals."""

from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.requantize import Requantizer
from ..cells import shared
from ..formats import Format, Rounding, signed_width

__all__ = ["ResidualAdd", "Rotate"]


class Rotate(wiring.Component):
    """RoPE of one pair: (``even``, ``odd``) turned by the angle of ``cosine`` and ``sine``.

    These are signed numbers with ``fraction`` bits, up to one; results are rounded half up once and
    saturate to ``format``. ``latency`` cycles; never stops.
    """

    latency = 4

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
        wide = Format(max(signed_width(-most, most), 17))
        sums = {
            "even": self.even * self.cosine - self.odd * self.sine,
            "odd": self.even * self.sine + self.odd * self.cosine,
        }
        for name, value in sums.items():
            total = Signal(signed(wide.width), name=f"sum_{name}", reset_less=True)
            m.submodules[name] = scale = shared(
                Requantizer,
                in_format=wide,
                out_format=self.format,
                rounding=Rounding.HALF_UP,
                multiplier_bits=1,
            )
            m.d.sync += total.eq(value)
            m.d.comb += [
                scale.en.eq(1),
                scale.i.eq(total),
                scale.multiplier.eq(1),
                scale.shift.eq(self.fraction),
                getattr(self, f"o_{name}").eq(scale.o),
            ]
        return m


class ResidualAdd(wiring.Component):
    """``o = clamp(round((a of_a + b of_b) / 2**shift))``: a sum of numbers of different scales.

    ``a``, ``b``, ``o``: of ``format``; ``of_a``, ``of_b``: ``multiplier_bits``, unsigned, constant
    while there are numbers on their way, as is ``shift`` (0 to 62). Rounded once, of the exact sum;
    HAWQ-V3 rounds each branch. ``latency`` cycles; never stops.
    """

    latency = 4

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
        wide = Format(max(signed_width(-most, most), 17))
        total = Signal(signed(wide.width), reset_less=True)
        m.submodules.scale = scale = shared(
            Requantizer,
            in_format=wide,
            out_format=self.format,
            rounding=self.rounding,
            multiplier_bits=1,
        )
        m.d.sync += total.eq(self.a * self.of_a + self.b * self.of_b)
        m.d.comb += [
            scale.en.eq(1),
            scale.i.eq(total),
            scale.multiplier.eq(Const(1, 1)),
            scale.shift.eq(self.shift),
            self.o.eq(scale.o),
        ]
        return m
