"""Whole engines in Amaranth's simulator: every kind of array against the golden model, under
pauses, back to back, and after a reset in any cycle of a job."""

import dataclasses
import itertools

import numpy as np
import pytest

from matweave.hw import catalog, config
from matweave.hw.formats import Overflow, Rounding
from matweave.hw.geometry import Stationary
from matweave.sim import driver as native_driver
from matweave.sim import native, pysim
from matweave.sim.cases import VALUES, case, cases, values
from matweave.sim.driver import Pause
from matweave.sim.golden import gemm
from matweave.sim.golden.operands import same
from matweave.sim.jobs import Job
from matweave.sim.registers import Control, Register, Status

TINY = (
    "tiny_os", "tiny_matrix", "tiny_cube", "tiny_ws", "tiny_tree", "tiny_opt4c", "tiny_opt3",
    "tiny_lut", "tiny_lut_serial", "tiny_lut_fp16",
)  # fmt: skip
STREAMS = ("a", "b", "c0", "c")
LARGEST = 8


def changed(preset: str, **tables) -> config.GemmConfig:
    """A preset with some keys of some tables changed."""
    content = config.load(preset).model_dump(mode="json")
    for table, keys in tables.items():
        content[table] = {**content[table], **keys} if isinstance(keys, dict) else keys
    return config.from_tables(content)


def check(engine, work, **how):
    """Run jobs; compare with golden; their results."""
    work = list(work)
    golden = gemm.for_config(engine)
    results = pysim.jobs(engine, work, **how)
    for job, result in zip(work, results, strict=True):
        assert same(result.c, golden(**job.arguments()))
    return results


def drawn(engine, seed, count):
    return [case.job for case in cases(engine, seed, count, LARGEST)]


def full_job(engine, rng, m=3, n=4, k=5, kind="random") -> Job:
    """One job that uses every part: C0, bias, requantisation where there is one, ReLU off."""
    result = engine.result_format
    if engine.floats:
        given = {
            name: values(format, kind, size, rng)
            for name, format, size in (
                ("a", engine.a, (m, k)), ("b", engine.b, (k, n)), ("c0", result, (m, n)),
                ("bias", engine.bias_format, (n,)),
            )
        }  # fmt: skip
        return Job(**given).checked(engine)
    return Job(
        a=values(engine.a, kind, (m, k), rng),
        b=values(engine.b, kind, (k, n), rng),
        c0=rng.integers(-20000, 20000, (m, n)).clip(result.min, result.max),
        bias=rng.integers(-20000, 20000, n),
        multiplier=rng.integers(1 << 30, 1 << 31, n),
        shift=rng.integers(36, 40, n),
        zero_point=int(rng.integers(-20, 20)),
        requantize=True,
    ).checked(engine)


