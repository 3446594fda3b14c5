"""The golden model of decoders: steps against whole sequences, masks and shared heads against
their definitions; models without norms; calibration of both."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.attention import lookup
from matweave.sim import kinds
from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import calibration, floating, ranges, store

from .test_golden_transformer import tensors


def drawn(settings, seed, tokens):
    """Parameters and a sequence for an engine."""
    parameters = kinds.of(settings).case(settings, seed, 1).job.parameters
    low, high = settings.activation.min, settings.activation.max
    rng = np.random.default_rng(seed)
    return parameters, rng.integers(low, high, (tokens, settings.model.width), endpoint=True)


SETTINGS = (
    (),
    ("model.order='post'", "model.norm='layer'", "model.rotary='none'"),
    ("model.order='post'", "model.norm='none'", "model.kv_heads=1"),
    ("model.kv_heads=4", "activation='int5'", "attention.block=16"),
)


@pytest.mark.parametrize("overrides", SETTINGS)
@pytest.mark.parametrize("parts", [(1,) * 14, (5, 1, 1, 6, 1), (13, 1)])
def test_any_division_into_jobs_gives_the_whole_sequence_s_results(overrides, parts, seed):
    settings = config.load("tiny_decoder", overrides)
    numbers = golden.for_config(settings)
    parameters, x = drawn(settings, seed, 14)
    whole = golden.encoder(x, parameters, numbers)
    assert len(np.unique(whole)) > 10
    cache, start = None, 0
    for tokens in parts:
        y, cache = golden.extended(x[start : start + tokens], parameters, numbers, cache)
        assert np.array_equal(y, whole[start : start + tokens])
        start += tokens
    # Taken up again in the middle, with other tokens.
    other = -1 - x[9:]
    y, _ = golden.extended(other, parameters, numbers, cache.first(9))
    changed = golden.encoder(np.concatenate([x[:9], other]), parameters, numbers)
    assert np.array_equal(y, changed[9:])
    # No token sees those behind it.
    assert np.array_equal(changed[:9], whole[:9])


def test_the_last_token_sees_what_it_would_without_a_mask(seed):
    settings = config.load("tiny_decoder", ["model.layers=1"])
    numbers = golden.for_config(settings)
    parameters, x = drawn(settings, seed, 9)
    everywhere = dataclasses.replace(numbers, causal=False)
    for tokens in (1, 4, 9):
        y = golden.encoder(x[:tokens], parameters, numbers)
        full = golden.encoder(x[:tokens], parameters, everywhere)
        assert np.array_equal(y[-1], full[-1])
    assert not np.array_equal(y, full)


def test_heads_that_share_keys_are_heads_with_the_same_keys(seed):
    """GQA is attention with as many heads, whose keys' and values' weights are copies."""
    settings = config.load("tiny_decoder")
    numbers = golden.for_config(settings)
    parameters, x = drawn(settings, seed, 8)
    copies = np.arange(8).reshape(2, 1, 4).repeat(2, axis=1).ravel()

    def copied(dense):
        return golden.Dense(dense.weights[:, copies], dense.bias[copies],
                            dense.multiplier[copies], dense.shift[copies])  # fmt: skip

    layers = tuple(
        dataclasses.replace(layer, k=copied(layer.k), v=copied(layer.v))
        for layer in parameters.layers
    )
    alone = dataclasses.replace(parameters, layers=layers)
    assert np.array_equal(
        golden.encoder(x, parameters, numbers),
        golden.encoder(x, alone, dataclasses.replace(numbers, kv_heads=4)),
    )


def test_what_a_gate_lets_through_is_rounded_once(seed):
    """Against fractions; ties away from the lower number."""
    settings = config.load("tiny_decoder")
    numbers = golden.for_config(settings)
    parameters, x = drawn(settings, seed, 9)
    seen = {}
    golden.encoder(x, parameters, numbers, seen.__setitem__)
    limited = 0
    for n, layer in enumerate(parameters.layers):
        opened = parameters.table[seen[f"{n}.gate"]]
        assert np.array_equal(seen[f"{n}.opened"], opened)
        scale = Fraction(layer.gated.multiplier, 1 << layer.gated.shift)
        for gate, up, hidden in zip(opened.flat, seen[f"{n}.up"].flat, seen[f"{n}.hidden"].flat,
                                    strict=True):  # fmt: skip
            exact = math.floor(int(gate) * int(up) * scale + Fraction(1, 2))
            assert hidden == min(max(exact, -128), 127)
            limited += hidden != exact
        assert len(set(seen[f"{n}.hidden"].flat)) > 20
        down = golden.dense(seen[f"{n}.hidden"], layer.down, numbers)
        assert np.array_equal(seen[f"{n}.down"], down)
    assert limited < x.size


def test_without_norms_the_sums_go_on(seed):
    settings = config.load("btag")
    numbers = golden.for_config(settings)
    parameters, x = drawn(settings, seed, 15)
    seen = {}
    result = golden.encoder(x, parameters, numbers, seen.__setitem__)
    assert not [name for name in seen if "norm" in name]
    carried = x
    for n, layer in enumerate(parameters.layers):
        assert np.array_equal(seen[f"{n}.q"], golden.dense(carried, layer.q, numbers))
        for name, y, step in (("attention", "output", layer.norm_attention),
                              ("hidden", "down", layer.norm_hidden)):  # fmt: skip
            total = carried * step.of_x + seen[f"{n}.{y}"] * step.of_y
            carried = np.clip((total + (1 << step.shift >> 1)) >> step.shift, -128, 127)
            assert np.array_equal(seen[f"{n}.sum_{name}"], carried)
    assert np.array_equal(result, carried)


@pytest.mark.parametrize(
    ("name", "overrides", "function", "tokens"),
    [
        ("decode_128", ("model.layers=2",), "silu", 21),
        (
            "decode_128",
            ("model.layers=2", "model.norm='layer'", "model.order='post'", "model.gated=false"),
            "gelu",
            5,
        ),
        ("decode_128", ("model.layers=2", "model.rotary='interleaved'"), "silu", 30),
        ("btag", (), "relu", 15),
    ],
)
def test_a_calibrated_model_is_near_the_float_one(name, overrides, function, tokens, seed):
    settings = config.load(name, overrides)
    rng = np.random.default_rng(seed)
    weights, x = tensors(settings, rng), rng.normal(size=(4, tokens, settings.model.width))
    details = floating.Details(function)
    found = calibration.calibrate(settings, weights, x, details)
    parameters = ranges.check(settings, store.from_arrays(store.to_arrays(found)).parameters)
    numbers = golden.for_config(settings)
    integers = found.quantised(x, settings.activation)
    y = np.array([golden.encoder(each, parameters, numbers) for each in integers]) * found.y
    real = floating.encoder(x, weights, settings, details=details)
    assert math.sqrt(((y - real) ** 2).mean()) < 0.05 * math.sqrt((real**2).mean())
    # With another function it is another model.
    another = floating.Details("gelu" if function != "gelu" else "relu")
    other = floating.encoder(x, weights, settings, details=another)
    assert np.abs(other - real).max() > 0.01


def test_the_float_model_attends_to_what_came_before(seed):
    """Against the definition, query by query."""
    rng = np.random.default_rng(seed)
    q, k, v = (rng.normal(size=(1, 5, heads * 3)) for heads in (4, 2, 2))
    found, weights = floating.attend(q, k, v, 4, causal=True)
    for head in range(4):
        of_q, of_kv = slice(3 * head, 3 * head + 3), slice(3 * (head // 2), 3 * (head // 2) + 3)
        for t in range(5):
            logits = k[0, : t + 1, of_kv] @ q[0, t, of_q] / math.sqrt(3)
            share = np.exp(logits) / np.exp(logits).sum()
            assert np.allclose(weights[0, head, t], [*share, *[0] * (4 - t)])
            assert np.allclose(found[0, t, of_q], share @ v[0, : t + 1, of_kv])


def test_positions_turn_pairs_of_queries_and_keys(seed):
    """The golden model against angles in float, and what is between two tokens alone matters."""
    settings = config.load("tiny_decoder")
    numbers = golden.for_config(settings)
    rng = np.random.default_rng(seed)
    weights = tensors(settings, rng)
    parameters = calibration.calibrate(settings, weights, rng.normal(size=(2, 9, 8))).parameters
    x = rng.integers(-60, 60, (9, 16))
    found = golden.turned(x, parameters.angles, numbers)
    for t in range(9):
        for pair in range(8):
            angle = t * 10_000.0 ** (-2 * (pair % 2) / 4)
            turned = complex(*x[t, 2 * pair : 2 * pair + 2]) * np.exp(1j * angle)
            assert abs(found[t, 2 * pair] - turned.real) < 0.51
            assert abs(found[t, 2 * pair + 1] - turned.imag) < 0.51
    seen = {}
    golden.encoder(x[:, :8], parameters, numbers, seen.__setitem__)
    for name in ("0.q", "1.k"):
        heads = golden.turned(seen[name], parameters.angles, numbers)
        assert np.array_equal(seen[f"{name}_turned"], heads)


def test_pairs_of_halves_are_pairs_of_neighbours_in_another_order(seed):
    """A float model's results are the same with the outputs of its projections reordered."""
    halves, neighbours = (
        config.load("tiny_decoder", [f"model.rotary='{rotary}'", "model.rotary_base=50"])
        for rotary in ("halves", "interleaved")
    )
    rng = np.random.default_rng(seed)
    weights, x = tensors(halves, rng), rng.normal(size=(2, 11, 8))
    real = floating.encoder(x, weights, halves)
    other = dict(weights)
    order = np.array([0, 2, 1, 3])  # element 1 is paired with element 3
    rows = np.concatenate([*(4 * head + order for head in range(6)), np.arange(24, 32)])
    for n in range(2):
        for kind in ("weight", "bias"):
            name = f"layers.{n}.self_attn.in_proj_{kind}"
            other[name] = weights[name][rows]
    assert np.allclose(floating.encoder(x, other, neighbours), real)
    assert not np.allclose(floating.encoder(x, weights, neighbours), real)
    # So the engine's integers are the same, too.
    found = calibration.calibrate(halves, weights, x).parameters
    same = calibration.calibrate(neighbours, other, x).parameters
    for one, two in zip(found.layers, same.layers, strict=True):
        assert np.array_equal(one.q.weights, two.q.weights)
        assert np.array_equal(one.k.bias, two.k.bias)
    assert np.array_equal(found.angles, same.angles)
    with pytest.raises(ValueError, match="angles belong to rotary positions; this engine's are"):
        ranges.check(halves, dataclasses.replace(found, angles=None))
    with pytest.raises(ValueError, match="angles must be -16384 to 16384, not 16385"):
        ranges.check(halves, dataclasses.replace(found, angles=found.angles * 0 + 16385))


