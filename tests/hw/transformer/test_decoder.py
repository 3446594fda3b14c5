"""A decoder in Amaranth's simulator, what it keeps, and where; layers without norms."""

import dataclasses

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.engine import build
from matweave.hw.manifest import c_header, manifest
from matweave.sim import kinds, pysim
from matweave.sim.driver import Pause
from matweave.sim.perf import transformer as perf
from matweave.sim.registers import Control, EncoderRegister, Error
from matweave.sim.transformer.jobs import EncoderJob

SMALL = ("model.layers=1", "model.hidden=4", "activation='int5'", "weight='int3'")


def sequence(settings, seed, *parts):
    """Jobs of as many tokens each, one behind the other."""
    job = kinds.of(settings).case(settings, seed, 0).job
    rng = np.random.default_rng(seed)
    low, high = settings.activation.min, settings.activation.max
    x = rng.integers(low, high, (sum(parts), settings.model.width), endpoint=True)
    jobs, start = [], 0
    for tokens in parts:
        own, past = x[start : start + tokens], x[:start] if start else None
        jobs.append(EncoderJob(own, job.parameters, load=not start, past=past).checked(settings))
        start += tokens
    return jobs


def test_a_prompt_and_steps_with_pauses_resets_and_other_continuations(seed):
    settings = config.load("tiny_decoder", [*SMALL, "model.heads=2", "model.kv_heads=1"])
    jobs = sequence(settings, seed, 3, 1, 2)
    prompt, more = jobs[0], jobs[-1]

    async def script(driver):
        for job in jobs:
            result = await driver.job(job)
            assert np.array_equal(result.c, job.expected(settings))
            predicted = perf.predict(settings, len(job.x), load=job.load, position=job.position)
            assert 0.9 * predicted <= result.cycles <= predicted
            assert await driver.read(EncoderRegister.CACHED) == len(job.sequence)
        # A job that a reset cuts off leaves what was before it.
        await driver.start(more)
        await driver.idle(200)
        await driver.soft_reset()
        other = dataclasses.replace(more, x=-1 - more.x)
        pauses = {name: Pause(0.4, 4) for name in "bpxy"}
        result = await driver.job(other, pauses=pauses, fill=np.random.default_rng(seed))
        assert np.array_equal(result.c, other.expected(settings))
        # From the first token on, with the same model.
        again = dataclasses.replace(prompt, x=-1 - prompt.x, load=False)
        assert np.array_equal((await driver.job(again)).c, again.expected(settings))
        await driver.write(EncoderRegister.POSITION, more.position)
        await driver.write(EncoderRegister.TOKENS, 1)
        await driver.write(EncoderRegister.CONTROL, Control.START)
        assert await driver.read(EncoderRegister.ERROR) == Error.NO_CONTEXT

    pysim.simulate(settings, script)


def test_layers_without_norms(seed):
    settings = config.load("tiny_encoder", [*SMALL, "model.norm='none'", "model.head=2",
                                            "model.tokens=5"])  # fmt: skip
    job = kinds.of(settings).case(settings, seed, 3).job

    async def script(driver):
        result = await driver.job(job)
        assert np.array_equal(result.c, job.expected(settings))
        predicted = perf.predict(settings, len(job.x), load=True)
        assert 0.9 * predicted <= result.cycles <= predicted

    pysim.simulate(settings, script)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("order", ["post", "pre"])
def test_regions_do_not_overlap_and_fill_their_memories(order, gated):
    settings = config.load(
        "tiny_decoder",
        [f"model.order='{order}'", "model.layers=3", f"model.gated={str(gated).lower()}"],
    )
    sizes = settings.sizes
    model, places = settings.model, [set(), set()]
    words = {"x": 4, "u": 4, "p": 4, "q": 8, "o": 8, "h": 3, "g": 3}
    if gated:  # they are read together
        assert sizes.region("g")[0] != sizes.region("h")[0]

    def add(memory, address):
        assert address not in places[memory]
        places[memory].add(address)

    # A job that begins in a panel's last row has the most panels.
    panels = -(-(model.tokens + 3) // 4)
    for name in ("xuqoph" if order == "pre" else "xqoph") + "g" * gated:
        memory, place = sizes.region(name)
        for panel in range(panels):
            for word in range(words[name]):
                add(memory, place + panel * sizes.stride(name) + word)
    for name in "kv":
        memory, place = sizes.region(name)
        for layer in range(3):
            for panel in range(-(-model.context // 4)):
                for word in range(4):
                    add(memory, place + layer * sizes.layer_words + panel * 4 + word)
    assert [sorted(each) for each in places] == [list(range(d)) for d in sizes.memory_depths]


def test_the_manifest_and_the_header_have_what_there_is():
    decoder, encoder = (config.load(f"tiny_{kind}") for kind in ("decoder", "encoder"))
    content = manifest(decoder, build(decoder))
    assert content["limits"] == {"tokens": 6, "context": 14}
    assert content["memories"]["cache"] == {"k": 45, "v": 57, "layer": 16, "panel": 4}
    assert content["registers"]["addresses"]["POSITION"] == EncoderRegister.POSITION
    assert "TINY_DECODER_CACHED" in c_header(content)
    content = manifest(encoder, build(encoder))
    assert "POSITION" not in content["registers"]["addresses"]
    assert "CACHED" not in c_header(content)
    assert "NO_CONTEXT" not in c_header(content)
