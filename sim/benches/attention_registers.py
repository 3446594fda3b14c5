"""The register port of an attention engine: what can be written when, and what is refused."""

import cocotb
from cocotb.triggers import ClockCycles

from ..attention.jobs import COUNTERS, WRITTEN
from ..registers import (
    ATTENTION_ID_VALUE,
    AttentionMode,
    AttentionRegister,
    Control,
    Error,
    Response,
    Status,
)
from .bench import Bench
from .registers import refused

LIMIT = 10_000_000
SIZES = ("QUERIES", "KEYS", "KV_HEADS", "GROUP")


def plain_job(bench: Bench, index: int = 6):
    """A job of some size."""
    return bench.case(bench.plan.seed + 9, index).job


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def constants(dut):
    """Identity, limits and the state after reset."""
    bench = await Bench(dut).start()
    limits = bench.config.limits
    expected = {
        "ID": ATTENTION_ID_VALUE,
        "VERSION": 1,
        "STATUS": 0,
        "ERROR": 0,
        **{f"MAX_{name}": getattr(limits, name.lower()) for name in SIZES},
    }
    for name, value in expected.items():
        assert await bench.read(AttentionRegister[name]) == value, name
    bench.report("constants")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def read_back(dut):
    """Registers hold what they are given; what is read only keeps its value."""
    bench = await Bench(dut).start()
    values = {name: number + 1 for number, name in enumerate(WRITTEN)} | {"MODE": 3}
    for name, value in values.items():
        await bench.write(AttentionRegister[name], value)
    for name, value in values.items():
        assert await bench.read(AttentionRegister[name]) == value, name
    for value in (-65536, 65535, -1, 0):
        await bench.write(AttentionRegister.ZERO_POINT, value)
        assert await bench.read(AttentionRegister.ZERO_POINT) == value & 0xFFFF_FFFF
    for name in ("ID", "STATUS", "MAX_KEYS", *COUNTERS):
        before = await bench.read(AttentionRegister[name])
        await bench.write(AttentionRegister[name], 0xFFFF_FFFF, Response.SLVERR)
        assert await bench.read(AttentionRegister[name]) == before, name
    for address in (0x58, 0x5C, 0x70, 0xFC):
        await bench.read(address, Response.DECERR)
        await bench.write(address, 1, Response.DECERR)
    bench.report("read_back")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def illegal_sizes(dut):
    """A start that cannot be, of a size or a mode, does nothing but raise the error."""
    bench = await Bench(dut).start()
    limits = bench.config.limits
    most = {name: getattr(limits, name.lower()) for name in SIZES}
    wrong = [{name: value} for name in SIZES for value in (0, most[name] + 1, 1 << 31)]
    causal, windowed = AttentionMode.CAUSAL, AttentionMode.WINDOWED
    wrong += [
        {"MODE": causal, "KEYS": 3, "QUERIES": 2, "POSITION": 2},
        {"MODE": causal, "POSITION": 0xFFFF_FFFF},
        {"MODE": windowed, "WINDOW": 1},
        {"MODE": causal | windowed, "QUERIES": 1, "POSITION": 0, "WINDOW": 0},
        {"MODE": causal | windowed, "QUERIES": 1, "POSITION": 0, "WINDOW": most["KEYS"] + 1},
    ]
    for changes in wrong:
        await bench.program(plain_job(bench))
        for name, value in changes.items():
            await bench.write(AttentionRegister[name], value)
        await bench.write(AttentionRegister.CONTROL, Control.START)
        await refused(bench, Error.ILLEGAL_SIZE)
    if not bench.config.output.partial:
        await bench.program(plain_job(bench))
        await bench.write(AttentionRegister.MODE, AttentionMode.PARTIAL)
        await bench.write(AttentionRegister.CONTROL, Control.START)
        await refused(bench, Error.MODE_NOT_BUILT_IN)
    await bench.run(plain_job(bench))
    bench.report("illegal_sizes")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def illegal_scales(dut):
    """A shift, multiplier or zero point that is too wide is refused and changes nothing."""
    bench = await Bench(dut).start()
    shape = bench.config.shape
    wrong = {
        "LOGIT_MULTIPLIER": 1 << 16,
        "LOGIT_SHIFT": 63,
        "MULTIPLIER": 1 << shape.multiplier_bits,
        "SHIFT": shape.max_output_shift + 1,
        "ZERO_POINT": 1 << 16,
    }
    for name, value in wrong.items():
        before = await bench.read(AttentionRegister[name])
        await bench.write(AttentionRegister[name], value, Response.SLVERR)
        assert await bench.read(AttentionRegister[name]) == before, name
        await refused(bench, Error.ILLEGAL_SHIFT)
        if name != "ZERO_POINT":
            await bench.write(AttentionRegister[name], value - 1)
    await bench.run(plain_job(bench))
    bench.report("illegal_scales")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def while_busy(dut):
    """A running job cannot be changed: writes are refused, a second start is an error."""
    bench = await Bench(dut).start()
    job = plain_job(bench)
    bench.sinks[bench.output].pause = True  # keep it busy
    await bench.begin(job)
    before = {name: await bench.read(AttentionRegister[name]) for name in WRITTEN}
    for name in WRITTEN:
        await bench.write(AttentionRegister[name], 1, Response.SLVERR)
    for name in WRITTEN:
        assert await bench.read(AttentionRegister[name]) == before[name], name
    await bench.write(AttentionRegister.CONTROL, Control.START)
    assert await bench.read(AttentionRegister.ERROR) == Error.START_WHILE_BUSY
    assert await bench.read(AttentionRegister.STATUS) & Status.BUSY
    await bench.write(AttentionRegister.ERROR, Error.START_WHILE_BUSY)
    bench.sinks[bench.output].pause = False
    await bench.finish(job)
    await bench.run(plain_job(bench, 11))
    bench.report("while_busy")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def counters(dut):
    """Counters count what their stream waits for, stop with the job, and are cleared."""
    bench = await Bench(dut).start()
    waits = {**bench.sources, **bench.sinks}
    for name, model in waits.items():
        job = plain_job(bench)
        model.pause = True
        await bench.begin(job)
        await ClockCycles(dut.clk, 1000)
        model.pause = False
        await bench.finish(job)
        counts = {each: await bench.read(AttentionRegister[each]) for each in COUNTERS}
        assert counts["CYCLES"] >= 1000
        # K and its groups are taken together: either waits for the other.
        stalled = "K" if name == "g" else name.upper()
        assert counts[f"STALL_{stalled}"] >= 100, name
        await ClockCycles(dut.clk, 50)
        assert await bench.read(AttentionRegister.CYCLES) == counts["CYCLES"], "counts on"
    await bench.write(AttentionRegister.CONTROL, Control.CLEAR_COUNTERS)
    for name in COUNTERS:
        assert await bench.read(AttentionRegister[name]) == 0, name
    bench.report("counters")