@pytest.mark.parametrize("preset", TINY)
def test_jobs(preset, seed):
    """Corner classes of sizes and of values, one after another, streams never stalling."""
    engine = config.load(preset)
    for job, result in zip(work := drawn(engine, seed, 9), check(engine, work), strict=True):
        m, n, k = job.shape
        g = engine.geometry
        panels, blocks = -(-n // g.n), -(-k // g.k)
        rows = blocks if g.stationary is Stationary.WEIGHT else -(-m // g.m)
        assert result.counters["tiles"] == panels * rows * job.groups
        assert result.counters["stall_c"] == 0
        assert result.counters["cycles"] >= result.cycles


@pytest.mark.parametrize("preset", TINY)
def test_values(preset, seed):
    """Every pair of corner classes of A and B, at least once each, in one ragged shape."""
    engine = config.load(preset)
    rng = np.random.default_rng(seed)
    pairs = [(a, VALUES[(i + 3) % len(VALUES)]) for i, a in enumerate(VALUES)]
    pairs += [("lowest", "lowest"), ("lowest", "highest"), ("highest", "highest")]
    work = []
    for a, b in pairs:
        job = full_job(engine, rng)
        raw = {"requantize": False, "multiplier": None, "shift": None}
        m, n, k = job.shape
        operands = {"a": values(engine.a, a, (m, k), rng), "b": values(engine.b, b, (k, n), rng)}
        work.append(dataclasses.replace(job, **operands, **raw))
    check(engine, work)


PAUSES = {
    "light": dict.fromkeys(STREAMS, Pause(0.2, 3)),
    "hungry": {"a": Pause(0.7, 6), "b": Pause(0.5, 9), "c0": Pause(0.6, 5)},
    "blocked": {"c": Pause(0.9, 25), "c0": Pause(0.5, 2)},
}


@pytest.mark.parametrize("pauses", PAUSES)
@pytest.mark.parametrize("preset", TINY)
def test_pauses(preset, pauses, seed):
    """Any pattern of stalls; garbage in every bit that means nothing."""
    engine = config.load(preset)
    fill = np.random.default_rng(seed)
    check(engine, drawn(engine, seed + 1, 6), pauses=PAUSES[pauses], fill=fill, seed=seed)


def admitted():
    """Every PE in every array kind that takes it."""
    for preset, pe in itertools.product(TINY, sorted(catalog.pes())):
        try:
            changed(preset, pe={"kind": pe})
        except ValueError:
            continue
        if pe != config.load(preset).pe.kind:
            yield preset, pe


@pytest.mark.parametrize(("preset", "pe"), list(admitted()))
def test_other_processing_elements(preset, pe, seed):
    """The same jobs take the same cycles, whatever multiplies, but for registers behind recoders
    and final additions; one digit at a time, not quite."""
    usual, other = config.load(preset), changed(preset, pe={"kind": pe})
    work = drawn(usual, seed + 2, 4)
    if usual.array.kind == "digit_serial":
        check(other, work)
        return
    facts = catalog.pes()[pe]
    later = facts.edge_latency + facts.resolve_latency
    assert [result.cycles for result in check(other, work)] == [
        result.cycles + later for result in check(usual, work)
    ]


@pytest.mark.parametrize(
    ("preset", "overflow"),
    [
        (preset, mode.value)
        for preset, mode in itertools.product(TINY, Overflow)
        # Digit-serial PEs only wrap; lookup's sums are exact.
        if (preset[:8], mode) != ("tiny_opt", Overflow.SATURATE) and "lut" not in preset
    ],
)
def test_narrow_accumulators(preset, overflow, seed):
    """Sums beyond the accumulator wrap or saturate block by block, as the golden model does."""
    engine = changed(preset, accumulator={"width": 16, "overflow": overflow})
    rng = np.random.default_rng(seed)
    raw = {"requantize": False, "multiplier": None, "shift": None}
    kinds = ("extremes", "lowest", "alternating", "extremes")
    work = [dataclasses.replace(full_job(engine, rng, 3, 4, 9, kind), **raw) for kind in kinds]
    check(engine, work)


@pytest.mark.parametrize("rounding", [mode.value for mode in Rounding])
def test_roundings(rounding, seed):
    engine = changed("tiny_os", output={"rounding": rounding})
    check(engine, drawn(engine, seed + 3, 6))


@pytest.mark.parametrize(
    "changes",
    [
        {"output": {"mode": "raw"}},
        {"output": {"mode": "requantized", "format": "uint4"}},
        {"output": {"mode": "requantized", "format": "int16", "scale": "tensor"}},
        {"output": {"scale": "tensor"}},
        {"output": {"multiplier_stages": 2}},
        {"output": {"multiplier_stages": 2, "mode": "requantized", "rounding": "tflite_double"}},
        {"a": "uint2", "b": "int16"},
        {"a": "int13", "b": "uint3", "accumulator": {"width": 40}},
        {"limits": {"m": 1, "n": 1, "k": 1}},
        {"limits": {"m": 5, "n": 1, "k": 7}},
    ],
    ids=str,
)
@pytest.mark.parametrize("preset", ["tiny_cube", "tiny_ws"])
def test_other_engines(preset, changes, seed):
    """Output modes, formats with ignored lane bits, 64-bit results, limits of one."""
    engine = changed(preset, **changes)
    check(engine, drawn(engine, seed + 4, 5), fill=np.random.default_rng(seed))


@pytest.mark.parametrize("preset", TINY)
def test_streams_run_ahead(preset, seed):
    """The beats of the next job stand at the ports while this one runs: none is taken early."""
    engine = config.load(preset)
    work = [full_job(engine, np.random.default_rng([seed, n]), 2 + n, 4, 4) for n in range(3)]
    golden = gemm.for_config(engine)

    async def script(driver):
        sources = driver.sources
        for number, job in enumerate(work):
            await driver.program(job, start=False)
            later = [other.pack(engine) for other in work[number:]]
            driver.offer(job)
            for name, source in sources.items():
                source.load(np.concatenate([beats[name] for beats in later]), source.pauses)
            await driver.idle(4)
            assert not any(source.taken for source in sources.values()), "taken before the start"
            await driver.write(Register.CONTROL, Control.START)
            while len(driver.sink.beats) < driver.sink.expected:
                await driver.step()
            await driver.idle(8)
            for name, source in sources.items():
                assert source.taken == len(later[0][name])
                # What is offered stays offered: only the bookkeeping starts again.
                source.beats = source.beats[: source.taken]
            result = await driver.finish(job)
            assert same(result.c, golden(**job.arguments()))
            driver.withdraw()

    pysim.simulate(engine, script)


@pytest.mark.parametrize("preset", TINY)
def test_stall_counters(preset, seed):
    """STALL_C is what was seen at the port; the others count when their stream is late."""
    engine = config.load(preset)
    job = full_job(engine, np.random.default_rng(seed))

    async def script(driver):
        quiet = await driver.job(job)
        assert quiet.counters["stall_c"] == 0
        for late in STREAMS:
            result = await driver.job(job, pauses={late: Pause(0.8, 12)})
            counters = result.counters
            assert counters["stall_c"] == driver.sink.stalls
            assert counters[f"stall_{late}"] > quiet.counters[f"stall_{late}"], late
            assert counters["cycles"] > quiet.counters["cycles"]
            assert counters["tiles"] == quiet.counters["tiles"]

    pysim.simulate(engine, script)


# Reset in any cycle.


def reset_everywhere(preset, seed, hard, pauses):
    """A job, reset in cycle t, and another job that must be right: for every t of the job."""
    engine = config.load(preset)
    rng = np.random.default_rng(seed)
    first = full_job(engine, rng)
    # The same registers, other data: the registers survive a soft reset, tables any reset.
    second = dataclasses.replace(
        first,
        a=values(engine.a, "random", first.a.shape, rng),
        b=values(engine.b, "random", first.b.shape, rng),
        c0=-first.c0,
    )
    expected = gemm.for_config(engine)(**second.arguments())

    async def script(driver):
        await driver.program(first, start=False)
        *writes, _ = first.registers(engine)  # the last is the start
        scalars = [write for write in writes if write[0] < 0x100]
        for at in itertools.count():
            driver.offer(first, pauses=pauses)
            await driver.write(Register.CONTROL, Control.START)
            for _ in range(at):
                await driver.step()
            finished = len(driver.sink.beats) == driver.sink.expected
            if hard:
                await driver.hard_reset(1 + at % 2)
            else:
                await driver.soft_reset()
            # Nothing may come out, and none of these be taken.
            for source in driver.sources.values():
                size = len(source._data) // 8
                source.load(np.full((3, size), 0x77, np.uint8), source.pauses)
            await driver.idle(6)
            assert not any(source.taken for source in driver.sources.values()), at
            driver.withdraw()
            assert await driver.read(Register.STATUS) == 0
            if hard:
                for address, data in scalars:
                    await driver.write(address, data)
            driver.offer(second, pauses=pauses)
            await driver.write(Register.CONTROL, Control.START)
            result = await driver.finish(second)
            assert same(result.c, expected), f"reset {at} cycles after the start"
            assert await driver.read(Register.STATUS) == Status.DONE
            if finished:
                return at

    assert pysim.simulate(engine, script, seed=seed) > 15


@pytest.mark.parametrize("preset", TINY)
def test_soft_reset_in_every_cycle(preset, seed):
    reset_everywhere(preset, seed, False, None)


SLOW = ("tiny_lut_fp16",)
"""Whose registers and streams are those of another."""


@pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in TINY]
)
def test_reset_in_every_cycle(preset, seed):
    reset_everywhere(preset, seed, True, None)


