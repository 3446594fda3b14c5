"""The register port of an encoder or a decoder: what can be written when, what is refused, what a
model survives."""

import dataclasses

import cocotb
from cocotb.triggers import ClockCycles

from ..registers import (
    ENCODER_ID_VALUE,
    Control,
    EncoderRegister,
    Error,
    Response,
    Status,
)
from ..transformer.jobs import COUNTERS
from .bench import Bench
from .registers import refused

LIMIT = 20_000_000
NUMBERS = ("TOKENS", "MODE")


def plain_job(bench: Bench, index: int = 4):
    """A job of some size."""
    return bench.case(bench.plan.seed + 9, index).job


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def constants(dut):
    """Identity, sizes and the state after reset."""
    bench = await Bench(dut).start()
    model = bench.config.model
    expected = {
        "ID": ENCODER_ID_VALUE,
        "VERSION": 1,
        "STATUS": 0,
        "ERROR": 0,
        "MAX_TOKENS": model.tokens,
        "WIDTH": model.width,
        "HEADS": model.heads,
        "HIDDEN": model.hidden,
        "LAYERS": model.layers,
    }
    for name, value in expected.items():
        assert await bench.read(EncoderRegister[name]) == value, name
    bench.report("constants")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def read_back(dut):
    """Registers hold what they are given; what is read only keeps its value."""
    bench = await Bench(dut).start()
    for name, value in {"TOKENS": 0x1234_5678, "MODE": 1}.items():
        await bench.write(EncoderRegister[name], value)
        assert await bench.read(EncoderRegister[name]) == value, name
    for name in ("ID", "STATUS", "MAX_TOKENS", "LAYERS", *COUNTERS):
        before = await bench.read(EncoderRegister[name])
        await bench.write(EncoderRegister[name], 0xFFFF_FFFF, Response.SLVERR)
        assert await bench.read(EncoderRegister[name]) == before, name
    for address in (0x50 if bench.config.model.causal else 0x44, 0x58, 0xFC):
        await bench.read(address, Response.DECERR)
        await bench.write(address, 1, Response.DECERR)
    bench.report("read_back")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def illegal_sizes(dut):
    """A start with no tokens, or too many, does nothing but raise the error."""
    bench = await Bench(dut).start()
    for tokens in (0, bench.config.model.tokens + 1, 1 << 31):
        await bench.program(plain_job(bench))
        await bench.write(EncoderRegister.TOKENS, tokens)
        await bench.write(EncoderRegister.CONTROL, Control.START)
        await refused(bench, Error.ILLEGAL_SIZE)
    await bench.run(plain_job(bench))
    bench.report("illegal_sizes")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def models(dut):
    """None is used before one has been loaded whole; one that has stays, over a soft reset too."""
    bench = await Bench(dut).start()
    job = plain_job(bench)
    again = dataclasses.replace(job, x=job.x[::-1].copy(), load=False)

    async def without():
        await bench.program(again)
        await bench.write(EncoderRegister.CONTROL, Control.START)
        await refused(bench, Error.NO_MODEL)

    await without()
    await bench.begin(job)
    await ClockCycles(dut.clk, 40)
    await bench.soft_reset()
    await without()
    await bench.run(job)
    await bench.run(again)
    await bench.begin(again)
    await ClockCycles(dut.clk, 60)
    await bench.soft_reset()
    await bench.run(again)
    await bench.hard_reset()
    await without()
    bench.report("models")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def while_busy(dut):
    """A running job cannot be changed: writes are refused, a second start is an error."""
    bench = await Bench(dut).start()
    job = plain_job(bench)
    bench.sinks[bench.output].pause = True  # keep it busy
    await bench.begin(job)
    before = {name: await bench.read(EncoderRegister[name]) for name in NUMBERS}
    for name in NUMBERS:
        await bench.write(EncoderRegister[name], 1, Response.SLVERR)
        assert await bench.read(EncoderRegister[name]) == before[name], name
    await bench.write(EncoderRegister.CONTROL, Control.START)
    assert await bench.read(EncoderRegister.ERROR) == Error.START_WHILE_BUSY
    assert await bench.read(EncoderRegister.STATUS) & Status.BUSY
    await bench.write(EncoderRegister.ERROR, Error.START_WHILE_BUSY)
    bench.sinks[bench.output].pause = False
    await bench.finish(job)
    bench.report("while_busy")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def counters(dut):
    """Counters count what their stream waits for, stop with the job, and are cleared."""
    bench = await Bench(dut).start()
    for name, model in {**bench.sources, **bench.sinks}.items():
        job = plain_job(bench)
        model.pause = True
        await bench.begin(job)
        # All steps that it can do without that stream.
        await ClockCycles(dut.clk, 300 + bench.kind.silence(bench.config))
        model.pause = False
        await bench.finish(job)
        counts = {each: await bench.read(EncoderRegister[each]) for each in COUNTERS}
        assert counts["CYCLES"] >= 300
        assert counts[f"STALL_{name.upper()}"] >= 200, name
        await ClockCycles(dut.clk, 50)
        assert await bench.read(EncoderRegister.CYCLES) == counts["CYCLES"], "counts on"
    await bench.write(EncoderRegister.CONTROL, Control.CLEAR_COUNTERS)
    for name in COUNTERS:
        assert await bench.read(EncoderRegister[name]) == 0, name
    bench.report("counters")
