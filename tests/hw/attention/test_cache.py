"""Packed caches of K and V: golden model, dequantiser, and the engine with them."""

import dataclasses
import re

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.attention.dequantise import Dequantise
from matweave.hw.errors import ConfigError
from matweave.hw.formats import Format
from matweave.sim import kinds, ports, pysim
from matweave.sim.driver import Pause
from matweave.sim.golden.attention import kivi
from matweave.sim.perf import attention as perf

INT4 = ("cache.k='int4'", "cache.v='int4'", "cache.k_group=4", "cache.v_group=2")
ENGINES = {
    "int4": INT4,
    "int2": ("cache.k='int2'", "cache.v='int2'", "cache.k_group=8", "cache.v_group=4"),
    "k_alone": ("cache.k='int2'", "cache.k_group=2", "array.block=2", "masks.keys=false"),
    "v_alone": ("cache.v='int2'", "cache.v_group=1", "v='uint8'"),
    "odd": ("array.dimension=3", "output.lanes=1", "output.partial=false", "cache.k='int4'",
            "cache.v='int2'", "cache.k_group=16", "cache.v_group=3", "k='int6'", "v='uint4'"),
}  # fmt: skip


def load(*overrides):
    return config.load("tiny_attention", overrides)


def jobs(settings, seed, count, largest=14):
    case = kinds.of(settings).case
    return [case(settings, seed, index, largest).job for index in range(count)]


@pytest.mark.parametrize("bits", [2, 4])
def test_codes_are_the_nearest_and_their_error_is_half_a_step(bits):
    rng = np.random.default_rng(bits)
    x = rng.integers(-128, 128, (2, 37, 6))
    x[:, 8:16] = rng.integers(-3, 4, (2, 8, 6))
    x[0, 16:24, 2] = 77  # no range
    codes, groups = kivi.quantised(x, bits=bits, group=8, axis=1)
    assert groups.step.shape == (2, 5, 6) and groups.step[0, 2, 2] == 0
    assert groups.step.max() <= kivi.STEP_MAX and codes.max() == (1 << bits) - 1
    found = kivi.dequantised(codes, groups, bits=bits, group=8, axis=1, format=Format(8))
    assert (found[0, 16:24, 2] == 77).all() and not codes[0, 16:24, 2].any()
    step = np.repeat(groups.step, 8, axis=1)[:, :37] / 2 ** (bits - 1)
    assert (abs(found - x) <= step / 2 + 0.5).all()
    for other in (codes - 1, codes + 1):
        legal = (other >= 0) & (other < 1 << bits)
        near = kivi.dequantised(other, groups, bits=bits, group=8, axis=1, format=Format(9))
        assert (abs(near - x) >= abs(found - x) - 1)[legal].all()


@pytest.mark.parametrize(
    ("bits", "format"), [(2, Format(8)), (4, Format(8, False)), (4, Format(5))]
)
def test_the_dequantiser_is_the_golden_model_s(bits, format):
    rng = np.random.default_rng(bits)
    count = 1500
    codes = rng.integers(0, 1 << bits, count)
    least = rng.choice([format.min, format.max, 0, 3], count)
    groups = kivi.Groups(least, rng.choice([0, 1, 2, 77, 136, 255], count))
    wanted = kivi.dequantised(codes, groups, bits=bits, group=1, axis=0, format=format)
    garbage = rng.integers(0, 256, count) >> format.width << format.width
    low = (least & ((1 << format.width) - 1)) | garbage
    words = low | groups.step << 8
    found = ports.simulated(Dequantise(bits=bits, format=format), {"code": codes, "group": words})
    mask = (1 << format.width) - 1
    assert [x & mask for x in found["o"]] == (wanted & mask).tolist()


@pytest.mark.parametrize("name", ENGINES)
def test_jobs_are_the_golden_model_s_in_as_many_cycles_as_predicted(name, seed):
    """Sizes that groups do not divide, windows that begin within one."""
    settings = load(*ENGINES[name])
    work = jobs(settings, seed, 6)
    for job, result in zip(work, pysim.jobs(settings, work), strict=True):
        assert np.array_equal(result.c, job.expected(settings))
        assert result.cycles == perf.predict_job(settings, job)


@pytest.mark.parametrize("name", ["int4", "int2"])
def test_pauses_change_nothing(name, seed):
    settings = load(*ENGINES[name])
    work = jobs(settings, seed + 1, 5)
    pauses = {name: Pause(0.4, 4) for name in "qkvgo"}
    fill = np.random.default_rng(seed)
    results = pysim.jobs(settings, work, pauses=pauses, fill=fill, seed=seed)
    for job, result in zip(work, results, strict=True):
        assert np.array_equal(result.c, job.expected(settings))


def test_a_reset_leaves_nothing_behind(seed):
    settings = load(*ENGINES["int2"])
    first, second = jobs(settings, seed + 2, 4)[2:]

    async def script(driver):
        for cycles in (1, 2, 3, 4, 11):
            await driver.start(first)
            await driver.idle(cycles)
            await driver.soft_reset()
            result = await driver.job(second)
            assert np.array_equal(result.c, second.expected(settings))

    pysim.simulate(settings, script)


def test_packed_beats_have_the_bytes_of_their_codes_and_groups():
    settings = load(*INT4, "masks.keys=false")
    shape = settings.shape
    assert shape.k_width == 2 * 4 * 4 and shape.g_width == 4 * 16
    assert shape.v_width == 2 * 4 * 4 + 2 * 2 * 16
    job = next(job for job in jobs(settings, 3, 20) if job.shape[3] > 4 and not job.causal)
    heads, group, queries, keys = job.shape
    beats, groups = -(-keys // 2), -(-keys // 4)
    packed = job.pack(settings)
    assert len(packed["k"]) == heads * group * queries * beats
    assert len(packed["g"]) == heads * group * queries * groups
    assert {name: job.beats(settings)[name] for name in packed} == {
        name: len(each) for name, each in packed.items()
    }


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("cache.k='int3'",), "cache.k: 'int3' is not a packing"),
        (("cache.k='int4'", "cache.k_group=6"), "cache.k_group: 6 is no group of 2 lanes"),
        (("cache.v='int4'", "cache.v_group=3"), "cache.v_group: 3 does not divide"),
        (("cache.v='int4'", "cache.v_group=2", "v='int9'"), "cache.v: int4 is dequantised to at"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        load(*overrides)


def test_jobs_without_groups_or_with_surplus_ones_are_refused():
    settings = load(*INT4)
    job = jobs(settings, 1, 1)[0]
    with pytest.raises(ValueError, match="k is packed in this engine, and comes without groups"):
        dataclasses.replace(job, k_groups=None).checked(settings)
    with pytest.raises(ValueError, match="v is not packed in this engine, and comes with groups"):
        dataclasses.replace(job, k_groups=None).checked(load())
