"""The GEMM engine: C = requantize(A · B + C0 + bias) behind AXI4-Stream and AXI4-Lite.

Top level: the registers, and a core that a soft reset clears as a whole. Which core follows from
the array: output stationary (systolic, matrix, cube, lookup), weight stationary (systolic, tree) or
digit serial.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring

from ..array.output_stationary import OutputStationaryArray
from ..array.serial import DigitSerialArray
from ..array.tree import TreeArray
from ..array.weight_stationary import WeightStationaryArray
from ..cells import shared
from ..lut.float_gemm_array import FloatLookupArray
from ..lut.gemm_array import LookupArray
from ..stream import axi_lite_ports, sink_ports, source_ports
from . import regmap
from .core import ArrayChoice, CoreShape, connect, job_ports, table_ports
from .os_core import OutputStationaryCore
from .registers import GemmRegisters
from .serial_core import DigitSerialCore
from .ws_core import WeightStationaryCore

CORES = {
    OutputStationaryArray: OutputStationaryCore,
    WeightStationaryArray: WeightStationaryCore,
    TreeArray: WeightStationaryCore,
    DigitSerialArray: DigitSerialCore,
    LookupArray: OutputStationaryCore,
    FloatLookupArray: OutputStationaryCore,
}
"""The core around each array."""


class GemmEngine(wiring.Component):
    """One GEMM job at a time, sizes set at run time up to the shape's maxima.

    Parameters: ``shape`` (formats, sizes, output), ``array`` (which array, with its parameters).

    Ports: ``s_axil_*`` (registers, :mod:`.regmap`), ``s_axis_a_*``, ``s_axis_b_*``,
    ``s_axis_c0_*``, ``m_axis_c_*``; beats as in ``docs/reference/streams.md``.

    Reset, or a soft reset at any cycle, returns it to idle; channel tables keep their contents.
    """

    def __init__(self, *, shape: CoreShape, array: ArrayChoice):
        self.shape, self.array = shape, array
        self.core_class = CORES[array.cls]
        self.address_width = regmap.address_width(shape.max_n, zeros=shape.zeros)
        super().__init__(
            {
                **axi_lite_ports("s_axil", self.address_width),
                **sink_ports("s_axis_a", shape.a_width),
                **sink_ports("s_axis_b", shape.b_width),
                **sink_ports("s_axis_c0", shape.c0_width),
                **source_ports("m_axis_c", shape.c_width),
            }
        )

    @property
    def parameters(self) -> dict:
        """What it was made of."""
        return {"shape": self.shape, "array": self.array}

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        m.submodules.registers = registers = shared(GemmRegisters, shape=shape)
        m.submodules.core = core = shared(
            self.core_class, shape=shape, array=self.array, reset=registers.soft_reset
        )
        lite = axi_lite_ports("s_axil", self.address_width)
        inputs = [name for name, member in lite.items() if member.flow == wiring.In]
        outputs = [name for name in lite if name not in inputs]
        connect(m, registers, self, inputs)
        connect(m, self, registers, outputs)
        connect(m, core, registers, [*job_ports(shape), *table_ports(shape)])
        events = ["done", "tile", *(f"stall_{name}" for name in ("a", "b", "c0", "c"))]
        connect(m, registers, core, events)
        for name in ("a", "b", "c0"):
            for signal in ("tdata", "tvalid", "tlast"):
                value = getattr(self, f"s_axis_{name}_{signal}")
                m.d.comb += getattr(core, f"{name}_{signal}").eq(value)
            m.d.comb += getattr(self, f"s_axis_{name}_tready").eq(getattr(core, f"{name}_tready"))
        for signal in ("tdata", "tvalid", "tlast"):
            m.d.comb += getattr(self, f"m_axis_c_{signal}").eq(getattr(core, f"c_{signal}"))
        m.d.comb += core.c_tready.eq(self.m_axis_c_tready)
        return m
