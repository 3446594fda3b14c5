"""Steps that are jobs: whole ones, such as are reset, meddled with, held back or cut short."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.config import GemmConfig

from ..cases import case, values
from ..driver import Pause, flush, read, write
from ..harness import Setting
from ..jobs import Job
from ..native import stream_bytes
from ..registers import READ_WRITE, Control, Register, tables
from ..streams import stream_name
from .steps import WATCHDOG, Step, access, all_registers, job_step, random_pauses, state, sums

N_JOBS, N_RESETS = 70, 60
CUT = 8
"""Cycles that a register write takes, with its response."""
LONG = 1 << 14
"""Longest pause, for the counters' bits."""


def corners(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Corner cases and random ones, never stalling and with every pattern of pauses."""
    rng = np.random.default_rng([seed, 1])
    for index in range(N_JOBS):
        job = case(config, seed, index).job
        pauses = random_pauses(rng) if index % 3 else None
        yield job_step(config, job, fill=rng, pauses=pauses,
                   setting=Setting(delays=index % 4 == 3))  # fmt: skip
        yield access(*all_registers())
    m, n, k = config.limits.m, config.limits.n, config.limits.k
    for kinds in (("lowest", "lowest"), ("highest", "lowest"), ("random", "random")):
        a, b = (values(format, kind, size, rng) for format, kind, size in
                zip((config.a, config.b), kinds, ((m, k), (k, n)), strict=True))  # fmt: skip
        scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
        raw = config.output.mode != "requantized"
        yield job_step(config, Job(a=a, b=b, **({} if raw else scale)), fill=rng)
        yield access(*all_registers())


def offered(config: GemmConfig, seed: int) -> Step:
    """Between jobs nothing is taken, whatever is offered."""
    beats = case(config, seed, 8).job.pack(config, np.random.default_rng([seed, 11]))
    return Step(inputs=beats, options={"drain": 40})


def resets(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A job left at a random cycle, a reset, and a whole job after it."""
    rng = np.random.default_rng([seed, 2])
    for index in range(N_RESETS):
        job = case(config, seed + 1, index).job
        length = 12 * len(job.registers(config)) // 4 + sum(job.beats(config).values())
        stop = int(rng.integers(length // 2, length + 20))
        pauses = random_pauses(rng) if index % 2 else None
        yield from _left(config, job, stop, rng, hard=index % 3 == 0, pauses=pauses)
        yield access(*all_registers())
        yield job_step(config, case(config, seed + 2, index).job, fill=rng)
        yield access(*all_registers())


def last_panels(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A reset wherever the columns of a wide job are, and a job that must begin at the first."""
    rng = np.random.default_rng([seed, 17])
    job = sums(config, 1, config.limits.n, 1, rng)
    start = 3 * len(job.registers(config))
    fills, shows = _tables(config, seed)
    yield fills
    for stop in range(start, start + sum(job.beats(config).values()) + 40, 2):
        yield from _left(config, job, stop, rng, hard=stop % 4 == 0)
        yield shows


def _left(config, job: Job, stop: int, rng, *, hard: bool, pauses=None) -> Iterator[Step]:
    """``job``, left by a hard or a soft reset at cycle ``stop``."""
    if hard:
        yield job_step(config, job, fill=rng, pauses=pauses, hard_reset=(stop, 3))
    else:
        yield _aborted(job_step(config, job, fill=rng, pauses=pauses), stop)


def _aborted(step: Step, cycle: int) -> Step:
    """``step`` with a soft reset, not before ``cycle``."""
    reset = flush(Register.CONTROL, Control.SOFT_RESET, at=cycle)
    return dataclasses.replace(step, operations=(*step.operations, reset), job=None)


def cut(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A reset in every cycle of a write to a channel table, and a job that shows the tables."""
    fills, shows = _tables(config, seed)
    base = tables(config.limits.n)
    yield fills
    for name, data in (("bias", 0x1234), ("multiplier", 5), ("shift", 3)):
        for cycle in range(CUT):
            options = {"hard_reset": (cycle, 1), "watchdog": WATCHDOG, "drain": 4}
            yield Step(operations=(write(base[name], data),), options=options)
            yield shows
            yield fills


def beyond(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Writes that no channel table may take, each followed by a job that shows the tables."""
    fills, shows = _tables(config, seed)
    base, count = tables(config.limits.n), config.limits.n
    window = next(iter(base.values()))  # the registers' is as large as a table's
    refused = [(offset, 15) for offset in range(4 * count, window, 4)]
    refused += [(0, strobe) for strobe in range(15)]
    yield fills
    for address in base.values():
        for offset, strobe in refused:
            yield access(write(address + offset, 7), setting=Setting(strobe))
        yield shows


def _tables(config: GemmConfig, seed: int) -> tuple[Step, Step]:
    """A job that fills the channel tables, and one that shows what is in them."""
    rng = np.random.default_rng([seed, 8])
    g, limits = config.geometry, config.limits
    size = min(2 * g.m, limits.m), limits.n
    if config.floats:
        bias = values(config.bias_format, "random", (size[1],), rng)
    else:
        bias = rng.integers(-(1 << 20), 1 << 20, size[1])
    scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
    scale = {} if config.output.mode == "raw" else scale
    fills = job_step(config, sums(config, *size, 1, rng, bias=bias, **scale), fill=rng)
    first = min(tables(limits.n).values())
    shows = tuple(op for op in fills.operations if op.address < first)
    return fills, dataclasses.replace(fills, operations=shows, job=None)


def busy(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Everything that is refused while a job runs, and counters cleared in its middle."""
    rng = np.random.default_rng([seed, 3])
    job = next(
        case(config, seed, index).job
        for index in range(N_JOBS)
        if case(config, seed, index).job.shape >= (config.geometry.m + 1, 1, 1)
    )
    base = tables(config.limits.n)
    names = [Register[name] for name in READ_WRITE]
    for data in (1, 2, 0xFFFF_FFFF):
        step = job_step(config, job, fill=rng, start_last=False)
        start = step.operations
        meddling = [write(address, data) for address in (*names, *base.values())]
        meddling += [write(Register.CONTROL, Control.START), *state(), write(Register.ERROR, 15)]
        meddling += [write(Register.CONTROL, Control.CLEAR_COUNTERS), *all_registers()]
        hold = {"c": Pause(0.2, 200, seed=data & 7)}
        yield Step(step.inputs, step.outputs, (*start, *meddling),
                   {"pauses": hold, "watchdog": WATCHDOG, "drain": 4})  # fmt: skip
        yield access(*all_registers())


def watched(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Counters read all the time while results are held back and everything fills up."""
    rng = np.random.default_rng([seed, 6])
    limits = config.limits
    watch = [read(Register[name]) for name in ("TILES", "STATUS", "CYCLES", "STALL_C", "TILES")]
    for index in range(18):
        m, n = (limits.m, limits.n) if index % 2 else rng.integers(1, (limits.m, limits.n)) + 1
        k = (1, 2, limits.k)[index // 2 % 3]
        step = job_step(config, sums(config, int(m), int(n), k, rng), fill=rng)
        hold = {"c": Pause(0.05, (30, 200, 1500)[index // 6], seed=index + 1)}
        options = {"pauses": hold, "watchdog": WATCHDOG, "drain": 4}
        yield Step(step.inputs, step.outputs, (*step.operations, *watch * 60), options)
        yield access(*all_registers())


def full(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Results held back until nothing more can be computed, wherever in the job that is."""
    rng = np.random.default_rng([seed, 9])
    limits = config.limits
    for m in range(1, limits.m + 1):
        for k in (limits.k, config.geometry.k + 1):
            step = job_step(config, sums(config, m, limits.n, min(k, limits.k), rng), fill=rng,
                        pauses={"c": Pause(0.03, 700, seed=m)})  # fmt: skip
            yield step
            yield access(*all_registers())


def held(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A reset while results are held back, wherever in the job that is, and a job that fills every
    queue: nothing of the first one may be left in any counter."""
    rng = np.random.default_rng([seed, 13])
    g, limits = config.geometry, config.limits
    never = {"c": Pause(1.0, 1, seed=1)}
    for index in range(40):
        k = (1, min(g.k + 1, limits.k), limits.k)[index % 3]
        job = sums(config, limits.m, limits.n, k, rng)
        start = 3 * len(job.registers(config))
        stop = start + index * (4, 4, 8)[index % 3]
        yield from _left(config, job, stop, rng, hard=index % 2 == 1, pauses=never)
        pauses = {"c": Pause(0.03, 400, seed=index + 1)}
        job = sums(config, limits.m, limits.n, min(g.k + 1, limits.k), rng)
        step = job_step(config, job, fill=rng, pauses=pauses)
        yield Step(step.inputs, step.outputs, (*step.operations, *[read(Register.TILES)] * 200),
                   {"pauses": pauses, "watchdog": WATCHDOG, "drain": 4})  # fmt: skip


def surplus(config: GemmConfig, seed: int) -> Iterator[Step]:
    """More beats than belong to the job, offered on every stream until it ends; also on C0's to
    jobs that do not add it."""
    rng = np.random.default_rng([seed, 14])
    result = config.result_format
    for index in range(12):
        m, n, k = (int(rng.integers(1, limit + 1)) for limit in (
            config.limits.m, config.limits.n, config.limits.k))  # fmt: skip
        c0 = values(result, "random", (m, n), rng) if index % 2 else None
        pauses = {("a", "b", "c")[index % 3]: Pause(0.3, 100, seed=index + 1)}
        step = job_step(config, sums(config, m, n, k, rng, c0=c0), fill=rng, pauses=pauses)
        inputs = {}
        for port, size in stream_bytes(config)[0].items():
            name, beats = stream_name(port), rng.bytes(200 * size)
            more = np.frombuffer(beats, np.uint8).reshape(200, size)
            inputs[name] = np.concatenate([step.inputs.get(name, more[:0]), more])
        yield dataclasses.replace(step, inputs=inputs)
        yield access(*all_registers())


def long(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Pauses long enough to move the counters' middle bits, on one stream at a time."""
    rng = np.random.default_rng([seed, 4])
    result = config.result_format
    for name in ("a", "b", "c0", "c"):
        g = config.geometry
        a = values(config.a, "random", (min(g.m + 1, config.limits.m), config.limits.k), rng)
        b = values(config.b, "random", (config.limits.k, min(g.n + 1, config.limits.n)), rng)
        c0 = values(result, "random", (len(a), b.shape[1]), rng)
        scale = {}
        if config.output.mode == "requantized":
            scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
        pauses = {name: Pause(0.1, LONG, seed=5)}
        step = job_step(config, Job(a=a, b=b, c0=c0, **scale), fill=rng, pauses=pauses)
        yield dataclasses.replace(step, options=step.options | {"watchdog": 2 * LONG})
        yield access(*all_registers())
