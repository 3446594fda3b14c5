"""Transformer layers, of an encoder or a decoder, behind AXI4-Stream and AXI4-Lite."""

from amaranth.hdl import Module
from amaranth.lib import wiring

from ..attention.shape import Shape as AttentionShape
from ..cells import shared
from ..engine.core import ArrayChoice, CoreShape, connect
from ..stream import axi_lite_ports
from . import regmap
from .core import STALLS, EncoderCore, core_ports
from .registers import EncoderRegisters
from .sizes import Sizes

__all__ = ["EncoderEngine"]

PREFIXES = {"b": "s_axis_b", "p": "s_axis_p", "x": "s_axis_x", "y": "m_axis_y"}
"""Of the streams, in the order of their ports."""


class EncoderEngine(wiring.Component):
    """One job at a time: the tokens of one sequence, of a decoder the next, through all layers.

    Ports: ``s_axil_*`` (registers, :mod:`.regmap`), ``s_axis_b_*`` (weights), ``s_axis_p_*``
    (parameters), ``s_axis_x_*``, ``m_axis_y_*``; beats as in decision 0015.

    Reset, or a soft reset at any cycle, returns it to idle; registers keep over a soft reset, and
    so does a model that has been loaded, and of a decoder what was cached before the job.
    """

    def __init__(
        self, *, sizes: Sizes, shape: CoreShape, array: ArrayChoice, attention: AttentionShape
    ):
        self.sizes, self.shape, self.array, self.attention = sizes, shape, array, attention
        streams = {
            PREFIXES[name[0]] + name[1:]: member
            for name, member in core_ports(sizes, shape).items()
            if name[1:2] == "_" and name[0] in PREFIXES
        }
        super().__init__({**axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH), **streams})

    @property
    def parameters(self) -> dict:
        """What it was made of."""
        return {
            "sizes": self.sizes, "shape": self.shape, "array": self.array,
            "attention": self.attention,
        }  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.registers = registers = shared(EncoderRegisters, sizes=self.sizes)
        m.submodules.core = core = shared(
            EncoderCore, **self.parameters, reset=registers.soft_reset
        )
        lite = axi_lite_ports("s_axil", regmap.ADDRESS_WIDTH)
        inputs = [name for name, member in lite.items() if member.flow == wiring.In]
        connect(m, registers, self, inputs)
        connect(m, self, registers, [name for name in lite if name not in inputs])
        connect(m, core, registers, ["start", "load", "tokens", *["position"] * self.sizes.causal])
        connect(m, registers, core, ["done", "loaded", *(f"stall_{name}" for name in STALLS)])
        for name, member in core_ports(self.sizes, self.shape).items():
            if name[1:2] == "_" and name[0] in PREFIXES:
                inner, outer = getattr(core, name), getattr(self, PREFIXES[name[0]] + name[1:])
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        return m
