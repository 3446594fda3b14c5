"""The checkers are checked: a master that breaks the protocol on purpose is caught at it.

Each fault is driven at the wires while the bus models are quiet; none may go unflagged.
"""

import cocotb
from cocotb.triggers import ClockCycles
from cocotb.types import LogicArray

from .bench import Bench

LIMIT = 10_000_000


def faults(inputs):
    """(channel, prefix, valid, signal that misbehaves or None, what is flagged)."""
    for name, port in inputs.items():
        yield name, f"{port}_", "tvalid", None, "tvalid dropped"
        yield name, f"{port}_", "tvalid", "tdata", "tdata changed"
        yield name, f"{port}_", "tvalid", "tlast", "tlast changed"
    for name, signals in (("aw", ("awaddr", "awprot")), ("w", ("wdata", "wstrb")),
                          ("ar", ("araddr", "arprot"))):  # fmt: skip
        yield f"axil_{name}", "s_axil_", f"{name}valid", None, f"{name}valid dropped"
        for signal in signals:
            yield f"axil_{name}", "s_axil_", f"{name}valid", signal, f"{signal} changed"


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def waiting_beats(dut):
    """What waits is withdrawn or changed."""
    bench = await Bench(dut).start()
    bench.forgive = True
    flagged = set()
    for name, prefix, valid, signal, what in faults(bench.kind.inputs):
        channel = bench.channels[name]
        # While no ready is seen: the checker is shown ready low, whatever the engine says.
        sample = channel.sample
        channel.sample = lambda s, c=channel, read=sample: "0" if s == c.ready else read(s)
        for payload in channel.payload:
            getattr(dut, prefix + payload).value = 0
        getattr(dut, prefix + valid).value = 1
        await ClockCycles(dut.clk, 2)
        assert not bench.violations, bench.violations
        if signal is None:
            getattr(dut, prefix + valid).value = 0
        else:
            getattr(dut, prefix + signal).value = 1
        await ClockCycles(dut.clk, 2)
        assert [v.what for v in bench.violations] == [what], (name, bench.violations)
        flagged.add((name, what))
        getattr(dut, prefix + valid).value = 0
        channel.forget()
        await ClockCycles(dut.clk, 1)
        channel.forget()
        channel.sample = sample
        await bench.hard_reset()
        bench.violations.clear()
    bench.report("waiting_beats", kinds=sorted({what for _, what in flagged}))


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def valid_in_reset(dut):
    """A master that offers while ``rst`` is high."""
    bench = await Bench(dut).start()
    bench.forgive = True
    flagged = []
    for name, port in bench.kind.inputs.items():
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        getattr(dut, f"{port}_tvalid").value = 1
        await ClockCycles(dut.clk, 2)
        getattr(dut, f"{port}_tvalid").value = 0
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        assert {str(v.what) for v in bench.violations} == {"valid in reset"}, bench.violations
        assert {v.channel for v in bench.violations} == {name}
        flagged.append(name)
        bench.violations.clear()
        await bench.hard_reset()
    bench.report("valid_in_reset", kinds=["valid in reset"])


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns", skip=cocotb.SIM_NAME.startswith("Verilator"))
async def unknown(dut):
    """Unknown bits in a handshake or in a payload (simulators with four states)."""
    bench = await Bench(dut).start()
    bench.forgive = True
    port = next(iter(bench.kind.inputs.values()))
    wires = {name: getattr(dut, f"{port}_{name}") for name in ("tvalid", "tdata", "tlast")}
    for signal, handle in wires.items():
        for name, wire in wires.items():
            wire.value = int(name == "tvalid")
        handle.value = LogicArray("X" * len(handle)) if signal == "tdata" else "X"
        await ClockCycles(dut.clk, 2)
        assert f"{signal} unknown" in {v.what for v in bench.violations}, signal
        for wire in wires.values():
            wire.value = 0
        await bench.hard_reset()
        bench.violations.clear()
    bench.report("unknown", kinds=["tvalid unknown", "tdata unknown", "tlast unknown"])
