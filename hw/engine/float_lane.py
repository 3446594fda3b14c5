"""One lane of the output stage of floating-point results: add C0, then bias, ReLU."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.float_add import FloatAdd
from ..cells import shared
from ..floats import FloatFormat


class FloatOutputLane(wiring.Component):
    """``(accumulator + C0) + bias``, codes of ``format``, each sum rounded to nearest, ties to
    even; with ``relu`` +0 where that has its sign set, so NaN stays.

    Ports as of :class:`.output_lane.OutputLane`, whose ``bias`` is a word of 32 bits: the code is
    its lowest. Latency 2.
    """

    latency = 2

    def __init__(self, *, format: FloatFormat):
        self.format = format
        super().__init__(
            {
                "en": In(1),
                "accumulator": In(format.width),
                "c0": In(format.width),
                "bias": In(32),
                "add_c0": In(1),
                "add_bias": In(1),
                "relu": In(1),
                "o": Out(format.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bias = self._later(m, self.bias[: self.format.width], "bias_late")
        total = self._later(m, self._plus(m, "c0", self.accumulator, self.c0, self.add_c0), "some")
        total = self._later(m, self._plus(m, "bias", total, bias, self.add_bias), "total")
        m.d.comb += self.o.eq(Mux(self.relu & total[-1], 0, total))
        return m

    def _plus(self, m, name: str, value, addend, wanted):
        """``value + addend`` where that is ``wanted``; -0 changes nothing."""
        m.submodules[f"add_{name}"] = add = shared(FloatAdd, format=self.format)
        nothing = Cat(Const(0, self.format.width - 1), 1)
        m.d.comb += [add.i.eq(value), add.c.eq(Mux(wanted, addend, nothing))]
        return add.o

    def _later(self, m, value, name: str):
        register = Signal(self.format.width, name=f"{name}_register", reset_less=True)
        with m.If(self.en):
            m.d.sync += register.eq(value)
        return register
