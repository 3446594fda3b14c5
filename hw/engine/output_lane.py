"""One lane of the output stage: add C0 and bias, requantise, ReLU."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.adders import clamp
from ..arith.requantize import Requantizer, latency
from ..cells import shared
from ..formats import Format
from .core import OutputShape


def lane_latency(output: OutputShape) -> int:
    """Cycles from ``accumulator`` to ``o``."""
    return 1 if output.format is None else 1 + latency(output.multiplier_stages)


class OutputLane(wiring.Component):
    """``t = overflow(accumulator + C0 + bias)``, then raw or requantised.

    ``en`` advances all stages. ``accumulator``, ``c0`` and ``bias`` belong together;
    ``multiplier`` and ``shift`` come one ``en`` later; the rest is constant while a job runs.
    Latency :func:`lane_latency`. The sum of three is exact and then wraps or saturates to the
    result format.
    """

    def __init__(self, *, accumulator: Format, result: Format, output: OutputShape, saturate: bool):
        self.result, self.output, self.saturate = result, output, saturate
        ports = {
            "en": In(1),
            "accumulator": In(accumulator.width),
            "c0": In(result.width),
            "bias": In(32),
            "add_c0": In(1),
            "add_bias": In(1),
            "relu": In(1),
            "o": Out(output.lane(result)),
        }
        if output.format is not None:
            ports |= {
                "requantize": In(1),
                "multiplier": In(31),
                "shift": In(6),
                "zero_point": In(signed(17)),
            }
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        width = self.result.width
        c0 = Mux(self.add_c0, self.c0, 0).as_signed()
        bias = Mux(self.add_bias, self.bias, 0).as_signed()
        exact = Signal(signed(max(len(self.accumulator), width) + 2))
        m.d.comb += exact.eq(self.accumulator.as_signed() + (c0 + bias))
        bounded = clamp(exact, width) if self.saturate else exact[:width]

        total = self._later(m, bounded, "total")
        if self.output.format is None:
            m.d.comb += self.o.eq(self._raw(total))
            return m

        m.submodules.requantizer = unit = shared(
            Requantizer,
            in_format=self.result,
            out_format=self.output.format,
            rounding=self.output.rounding,
            multiplier_stages=self.output.multiplier_stages,
        )
        m.d.comb += [
            unit.en.eq(self.en),
            unit.i.eq(total),
            unit.multiplier.eq(self.multiplier),
            unit.shift.eq(self.shift),
            unit.zero_point.eq(self.zero_point),
            unit.relu.eq(self.relu),
        ]
        for number in range(lane_latency(self.output) - 1):
            if self.output.raw:
                total = self._later(m, total, f"total_{number}")
        # Sign- or zero-extended to the lane before the choice, which would otherwise mix the two.
        result = Signal(len(self.o))
        m.d.comb += result.eq(unit.o)
        if self.output.raw:
            result = Mux(self.requantize, result, self._raw(total))
        m.d.comb += self.o.eq(result)
        return m

    def _later(self, m, value, name: str):
        register = Signal(len(value), name=name, reset_less=True)
        with m.If(self.en):
            m.d.sync += register.eq(value)
        return register

    def _raw(self, total):
        return Mux(self.relu & total[-1], 0, total)
