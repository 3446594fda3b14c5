"""The registers of a decoder: which starts are refused, and what the cache survives."""

import dataclasses

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from ..registers import Control, EncoderRegister, Error
from .bench import Bench
from .registers import refused

LIMIT = 20_000_000


def prompt(bench: Bench):
    """A job at position 0 of as many tokens as leave room for others."""
    job = bench.case(bench.plan.seed + 11, 4).job
    most = min(len(job.x), bench.config.model.context - 3)
    return dataclasses.replace(job, x=job.x[:most])


def following(job, tokens: int, back: int = 0):
    """``tokens`` more, behind all of ``job`` but the last ``back``."""
    past = job.sequence[: len(job.sequence) - back]
    x = np.resize(-1 - job.x[::-1], (tokens, job.x.shape[1]))
    return dataclasses.replace(job, x=x, past=past, load=False)


async def cached(bench: Bench) -> int:
    return await bench.read(EncoderRegister.CACHED)


async def start(bench: Bench, **registers: int) -> None:
    for name, value in registers.items():
        await bench.write(EncoderRegister[name], value)
    await bench.write(EncoderRegister.CONTROL, Control.START)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def contexts(dut):
    """A start beyond the context, or beyond what is cached, does nothing but raise the error."""
    bench = await Bench(dut).start()
    context = bench.config.model.context
    assert await bench.read(EncoderRegister.CONTEXT) == context
    assert await cached(bench) == 0
    job = prompt(bench)
    await start(bench, TOKENS=1, POSITION=1, MODE=1)  # of a model that is loaded nothing is cached
    await refused(bench, Error.NO_CONTEXT)
    await start(bench, TOKENS=1, POSITION=context, MODE=0)
    await refused(bench, Error.ILLEGAL_SIZE | Error.NO_MODEL | Error.NO_CONTEXT)
    await bench.run(job)
    there = len(job.x)
    assert await cached(bench) == there
    await start(bench, TOKENS=1, POSITION=there + 1, MODE=0)
    await refused(bench, Error.NO_CONTEXT)
    for position in (context, (1 << 32) - 1):
        await start(bench, TOKENS=1, POSITION=position)
        await refused(bench, Error.ILLEGAL_SIZE | Error.NO_CONTEXT)
    await start(bench, TOKENS=0, POSITION=there)
    await refused(bench, Error.ILLEGAL_SIZE)
    await bench.run(following(job, 1))
    assert await cached(bench) == there + 1
    bench.report("contexts")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def caches(dut):
    """What is cached before a job stays whatever becomes of that; what is behind it does not."""
    bench = await Bench(dut).start()
    job = prompt(bench)
    await bench.run(job)
    there = len(job.x)
    more = following(job, 2)
    await bench.begin(more)
    await ClockCycles(dut.clk, 200)
    assert await cached(bench) == there
    await bench.soft_reset()
    assert await cached(bench) == there
    await bench.run(more)
    assert await cached(bench) == there + 2
    # Taken up again one token earlier, and then from the first on.
    await bench.run(following(more, 1, back=1))
    assert await cached(bench) == there + 2
    again = dataclasses.replace(job, x=-1 - job.x, load=False)
    await bench.run(again)
    await bench.run(following(again, 1))
    assert await cached(bench) == there + 1
    await bench.begin(job)  # with its model
    await ClockCycles(dut.clk, 30)
    await bench.soft_reset()
    assert await cached(bench) == 0
    await bench.run(job)
    await bench.hard_reset()
    assert await cached(bench) == 0
    bench.report("caches")
