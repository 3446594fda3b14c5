"""The encoder in Amaranth's simulator, its list of steps, and what its configuration refuses."""

import dataclasses

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.errors import ConfigError
from matweave.sim import kinds, pysim
from matweave.sim.driver import Pause
from matweave.sim.perf import transformer as perf
from matweave.sim.registers import Control, EncoderRegister, Error, Status

SMALL = ("model.layers=1", "model.hidden=4", "model.tokens=6", "activation='int5'", "weight='int3'")


def test_jobs_are_the_golden_model_s_with_pauses_and_after_resets(seed):
    settings = config.load("tiny_encoder", [*SMALL, "model.order='pre'", "array.kind='cube'",
                                            "array.depth=2"])  # fmt: skip
    case = kinds.of(settings).case
    first, second = (case(settings, seed, index).job for index in (0, 2))
    again = dataclasses.replace(first, x=-1 - first.x, load=False).checked(settings)

    async def script(driver):
        await driver.write(EncoderRegister.MODE, 0)
        await driver.write(EncoderRegister.TOKENS, 1)
        await driver.write(EncoderRegister.CONTROL, Control.START)
        assert await driver.read(EncoderRegister.ERROR) == Error.NO_MODEL
        assert not await driver.read(EncoderRegister.STATUS) & Status.BUSY
        result = await driver.job(first)
        assert np.array_equal(result.c, first.expected(settings))
        predicted = perf.predict(settings, len(first.x), load=True)
        assert 0.9 * predicted <= result.cycles <= predicted
        await driver.start(again)
        await driver.idle(70)
        await driver.soft_reset()
        result = await driver.job(again)  # the model is still there
        assert np.array_equal(result.c, again.expected(settings))
        await driver.start(first)
        await driver.idle(30)
        await driver.hard_reset()
        pauses = {name: Pause(0.4, 4) for name in "bpxy"}
        result = await driver.job(second, pauses=pauses, fill=np.random.default_rng(seed))
        assert np.array_equal(result.c, second.expected(settings))

    pysim.simulate(settings, script)


@pytest.mark.parametrize(
    ("overrides", "leads"),
    [
        # Words of parameters of a channel word, and cycles of its tile: 12 and 2, then 4 in `down`.
        (("array={kind='lookup',rows=2,columns=4,k=4}", "weight='ternary'", "model.hidden=16"),
         {"q": 2 * 10, "up": 4 * 10, "down": 2 * 8}),
        (("array={kind='lookup',rows=2,columns=4,k=2,planes='serial'}", "weight='int8'",
          "model.hidden=4"), {"q": 0, "up": 0, "down": 0}),
        (("array.kind='digit_serial'", "pe.kind='opt4c'", "model.hidden=4"),
         {"q": 24, "up": 12, "down": 24}),
    ],
    ids=["late", "early", "digits"],
)  # fmt: skip
def test_parameters_come_while_a_product_goes_on(overrides, leads, seed):
    settings = config.load("tiny_encoder", ["model.layers=1", "model.tokens=3", *overrides])
    found = {step.name: settings.sizes.lead(step) for step in settings.sizes.body}
    assert found.items() >= leads.items()
    job = kinds.of(settings).case(settings, seed, 3).job
    again = dataclasses.replace(job, x=-1 - job.x, load=False).checked(settings)

    async def script(driver):
        for each in (job, again):
            result = await driver.job(each)
            assert np.array_equal(result.c, each.expected(settings))

    pysim.simulate(settings, script)


