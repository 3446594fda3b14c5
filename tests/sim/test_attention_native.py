"""Attention engines compiled: many jobs, long rows, and how busy their multipliers are."""

import dataclasses

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.sim import kinds
from matweave.sim.attention.jobs import AttentionJob
from matweave.sim.driver import Pause
from matweave.sim.golden.attention import streaming
from matweave.sim.native import Engine, EngineError
from matweave.sim.perf import attention as perf

compiled = pytest.mark.requires_tool("verilator", "g++", "make", "perl")


@pytest.fixture(scope="module")
def tiny():
    config = configuration.load("tiny_attention", ["limits.keys=4096", "limits.queries=64"])
    with Engine(config) as engine:
        yield engine


@compiled
def test_many_jobs_with_and_without_pauses(tiny, seed):
    config, case = tiny.config, kinds.of(tiny.config).case
    rng = np.random.default_rng(seed)
    for index in range(150):
        job = case(config, seed, index, 60).job
        pauses = {name: Pause(0.3, 3, seed=index + 1) for name in "qkvo"} if index % 2 else None
        result = tiny.job(job, pauses=pauses, fill=rng if index % 3 else None)
        assert np.array_equal(result.c, job.expected(config)), index
        if pauses is None:
            assert result.cycles == perf.predict_job(config, job), index


@compiled
def test_many_jobs_with_packed_caches(seed):
    packed = ["cache.k='int2'", "cache.v='int4'", "cache.k_group=8", "cache.v_group=2"]
    config = configuration.load("tiny_attention", ["limits.keys=4096", *packed])
    case, rng = kinds.of(config).case, np.random.default_rng(seed)
    with Engine(config) as engine:
        for index in range(100):
            job = case(config, seed, index, 60).job
            pauses = (
                {name: Pause(0.3, 3, seed=index + 1) for name in "qkvgo"} if index % 2 else None
            )
            result = engine.job(job, pauses=pauses, fill=rng if index % 3 else None)
            assert np.array_equal(result.c, job.expected(config)), index
            if pauses is None:
                assert result.cycles == perf.predict_job(config, job), index


@compiled
@pytest.mark.parametrize("keys", [64, 4096])
def test_rows_of_any_length_with_the_same_engine(tiny, keys):
    """The total at its bound: every key is the highest, and every value the lowest."""
    config, d = tiny.config, tiny.config.array.dimension
    job = AttentionJob(
        q=np.full((1, 2, d), 127),
        k=np.full((1, keys, d), 127),
        v=np.full((1, keys, d), -128),
        logit=streaming.Scale(1, 0),
        scale=streaming.Scale(1 << 14, 14),
    )
    result = tiny.job(job)
    assert np.array_equal(result.c, job.expected(config))
    assert (result.c == -128).all()
    assert result.cycles == perf.predict_job(config, job)


@compiled
def test_a_job_that_was_refused_takes_nothing(tiny):
    job = kinds.of(tiny.config).case(tiny.config, 1, 4).job
    with pytest.raises(ValueError, match="keys is 5000; this engine takes 1 to 4096"):
        long = np.zeros((1, 5000, 4), int)
        dataclasses.replace(job, q=long[:, :1], k=long, v=long, masked=None).checked(tiny.config)
    with pytest.raises(EngineError, match="no handshake"):
        # A source that withholds V: K waits with it, and nothing is lost.
        tiny.run(
            {name: beats for name, beats in job.pack(tiny.config).items() if name != "v"},
            {"o": job.beats(tiny.config)["o"]},
            watchdog=2000,
        )
    tiny.hard_reset()
    assert np.array_equal(tiny.job(job).c, job.expected(tiny.config))


def utilisation(preset: str, keys: int, queries: int, causal: bool = False) -> float:
    """Of all multipliers, by the prediction that equals the RTL's cycles."""
    config = configuration.load(preset)
    d = config.array.dimension
    zeros = np.zeros((1, keys, d), int)
    scale = streaming.Scale(1, 0)
    job = AttentionJob(
        q=np.zeros((1, queries, d), int), k=zeros, v=zeros, logit=scale, scale=scale, causal=causal
    )
    return job.utilisation(config, perf.predict_job(config, job))


@pytest.mark.parametrize("preset", ["attention_16x4", "attention_64x16"])
def test_multipliers_are_busy(preset):
    assert utilisation(preset, 1024, 64) >= 0.98
    assert utilisation(preset, 256, 256) >= 0.95


@pytest.mark.parametrize("preset", ["attention_16x4", "attention_64x16"])
@pytest.mark.parametrize("keys", [512, 1024])
def test_causal_masks_skip_what_they_mask(preset, keys):
    block = configuration.load(preset).array.block
    assert utilisation(preset, keys, keys, causal=True) >= 0.98 * (keys + 1) / (keys + block)


def test_short_rows_are_not_held_up():
    """15 tokens of a tagger: four beats of four keys, and a result of four beats."""
    assert utilisation("attention_16x4", 15, 256) >= 0.9


SCALE = streaming.Scale(1, 0)
JOB = AttentionJob(
    q=np.zeros((1, 2, 4), int),
    k=np.zeros((1, 5, 4), int),
    v=np.zeros((1, 5, 4), int),
    logit=SCALE,
    scale=SCALE,
    causal=True,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": -1}, "position is -1"),
        ({"window": -1}, "window -1"),
        ({"window": 41}, "window 41"),
        ({"logit": streaming.Scale(1 << 16, 0)}, "logit.multiplier is 65536"),
        ({"logit": streaming.Scale(1, 63)}, "logit.shift is 63"),
        ({"scale": streaming.Scale(1 << 15, 0)}, "scale.multiplier is 32768"),
        ({"scale": streaming.Scale(1, 60)}, "scale.shift is 60"),
        ({"scale": streaming.Scale(1, 0, 1 << 16)}, "scale.zero_point is 65536"),
    ],
)
def test_what_no_register_holds_is_refused(changes, message):
    config = configuration.load("tiny_attention")
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(JOB, **changes).checked(config)


def test_totals_of_the_widest_exponentials():
    config = configuration.load("tiny_attention", ["limits.keys=65536", "softmax.exponential=15"])
    keys = 10_000
    values = np.full((1, keys, 4), 5)
    scale = streaming.Scale(1 << 14, 14)
    job = dataclasses.replace(JOB, k=np.zeros_like(values), v=values, scale=scale, causal=False)
    assert (job.expected(config) == 5).all()
