"""Encoders and decoders compiled: many jobs, every kind of array, models and caches that stay."""

import dataclasses

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.sim import kinds
from matweave.sim.driver import Pause
from matweave.sim.native import Engine, EngineError
from matweave.sim.perf import transformer as perf

compiled = pytest.mark.requires_tool("verilator", "g++", "make", "perl")


def many(engine, seed, count):
    settings = engine.config
    rng = np.random.default_rng(seed)
    before = None
    for index, item in enumerate(kinds.of(settings).cases(settings, seed, count)):
        job = item.job
        if before is not None and index % 4 == 3 and not settings.model.causal:
            job = dataclasses.replace(job, parameters=before.parameters, load=False)
        pauses = {name: Pause(0.3, 3, seed=index + 1) for name in "bpxy"} if index % 2 else None
        result = engine.job(job, pauses=pauses, fill=rng if index % 3 else None)
        assert np.array_equal(result.c, job.expected(settings)), index
        if pauses is None:
            predicted = perf.predict(settings, len(job.x), load=job.load, position=job.position)
            assert result.cycles <= predicted
            if settings.array.kind != "digit_serial":
                assert result.cycles >= 0.9 * predicted
            stalls = (result.counters[f"stall_{name}"] for name in "bpxy")
            assert not any(stalls)
        before = job


@compiled
def test_many_jobs_with_and_without_pauses(seed):
    with Engine(configuration.load("tiny_encoder")) as engine:
        many(engine, seed, 100)
        with pytest.raises(EngineError, match="was answered SLVERR"):
            engine.write(0x30, 1)


@compiled
@pytest.mark.parametrize("name", ["tiny_decoder", "tiny_lut_encoder"])
def test_many_jobs_of_others(name, seed):
    with Engine(configuration.load(name)) as engine:
        many(engine, seed, 100)


LOOKUP = "{kind='lookup',rows=4,columns=4,k=4}"


@compiled
@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("array.kind='digit_serial'", "pe.kind='opt4c'", "model.order='post'",
         "model.norm='layer'", "model.heads=2", "model.kv_heads=1", "model.rotary='none'"),
        ("array.kind='cube'", "array.depth=2", "array.rows=8", "attention.lanes=4",
         "model.tokens=1", "model.context=9", "model.kv_heads=4", "activation='int5'",
         "weight='int4'"),
        ("array.kind='matrix'", "array.rows=2", "model.order='post'", "model.norm='none'",
         "model.kv_heads=4", "model.layers=3", "model.context=13", "model.tokens=13",
         "model.width=6"),
        ("array.rows=16", "attention.lanes=8", "attention.block=8", "model.layers=1",
         "model.head=2", "model.heads=6", "model.kv_heads=2", "model.context=40",
         "model.tokens=9"),
        ("model.causal=false", "model.context=6", "array.rows=6", "array.columns=4",
         "model.hidden=8", "model.head=8", "model.norm='layer'"),
        (f"array={LOOKUP}", "weight='ternary'", "model.hidden=8"),
        (f"array={LOOKUP}", "weight='binary'", "array.sign=3", "model.hidden=8", "model.heads=2",
         "model.rotary='none'", "activation='int6'", "model.norm='layer'"),
        (f"array={LOOKUP}", "weight='int4'", "array.k=2", "array.columns=2", "array.rows=8",
         "requantizers.multiplier_stages=2", "model.order='post'"),
        (f"array={LOOKUP}", "weight='ternary'", "array.planes='serial'", "model.hidden=8"),
    ],
    ids=["serial", "cube", "matrix", "rows", "encoder", "ternary", "binary", "int4", "planes"],
)  # fmt: skip
def test_every_kind_of_decoder(overrides, seed):
    with Engine(configuration.load("tiny_decoder", overrides)) as engine:
        many(engine, seed, 60)


@compiled
@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("model.order='pre'", "model.norm='rms'", "model.layers=1"),
        ("array.kind='digit_serial'", "pe.kind='opt4c'"),
        ("array.kind='cube'", "array.depth=2", "pe.kind='ent'", "activation='int5'",
         "weight='int4'", "attention.lanes=4", "requantizers.multiplier_stages=2",
         "model.epsilon=7"),
        ("array.kind='matrix'", "array.columns=4", "model.width=24", "model.heads=3",
         "model.hidden=8", "array.rows=6", "model.order='pre'", "activation='int7'"),
    ],
    ids=["pre", "serial", "cube", "matrix"],
)  # fmt: skip
def test_every_kind_of_array(overrides, seed):
    with Engine(configuration.load("tiny_encoder", overrides)) as engine:
        many(engine, seed, 60)


@compiled
@pytest.mark.slow
@pytest.mark.parametrize("name", ["encoder_64", "btag", "decode_128", "decode_128_ternary"])
def test_presets(name, seed):
    with Engine(configuration.load(name)) as engine:
        many(engine, seed, 6)
