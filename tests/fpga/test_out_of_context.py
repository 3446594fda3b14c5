"""What nextpnr says of designs small enough to know it."""

from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from matweave.fpga.targets import out_of_context
from matweave.hw import emit
from matweave.sim import toolchain

pytestmark = [pytest.mark.requires_tool("yosys"), pytest.mark.requires_tool("nextpnr-ecp5")]


class Mac(wiring.Component):
    """An accumulator of products."""

    def __init__(self):
        super().__init__({"a": In(signed(8)), "b": In(signed(8)), "o": Out(signed(24))})

    def elaborate(self, platform):
        m = Module()
        total = Signal(signed(24), reset_less=True)
        m.d.sync += total.eq(total + self.a * self.b)
        m.d.comb += self.o.eq(total)
        return m


@pytest.fixture(scope="module")
def verilog():
    return emit.verilog(out_of_context.Registered(Mac()), "mac")


def test_another_version_of_a_tool_is_another_result(monkeypatch):
    keys = []

    def build(kind, key, make):
        keys.append(key)
        raise InterruptedError

    monkeypatch.setattr(out_of_context.cache, "build", build)
    for version in ("0.7", "0.8", "0.7"):
        router = toolchain.Tool("nextpnr-ecp5", Path("nextpnr-ecp5"), version)
        monkeypatch.setattr(out_of_context.tools, "find", lambda program, router=router: router)
        with pytest.raises(InterruptedError):
            out_of_context.implement("", "top", dsp=False)
    assert keys[0] == keys[2] != keys[1]


def test_multiplier_in_a_dsp_block(verilog):
    usage = out_of_context.implement(verilog, "mac", dsp=True)
    assert usage.dsps == 1
    assert usage.flops == 8 + 8 + 24
    assert usage.carries == 12  # two bits each
    assert usage.memories == 0
    assert usage.fmax > 20


def test_multiplier_in_luts(verilog):
    plain, booth = (
        out_of_context.implement(verilog, "mac", dsp=False, booth=booth) for booth in (0, 1)
    )
    block = out_of_context.implement(verilog, "mac", dsp=True)
    assert plain.dsps == booth.dsps == 0
    assert plain.flops == booth.flops == block.flops
    assert min(plain.luts, booth.luts) > block.luts + 40  # an 8 x 8 multiplier
    assert plain.luts != booth.luts


def test_a_module_that_is_not_there(verilog):
    with pytest.raises(toolchain.ToolFailed, match=r"synthesis of other: .*failed"):
        out_of_context.implement(verilog, "other", dsp=False)
