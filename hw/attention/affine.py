"""Gain and bias of a norm."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import Format
from .rounded import LATENCY, rounded

__all__ = ["Affine"]


class Affine(wiring.Component):
    """``o = clamp(round((i gain + bias) / 2**shift))``, rounded half up once, of the exact sum.

    ``i``, ``o``: of ``i_format`` and ``o_format``, signed; ``gain``, ``bias``: of theirs, which
    come with ``i``; ``shift``: 0 to 62, constant while there are numbers on their way. ``latency``
    cycles; never stops. Golden model: ``golden.attention.norm.norm``.
    """

    latency = LATENCY

    def __init__(self, *, i_format: Format, o_format: Format, gain: Format, bias: Format):
        self.i_format, self.o_format, self.gain_format, self.bias_format = (
            i_format, o_format, gain, bias,
        )  # fmt: skip
        super().__init__(
            {
                "i": In(signed(i_format.width)),
                "gain": In(signed(gain.width)),
                "bias": In(signed(bias.width)),
                "shift": In(6),
                "o": Out(signed(o_format.width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        most = self.i_format.min * self.gain_format.min - self.bias_format.min
        value = self.i * self.gain + self.bias
        m.d.comb += self.o.eq(rounded(m, value, most, self.shift, to=self.o_format))
        return m
