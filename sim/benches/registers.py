"""The register port: what can be read and written when, and what is refused."""

import dataclasses

import cocotb
from cocotb.triggers import ClockCycles

from matweave.hw.weights import CODINGS, Coding

from ..jobs import Job
from ..registers import (
    GROUPS,
    ID_VALUE,
    READ_ONLY,
    VERSION_VALUE,
    WEIGHTS,
    Control,
    Error,
    Mode,
    Register,
    Response,
    Status,
    tables,
)
from .bench import Bench

LIMIT = 10_000_000


def plain_job(bench: Bench, index: int = 8) -> Job:
    """A job of some size."""
    return bench.case(bench.plan.seed + 9, index).job


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def constants(dut):
    """Identity, limits and the state after reset."""
    bench = await Bench(dut).start()
    limits, geometry = bench.config.limits, bench.config.geometry
    expected = {
        Register.ID: ID_VALUE,
        Register.VERSION: VERSION_VALUE,
        Register.STATUS: 0,
        Register.ERROR: 0,
        Register.MAX_M: limits.m,
        Register.MAX_N: limits.n,
        Register.MAX_K: limits.k,
    }
    for register, value in expected.items():
        assert await bench.read(register) == value, register.name
    stationary = {"output": 0, "weight": 1}[geometry.stationary.value]
    assert await bench.read(Register.GEOMETRY) & 0xFF == stationary
    bench.report("constants")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def read_back(dut):
    """Registers hold what they are given; tables read as zero."""
    bench = await Bench(dut).start()
    limits = bench.config.limits
    values = {Register.M: limits.m, Register.N: limits.n, Register.K: 1, Register.MODE: 3}
    if bench.config.serial:
        values[WEIGHTS] = 1 + (CODINGS.index(Coding.BINARY) << 4)
    if bench.config.max_groups > 1:
        values[GROUPS] = 2
    for register, value in values.items():
        await bench.write(register, value)
    for register, value in values.items():
        assert await bench.read(register) == value, hex(register)
    for value in (-65536, 65535, -1, 0):
        await bench.write(Register.ZERO_POINT, value)
        read = await bench.read(Register.ZERO_POINT)
        assert read & 0x1FFFF == value & 0x1FFFF
    bias = tables(limits.n)["bias"]
    for index in (0, limits.n - 1):
        await bench.write(bias + 4 * index, 0x12345678)
        assert await bench.read(bias + 4 * index) == 0
    bench.report("read_back")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def kept_weights(dut):
    """Of engines whose B may stay: a job that uses that of the one before; none after a write to
    what says how large it is, or a reset. Others ignore that bit."""
    bench = await Bench(dut).start()
    keeps = bench.config.kind == "lut"
    for index in range(8, 12):
        job = plain_job(bench, index)
        await bench.run(job)
        if keeps:
            await bench.run(dataclasses.replace(job, a=job.a[::-1].copy(), keep_b=True))
        await bench.write(Register.N, job.shape[1])
        if keeps:
            await bench.write(Register.MODE, job.mode() | Mode.KEEP_B)
            await bench.write(Register.CONTROL, Control.START)
            await refused(bench, Error.MODE_NOT_BUILT_IN)
    bench.report("kept_weights")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def unmapped(dut):
    """DECERR outside the map; a word that is read-only keeps its value."""
    bench = await Bench(dut).start()
    config = bench.config
    there = {*[WEIGHTS] * config.serial, *[GROUPS] * (config.max_groups > 1)}
    for address in sorted({WEIGHTS, GROUPS, 0x3C, 0x58, 0x70, 0xFC} - there):
        await bench.read(address, Response.DECERR)
        await bench.write(address, 1, Response.DECERR)
    for name in READ_ONLY:
        before = await bench.read(Register[name])
        await bench.registers.write(Register[name], b"\xff\xff\xff\xff")
        assert await bench.read(Register[name]) == before, name
    assert await bench.read(Register.STATUS) == 0
    if (n := bench.config.limits.n) & (n - 1):
        await bench.write(tables(n)["bias"] + 4 * n, 1, Response.DECERR)
    await bench.run(plain_job(bench))
    bench.report("unmapped")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def illegal_sizes(dut):
    """A start with a size of zero or beyond the limit does nothing but raise the error."""
    bench = await Bench(dut).start()
    limits = bench.config.limits
    for name in ("M", "N", "K"):
        limit = getattr(limits, name.lower())
        for value in (0, limit + 1, 2 * limit + 1):
            job = plain_job(bench)
            await bench.program(job)
            await bench.write(Register[name], value)
            if await bench.read(Register[name]) in range(1, limit + 1):
                continue  # the register is too narrow to hold an illegal size
            await bench.write(Register.CONTROL, Control.START)
            await refused(bench, Error.ILLEGAL_SIZE)
    await bench.run(plain_job(bench))
    bench.report("illegal_sizes")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def illegal_modes(dut):
    """A mode that this engine does not have; a shift or multiplier out of range."""
    bench = await Bench(dut).start()
    output = bench.config.output
    if output.mode != "both":
        job = plain_job(bench)
        await bench.program(job)
        wrong = Mode.REQUANTIZE if output.mode == "raw" else Mode(0)
        await bench.write(Register.MODE, wrong)
        await bench.write(Register.CONTROL, Control.START)
        await refused(bench, Error.MODE_NOT_BUILT_IN)
    if output.mode != "raw":
        tensor = output.scale == "tensor"
        table = tables(bench.config.limits.n)
        for name, value in (("shift", 63), ("multiplier", 1 << 31)):
            await bench.write(
                Register[name.upper()] if tensor else table[name], value, Response.SLVERR
            )
            await refused(bench, Error.ILLEGAL_SHIFT)
    await bench.run(plain_job(bench))
    bench.report("illegal_modes")


