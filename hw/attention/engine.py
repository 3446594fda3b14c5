"""The attention engine: streaming attention behind AXI4-Stream and AXI4-Lite."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from ..cells import shared
from ..engine.core import connect
from ..stream import axi_lite_ports, sink_ports, source_ports
from . import regmap
from .registers import AttentionRegisters
from .shape import Shape
from .streaming import STALLS, StreamingAttention, parameter_ports

__all__ = ["AttentionEngine", "build"]


class AttentionEngine(wiring.Component):
    """One job at a time, sizes set at run time up to the shape's maxima.

    Ports: ``s_axil_*`` (registers, :mod:`.regmap`), ``s_axis_q_*``, ``s_axis_k_*``,
    ``s_axis_v_*``, with packed K ``s_axis_g_*``, ``m_axis_o_*``; beats as in decision 0013.

    Reset, or a soft reset at any cycle, returns it to idle; registers keep over a soft reset.
    """

    def __init__(self, *, shape: Shape):
        self.shape = shape
        super().__init__(
            {
                **axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH),
                **sink_ports("s_axis_q", shape.q_width),
                **sink_ports("s_axis_k", shape.k_width),
                **sink_ports("s_axis_v", shape.v_width),
                **(sink_ports("s_axis_g", shape.g_width) if shape.k_bits else {}),
                **source_ports("m_axis_o", shape.o_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = shared(AttentionRegisters, shape=self.shape)
        m.submodules.core = core = shared(
            StreamingAttention, shape=self.shape, reset=registers.soft_reset
        )
        lite = axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH)
        inputs = [name for name, member in lite.items() if member.flow == wiring.In]
        connect(m, registers, self, inputs)
        connect(m, self, registers, [name for name in lite if name not in inputs])
        connect(m, core, registers, parameter_ports(self.shape))
        connect(m, registers, core, ["done", *(f"stall_{name}" for name in STALLS)])
        for name in ("q", "k", "v", "g") if self.shape.k_bits else ("q", "k", "v"):
            for signal in ("tdata", "tvalid", "tlast"):
                value = getattr(self, f"s_axis_{name}_{signal}")
                m.d.comb += getattr(core, f"{name}_{signal}").eq(value)
            m.d.comb += getattr(self, f"s_axis_{name}_tready").eq(getattr(core, f"{name}_tready"))
        for signal in ("tdata", "tvalid", "tlast"):
            m.d.comb += getattr(self, f"m_axis_o_{signal}").eq(getattr(core, f"o_{signal}"))
        m.d.comb += core.o_tready.eq(self.m_axis_o_tready)
        return m


def build(config) -> AttentionEngine:
    """The engine of an :class:`.config.AttentionConfig`, not yet elaborated."""
    return AttentionEngine(shape=config.shape)