# Shorter pauses: the cost is the square of the job's length.
SWEPT = {
    "all": dict.fromkeys(STREAMS, Pause(0.2, 2)),
    "operands": {"a": Pause(0.5, 3), "b": Pause(0.4, 3)},
    "results": {"c": Pause(0.6, 4), "c0": Pause(0.4, 2)},
}


@pytest.mark.slow
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("pauses", SWEPT)
@pytest.mark.parametrize("preset", TINY)
def test_reset_in_every_cycle_of_a_stalled_job(preset, pauses, hard, seed):
    reset_everywhere(preset, seed, hard, SWEPT[pauses])


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("preset", TINY)
def test_soft_reset_in_every_cycle_native(preset, seed):
    """The same on the compiled engine, for jobs of many tiles and five patterns of pauses each."""
    engine = config.load(preset)
    golden = gemm.for_config(engine)
    with native.Engine(engine, seed=seed) as running:
        for round in range(5):
            job = case(engine, seed + round, 8).job
            other = case(engine, seed + 100 + round, 4).job
            expected = golden(**other.arguments())
            pauses = dict.fromkeys(STREAMS, Pause(0.1 * round, 4, seed + round))
            writes = [native_driver.write(*pair) for pair in job.registers(engine)]
            n_beats = job.beats(engine)["c"]
            length = running.job(job, pauses=pauses).counters["cycles"] + 10
            for at in range(length):
                running.access(writes[:-1])
                reset = native_driver.flush(Register.CONTROL, Control.SOFT_RESET, at=at)
                running.run(
                    job.pack(engine), {"c": n_beats}, [writes[-1], reset], pauses=pauses, drain=5
                )
                result = running.job(other, pauses=pauses)
                assert same(result.c, expected), f"reset at {at}"


@pytest.mark.slow
@pytest.mark.parametrize("preset", TINY)
def test_many_jobs(preset, seed):
    engine = config.load(preset)
    pauses = dict.fromkeys(STREAMS, Pause(0.2, 3))
    check(engine, [c.job for c in cases(engine, seed + 5, 60)], pauses=pauses, seed=seed)