async def refused(bench: Bench, error: Error) -> None:
    """What was just done raised ``error`` and nothing else; writing the bit clears it."""
    await ClockCycles(bench.dut.clk, 5)
    assert await bench.read(Register.ERROR) == error
    assert await bench.read(Register.STATUS) & (Status.BUSY | Status.ERROR) == Status.ERROR
    await bench.write(Register.ERROR, Error(15) ^ error)
    assert await bench.read(Register.ERROR) == error, "cleared by the other bits"
    await bench.write(Register.ERROR, error)
    assert await bench.read(Register.ERROR) == 0
    assert await bench.read(Register.STATUS) & Status.ERROR == 0


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def while_busy(dut):
    """A running job cannot be changed: writes are refused, a second start is an error."""
    bench = await Bench(dut).start()
    job = plain_job(bench)
    bench.sinks["c"].pause = True  # keep it busy
    await bench.begin(job)
    names = ["M", "N", "K", "MODE", "ZERO_POINT"]
    if bench.config.output.mode != "raw" and bench.config.output.scale == "tensor":
        names += ["MULTIPLIER", "SHIFT"]
    before = {name: await bench.read(Register[name]) for name in names}
    for name in names:
        await bench.write(Register[name], 1, Response.SLVERR)
    await bench.write(tables(bench.config.limits.n)["bias"], 1, Response.SLVERR)
    for name in names:
        assert await bench.read(Register[name]) == before[name], name
    await bench.registers.write(Register.CONTROL, bytes([Control.START, 0, 0, 0]))
    assert await bench.read(Register.ERROR) == Error.START_WHILE_BUSY
    assert await bench.read(Register.STATUS) & Status.BUSY
    await bench.write(Register.ERROR, Error.START_WHILE_BUSY)
    bench.sinks["c"].pause = False
    await bench.finish(job)
    await bench.run(plain_job(bench, 17))
    bench.report("while_busy")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def counters(dut):
    """Counters count, stop with the job, and are cleared."""
    bench = await Bench(dut).start()
    job = plain_job(bench)
    bench.sinks["c"].pause = True
    await bench.begin(job)
    await ClockCycles(dut.clk, 200)
    bench.sinks["c"].pause = False
    await bench.finish(job)
    m, n, k = job.shape
    g = bench.config.geometry
    first = await bench.read(Register.CYCLES)
    assert first >= 200
    assert await bench.read(Register.STALL_C) >= 100
    tiles = -(-m // g.m) * -(-n // g.n) if g.stationary.value == "output" else (
        -(-k // g.k) * -(-n // g.n)
    )  # fmt: skip
    assert await bench.read(Register.TILES) == tiles * job.groups
    await ClockCycles(dut.clk, 50)
    assert await bench.read(Register.CYCLES) == first, "counts on after the job"
    await bench.write(Register.CONTROL, Control.CLEAR_COUNTERS)
    for name in ("CYCLES", "STALL_A", "STALL_B", "STALL_C0", "STALL_C", "TILES"):
        assert await bench.read(Register[name]) == 0, name
    bench.report("counters")