def test_steps_have_all_weights_and_parameters():
    for order in ("post", "pre"):
        settings = config.load("tiny_encoder", [f"model.order='{order}'"])
        sizes, model = settings.sizes, settings.model
        d, f = model.width, model.hidden
        assert sizes.weight_beats * sizes.columns == model.layers * (4 * d * d + 2 * d * f)
        norms = 2 * model.layers + (order == "pre")
        products = model.layers * 3 * (5 * d + f)
        assert sizes.parameters == products + 4 * model.layers + norms * (4 + 2 * d)
        job = kinds.of(settings).case(settings, 1, 0).job
        packed = job.pack(settings)
        assert {name: len(beats) for name, beats in packed.items()} == {
            name: count for name, count in job.beats(settings).items() if name != "y"
        }
        # Regions of both memories lie one behind the other.
        for places in sizes.regions:
            starts = sorted(places.values())
            assert starts[0] == 0
            assert len(set(starts)) == len(starts)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.heads=3", "model.heads: 3 heads do not divide width, which is 8; set model.head to "
         "a head's elements"),
        ("model.kv_heads=3", "model.kv_heads: 3 does not divide model.heads, 2"),
        ("model.context=7", "model.context: is for decoders; set model.causal = true or leave it "
         "away"),
        ("model.norm='batch'", "model.norm: 'batch' is not a norm; allowed are layer, rms, none"),
        ("weight='ternary'", "weight: ternary weights are looked up; set array.kind = 'lookup', or "
         "an int2 to int16"),
        ("weight='uint4'", "weight: 'uint4' is not a format of weights; allowed are int2 to int16, "
         "binary, ternary"),
        ("array.kind='lookup' weight='int5'", "weight: int5 is not looked up; allowed are binary, "
         "ternary, int2, int3, int4, int6, int8"),
        ("array.kind='lookup' pe.kind='ent'", "pe.kind: ent is no PE of lookup; allowed are table"),
        ("pe.kind='table'", "pe.kind: table is no PE of output_stationary; allowed are booth, ent"),
        ("array.kind='lookup'", "array.k: 4 does not divide columns, 2"),
        ("array.kind='lookup' array.k=2 weight='int3'", "of the lut part: array.columns: a beat of "
         "B, 4 weights of 3 bits, must be whole bytes and has 12 bits; make array.columns a "
         "multiple of 4"),
        ("array.columns=3", "array.columns: 3 does not divide a head's elements, model.head, 4"),
        ("model.width=9 model.head=4", "array.columns: 2 does not divide model.width, 9"),
        ("model.norm='none' model.order='pre'", "model.order: without norms there is no order "
         "'pre'; leave it away"),
        ("model.rotary='pairs'", "model.rotary: 'pairs' is not an order of pairs; allowed are "
         "none, interleaved, halves"),
        ("model.rotary='halves' model.head=3 model.width=6 array.columns=3", "array.columns: 3 is "
         "odd; pairs that are turned must be in a word"),
        ("model.causal=true model.context=5", "model.context: 5 is less than model.tokens, 6"),
        ("model.causal=true array.rows=6", "array.rows: 6 is not a power of two, which a "
         "decoder's must be"),
        ("model.hidden=13", "array.columns: 2 does not divide model.hidden, 13"),
        ("attention.lanes=8", "attention.lanes: 8 does not divide array.rows, which is 4"),
        ("activation='int9'", "activation: int9 is no format of activations; allowed are int4 to "
         "int8"),
        ("activation='uint8'", "activation: uint8 is not signed; allowed are int2 to int16"),
        ("array.kind='tree'", "array.kind: 'tree' is not an array of this engine; allowed are "
         "output_stationary, matrix, cube, digit_serial"),
        ("attention.block=7", "of the attention part: array.block: 7 is no block of 2 lanes; "
         "allowed are 2, 4, 8, 16, 32"),
        ("pe.kind='opt4c'", "of the gemm part: pe.kind: opt4c works only in the array "
         "digit_serial; allowed in output_stationary are"),
        ("model.layer=3", "model.layer: unknown key; allowed are width, heads, hidden, layers, "
         "tokens, norm, order, epsilon, head, kv_heads, causal, rotary, rotary_base, gated, "
         "context; did you mean 'layers'?"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_one_line(override, message):
    with pytest.raises(ConfigError) as caught:
        config.load("tiny_encoder", override.split())
    assert str(caught.value).startswith(f"preset tiny_encoder: {message}")


def test_memory_is_bounded_before_anything_is_built():
    big = ["model.layers=64", "model.width=1024", "model.hidden=4096", "model.heads=4"]
    with pytest.raises(ConfigError, match=r"model: .* bits of memory are needed and at most"):
        config.load("tiny_encoder", big)