def test_functions_are_the_same_in_float_and_in_tables():
    x = np.array([-1e6, -800.0, -3.0, -0.5, 0.0, 0.7, 4.0, 1e6])
    for name, function in floating.FUNCTIONS.items():
        assert np.allclose(function(x), [lookup.FUNCTIONS[name](float(each)) for each in x])
    assert np.allclose(floating.silu(x[2:6]), x[2:6] / (1 + np.exp(-x[2:6])))
    assert floating.FUNCTIONS.keys() == lookup.FUNCTIONS.keys()


def test_jobs_that_cannot_be_are_refused(seed):
    settings = config.load("tiny_decoder")
    x = drawn(settings, seed, 15)[1]
    job = kinds.of(settings).case(settings, seed, 0).job
    for message, changes in {
        "15 tokens; this engine takes 1 to 6": {"x": x},
        "13 tokens and 2 more; this engine takes 14": {
            "x": x[13:], "past": x[:13], "load": False,
        },
        "of a model that is loaded nothing is cached": {"past": x[:2]},
        "past must be any × 8": {"past": x[:2, 1:], "load": False},
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(job, **changes).checked(settings)
    encoder = config.load("tiny_encoder")
    job = kinds.of(encoder).case(encoder, seed, 0).job
    with pytest.raises(ValueError, match="an encoder's jobs have no past"):
        dataclasses.replace(job, past=x[:2], load=False).checked(encoder)


def test_a_past_is_made_by_jobs_of_the_engine(seed):
    settings = config.load("tiny_decoder")
    parameters, x = drawn(settings, seed, 14)
    job = type(kinds.of(settings).case(settings, seed, 0).job)(x[13:], parameters, False, x[:13])
    before = [each.checked(settings) for each in job.before(settings)]
    assert [(each.position, len(each.x), each.load) for each in before] == [
        (0, 6, True), (6, 6, False), (12, 1, False)
    ]  # fmt: skip
    assert np.array_equal(np.concatenate([each.x for each in before]), x[:13])
    assert not before[0].before(settings)
