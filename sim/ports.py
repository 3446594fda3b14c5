"""Any component, its ports given cycle by cycle: in Amaranth's simulator, or compiled.

Both take integers per cycle for every input (those not named are 0) and give what the outputs were
in every cycle, before its clock edge, from reset on::

    outputs = ports.compiled(component, {"a": [3, 4], "valid": [1, 1]})
    outputs["o"]                    # as many integers as there were cycles
"""

from collections.abc import Mapping, Sequence

import numpy as np
from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from matweave.hw.emit import verilog

from .streams import StreamDriver

Cycles = Mapping[str, Sequence[int]]


def simulated(component: wiring.Component, inputs: Cycles) -> dict[str, list[int]]:
    """By Amaranth's simulator: unsigned integers of every output."""
    names = _names(component)[1]
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = component
    found = {name: [] for name in names}

    async def bench(ctx):
        for values in zip(*inputs.values(), strict=True):
            for name, value in zip(inputs, values, strict=True):
                ctx.set(getattr(component, name), int(value))
            _, _, *outputs = await ctx.tick().sample(*(getattr(component, n) for n in names))
            for name, value in zip(names, outputs, strict=True):
                found[name].append(value)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def compiled(component: wiring.Component, inputs: Cycles) -> dict[str, list[int]]:
    """By Verilator, of the emitted Verilog: unsigned integers of every output."""
    given, wanted = _names(component)
    members = component.signature.members
    cycles = len(next(iter(inputs.values())))
    words = [0] * cycles
    at = 0
    for name in given:
        for cycle, value in enumerate(inputs.get(name, ())):
            words[cycle] |= int(value) << at
        at += _width(members[name])
    size_in, size_out = (
        -(-sum(_width(members[n]) for n in names) // 8) for names in (given, wanted)
    )
    data = b"".join(word.to_bytes(size_in, "little") for word in words)
    beats = np.frombuffer(data, np.uint8).reshape(cycles, size_in)
    driver = StreamDriver()
    text = verilog(_Streams(component), "ports")
    streams = {"s_axis_i": size_in}, {"m_axis_o": size_out}
    driver.load(text, "ports", *streams, seed=1, registers=False)
    with driver:
        output = driver.run({"i": beats}, {"o": cycles}).outputs["o"]
    found = {name: [] for name in wanted}
    for beat in output:
        word = int.from_bytes(beat.tobytes(), "little")
        for name in wanted:
            width = _width(members[name])
            found[name].append(word & ((1 << width) - 1))
            word >>= width
    return found


def _names(component) -> tuple[list[str], list[str]]:
    """Inputs and outputs."""
    members = component.signature.members.items()
    return tuple([n for n, member in members if member.flow == flow] for flow in (In, Out))


def _width(member) -> int:
    return Signal(member.shape).shape().width


class _Streams(wiring.Component):
    """A beat of ``s_axis_i`` is what is on the inputs in one cycle, one of ``m_axis_o`` what was on
    the outputs; never waits."""

    def __init__(self, component):
        self._component, (self._given, self._wanted) = component, _names(component)
        members = component.signature.members
        ports = {}
        for prefix, names, there, back in (
            ("s_axis_i", self._given, In, Out), ("m_axis_o", self._wanted, Out, In)
        ):  # fmt: skip
            size = -(-sum(_width(members[name]) for name in names) // 8)
            ports |= {
                f"{prefix}_tdata": there(8 * size), f"{prefix}_tvalid": there(1),
                f"{prefix}_tready": back(1), f"{prefix}_tlast": there(1),
            }  # fmt: skip
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self._component
        at = 0
        for name in self._given:
            port = getattr(dut, name)
            bits = self.s_axis_i_tdata[at : at + len(port)]
            m.d.comb += port.eq(bits & self.s_axis_i_tvalid.replicate(len(port)))
            at += len(port)
        data = Signal(len(self.m_axis_o_tdata), reset_less=True)
        valid, last = Signal(), Signal()
        m.d.sync += [
            data.eq(Cat(getattr(dut, name) for name in self._wanted)),
            valid.eq(self.s_axis_i_tvalid),
            last.eq(self.s_axis_i_tlast),
        ]
        m.d.comb += [
            self.s_axis_i_tready.eq(1),
            self.m_axis_o_tdata.eq(data),
            self.m_axis_o_tvalid.eq(valid),
            self.m_axis_o_tlast.eq(last),
        ]
        return m
