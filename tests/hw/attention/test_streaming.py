"""The streaming engine in Amaranth's simulator: golden model, cycles, pauses, resets, storage."""

import re

import numpy as np
import pytest
from amaranth.back import rtlil

from matweave.hw import config
from matweave.hw.engine import build
from matweave.hw.errors import ConfigError
from matweave.sim import kinds, pysim
from matweave.sim.driver import Pause
from matweave.sim.perf import attention as perf
from matweave.sim.registers import AttentionRegister, Control, Error, Status


def load(*overrides):
    return config.load("tiny_attention", overrides)


def jobs(settings, seed, count, largest=12):
    case = kinds.of(settings).case
    return [case(settings, seed, index, largest).job for index in range(count)]


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("array.block=2", "masks.keys=false", "output.format='int8'", "output.lanes=4",
         "output.partial=false"),
        ("array.dimension=3", "output.lanes=1", "output.partial=false", "q='uint3'", "k='int5'",
         "v='uint4'", "softmax.dither=false", "softmax.fraction=2", "softmax.exponential=8",
         "softmax.reciprocal=9", "output.rounding='half_even'"),
    ],
)  # fmt: skip
def test_jobs_are_the_golden_model_s_in_as_many_cycles_as_predicted(overrides, seed):
    settings = load(*overrides)
    work = jobs(settings, seed, 7)
    for job, result in zip(work, pysim.jobs(settings, work), strict=True):
        assert np.array_equal(result.c, job.expected(settings))
        assert result.cycles == perf.predict_job(settings, job)
        assert not any(result.counters[f"stall_{name}"] for name in ("v", "o"))


def test_pauses_change_nothing(seed):
    settings = load()
    work = jobs(settings, seed + 1, 5)
    pauses = {name: Pause(0.4, 4) for name in "qkvo"}
    fill = np.random.default_rng(seed)
    results = pysim.jobs(settings, work, pauses=pauses, fill=fill, seed=seed)
    for job, result in zip(work, results, strict=True):
        assert np.array_equal(result.c, job.expected(settings))


@pytest.mark.parametrize("how", ["soft_reset", "hard_reset"])
def test_a_reset_at_any_time_leaves_nothing_behind(how, seed):
    settings = load()
    first, second = jobs(settings, seed + 2, 6)[4:]

    async def script(driver):
        for cycles in (1, 3, 9, 14, 22, 31, 47):
            await driver.start(first)
            await driver.idle(cycles)
            await getattr(driver, how)()
            assert not await driver.read(AttentionRegister.STATUS) & Status.BUSY
            result = await driver.job(second)
            assert np.array_equal(result.c, second.expected(settings))

    pysim.simulate(settings, script)


def test_the_limit_is_taken_and_one_more_is_refused():
    settings = load("limits.keys=6", "limits.queries=2")
    rng = np.random.default_rng(1)
    job = next(job for job in jobs(settings, 3, 40, None) if job.shape[3] == 6)

    async def script(driver):
        assert np.array_equal((await driver.job(job)).c, job.expected(settings))
        await driver.program(job, start=False)
        for name, limit in (("KEYS", 6), ("QUERIES", 2)):
            await driver.write(AttentionRegister[name], limit + 1)
            await driver.write(AttentionRegister.CONTROL, Control.START)
            assert await driver.read(AttentionRegister.ERROR) == Error.ILLEGAL_SIZE
            assert not await driver.read(AttentionRegister.STATUS) & Status.BUSY
            await driver.write(AttentionRegister.ERROR, Error.ILLEGAL_SIZE)
            await driver.write(AttentionRegister[name], rng.integers(1, limit + 1))

    pysim.simulate(settings, script)


def storage(settings) -> int:
    """Bits in registers and memories of the elaborated engine, every instance counted."""
    text = rtlil.convert(build(settings), name="top", emit_src=False)
    registers = memories = 0
    for cell in re.findall(r"cell \$dff .*?\n    end", text, re.DOTALL):
        registers += int(re.search(r"parameter \\WIDTH (\d+)", cell)[1])
    for width, size in re.findall(r"memory width (\d+) size (\d+)", text):
        memories += int(width) * int(size)
    assert registers > 500 and memories > 100
    return registers + memories


def test_storage_does_not_grow_with_the_number_of_keys():
    """64 times as many keys: the six bits more that each sum and counter of keys may need."""
    few, many = (load(f"limits.keys={keys}", "masks.keys=false") for keys in (64, 4096))
    sums = few.array.dimension + 1
    assert many.shape.sum.width - few.shape.sum.width == 6
    # Each sum and total while it grows, in the queue of states, and as its elements leave; the
    # divider's stages; and where the walk and the registers count keys.
    growth = storage(many) - storage(few)
    copies = 1 + many.shape.states + 1
    assert 6 * copies * many.array.dimension <= growth <= 6 * (copies * sums + 40)
    # A query needs more storage for more elements, and for larger blocks.
    assert storage(load("array.dimension=8", "output.lanes=4")) > storage(load()) + growth
    assert storage(load("array.block=32")) > storage(load())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("array.lanes=3", "array.lanes: 3 is not a number of lanes; allowed are 2, 4, 8"),
        ("array.block=6", "array.block: 6 is no block of 2 lanes; allowed are 2, 4, 8, 16, 32"),
        ("output.lanes=3", "output.lanes: 3 does not divide array.dimension, which is 4"),
        ("output.rounding='tflite_double'", "output.rounding: tflite_double is two roundings"),
        ("softmax.reciprocal=10", "softmax.reciprocal: 10 is not a number of bits"),
        ("array.dimension=300", "array.dimension: 300 is out of range; allowed are 2 to 256"),
        ("pe.kind='mac'", "pe: unknown key; allowed are"),
        ("output.lanes=1", "output.lanes: 1 is too few for the total and the maximum of a state"),
    ],
)
def test_what_does_not_fit_is_refused(override, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(override)


def test_an_engine_too_wide_for_its_streams_is_refused():
    with pytest.raises(ConfigError, match="bits in one stream are needed"):
        load("array.dimension=256", "array.lanes=64", "array.block=64")
