"""The golden model of encoders against definitions in fractions, and calibration against float."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw import config
from matweave.hw.errors import ConfigError
from matweave.sim import kinds
from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import calibration, floating, ranges, store


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def tensors(settings, rng):
    found = {}
    for name, shape in floating.shapes(settings).items():
        scale = 1 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.1
        found[name] = rng.normal(size=shape) * scale
        if "norm" in name and name.endswith("weight"):
            found[name] = 1 + 2 * found[name]
    return found


def test_a_product_and_a_norm_are_their_definitions(seed):
    settings = config.load("tiny_encoder")
    numbers = golden.for_config(settings)
    job = kinds.of(settings).case(settings, seed, 2).job
    layer = job.parameters.layers[0]
    up = layer.up
    found = golden.dense(job.x, up, numbers)
    for row, x in enumerate(job.x):
        for c in range(settings.model.hidden):
            total = sum(int(a) * int(b) for a, b in zip(x, up.weights[:, c], strict=True))
            scaled = Fraction(
                (total + int(up.bias[c])) * int(up.multiplier[c]), 1 << int(up.shift[c])
            )
            assert found[row, c] == min(max(half_up(scaled), -128), 127)
    step = layer.norm_hidden
    y = job.x[::-1]
    total, normalised = golden._sum_norm(job.x, y, step, numbers)
    for row in range(len(job.x)):
        exact = [
            min(max(half_up(Fraction(int(a) * step.of_x + int(b) * step.of_y, 1 << step.shift)),
                    -128), 127)
            for a, b in zip(job.x[row], y[row], strict=True)
        ]  # fmt: skip
        assert total[row].tolist() == exact
        mean = sum(exact) / len(exact)
        root = math.sqrt(sum((e - mean) ** 2 for e in exact) / len(exact) + numbers.epsilon)
        for c, e in enumerate(exact):
            real = ((e - mean) / root * 128 * step.gain[c] + step.bias[c]) / 2**step.gain_shift
            # The mean has four fraction bits, the normalised number seven.
            near = 1.5 * abs(step.gain[c]) / 2**step.gain_shift * (1 + 8 / root) + 0.51
            assert abs(normalised[row, c] - min(max(real, -128), 127)) <= near


def test_orders_differ_in_what_the_next_sum_takes(seed):
    """Steps in the order that the decision gives, told by their names."""
    for order in ("post", "pre"):
        settings = config.load("tiny_encoder", [f"model.order='{order}'"])
        numbers = golden.for_config(settings)
        job = kinds.of(settings).case(settings, seed, 4).job
        seen = {}
        result = golden.encoder(job.x, job.parameters, numbers, seen.__setitem__)
        layers = job.parameters.layers
        pre = order == "pre"
        assert ("norm" in seen) is pre
        x, u = job.x, seen.get("norm", job.x)
        for n, layer in enumerate(layers):
            for name in "qkv":
                assert np.array_equal(
                    seen[f"{n}.{name}"], golden.dense(u, getattr(layer, name), numbers)
                )
            x, u = golden._sum_norm(x, seen[f"{n}.output"], layer.norm_attention, numbers)
            x = x if pre else u
            assert np.array_equal(seen[f"{n}.up"], golden.dense(u, layer.up, numbers))
            table = dict(zip([*range(128), *range(-128, 0)], job.parameters.table, strict=True))
            hidden = [[table[int(each)] for each in row] for row in seen[f"{n}.up"]]
            assert seen[f"{n}.hidden"].tolist() == hidden
            x, u = golden._sum_norm(x, seen[f"{n}.down"], layer.norm_hidden, numbers)
            x = x if pre else u
        assert np.array_equal(result, u)
        assert len(np.unique(result)) > 20


def test_heads_are_apart(seed):
    """A change of one head's values changes that head's results alone."""
    settings = config.load("tiny_encoder")
    numbers = golden.for_config(settings)
    job = kinds.of(settings).case(settings, seed, 1).job
    layer = job.parameters.layers[0]
    layer = dataclasses.replace(layer, scale=golden.Scale(1 << 14, 14))
    q, k, v = (golden.dense(job.x, getattr(layer, name), numbers) for name in "qkv")
    before = golden.attend(q, k, v, layer, numbers)
    v = v.copy()
    v[:, 4:] = -v[:, 4:] // 2
    after = golden.attend(q, k, v, layer, numbers)
    assert np.array_equal(before[:, :4], after[:, :4])
    assert not np.array_equal(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_calibrated_model_is_near_the_float_one(order, norm, seed):
    settings = config.load("encoder_64", [f"model.order='{order}'", f"model.norm='{norm}'"])
    rng = np.random.default_rng(seed)
    weights, x = tensors(settings, rng), rng.normal(size=(4, 9, 64))
    found = calibration.calibrate(settings, weights, x)
    parameters = ranges.check(settings, found.parameters)
    numbers = golden.for_config(settings)
    integers = found.quantised(x, settings.activation)
    y = np.array([golden.encoder(each, parameters, numbers) for each in integers]) * found.y
    real = floating.encoder(x, weights, settings)
    assert np.abs(y - real).max() < 0.08 * np.abs(real).max()
    assert math.sqrt(((y - real) ** 2).mean()) < 0.05 * math.sqrt((real**2).mean())


def test_a_model_is_the_same_after_it_was_stored(seed):
    settings = config.load("tiny_encoder", ["model.order='pre'"])
    rng = np.random.default_rng(seed)
    found = calibration.calibrate(settings, tensors(settings, rng), rng.normal(size=(2, 5, 8)))
    again = store.from_arrays(store.to_arrays(found))
    assert (again.x, again.y) == (found.x, found.y)
    x = rng.integers(-128, 128, (5, 8))
    numbers = golden.for_config(settings)
    assert np.array_equal(
        golden.encoder(x, again.parameters, numbers), golden.encoder(x, found.parameters, numbers)
    )


def test_a_stored_model_is_of_one_configuration_and_whole(tmp_path, seed):
    settings = config.load("tiny_encoder")
    rng = np.random.default_rng(seed)
    found = calibration.calibrate(settings, tensors(settings, rng), rng.normal(size=(2, 5, 8)))
    path = tmp_path / "model.npz"
    path.write_bytes(store.to_bytes(found, settings))
    again = store.load(path, settings)
    assert np.array_equal(again.parameters.table, found.parameters.table)

    def error(path, settings=settings):
        with pytest.raises(ConfigError) as refused:
            store.load(path, settings)
        return str(refused.value)

    # The sizes are the same; what the integers mean is not.
    other = config.load("tiny_encoder", ["softmax.fraction=4"])
    assert error(path, other) == (
        "model.npz: was calibrated for another configuration than tiny_encoder has; calibrate it "
        "again"
    )
    with np.load(path) as file:
        arrays = dict(file)
    for name in ("table", "scale_y", "layers.1.down.shift"):
        np.savez(tmp_path / "less.npz", **{n: v for n, v in arrays.items() if n != name})
        message = f"less.npz: {name}: is missing in the calibrated model"
        assert error(tmp_path / "less.npz") == message
    np.savez(tmp_path / "plain.npz", x=np.zeros(2))
    assert "another configuration" in error(tmp_path / "plain.npz")
    assert error(tmp_path / "none.npz") == "none.npz: there is no such file"
    path.write_text("text")
    assert error(path) == "model.npz: is no .npz file"
    with pytest.raises(ConfigError, match="is missing"):
        store.from_arrays({"table": np.zeros(256), "first.gain": np.zeros(8)})


@pytest.mark.parametrize("bits", [15, 16, 31])
def test_scales_are_as_near_as_their_bits_allow(bits, seed):
    rng = np.random.default_rng(seed)
    factors = np.concatenate([2.0 ** rng.uniform(-20, 3, 200), [1 - 2.0**-40, 1, 0.5, 2.0**-70]])
    multiplier, shift = calibration.dyadic(factors, bits=bits)
    assert multiplier.max() < 1 << bits
    assert shift.min() >= 0
    assert shift.max() <= 62
    assert np.allclose(multiplier / 2.0**shift, factors, rtol=2.0 ** (1 - bits), atol=2.0**-62)


def test_what_is_always_zero_can_be_calibrated():
    settings = config.load("tiny_encoder")
    zeros = {name: np.zeros(shape) for name, shape in floating.shapes(settings).items()}
    found = calibration.calibrate(settings, zeros, np.zeros((1, 3, 8)))
    parameters = ranges.check(settings, found.parameters)
    x = np.full((3, 8), 5)
    assert not golden.encoder(x, parameters, golden.for_config(settings)).any()


def test_models_that_are_not_the_engine_s_are_refused(seed):
    settings = config.load("tiny_encoder")
    job = kinds.of(settings).case(settings, seed, 0).job
    parameters = job.parameters
    layer = parameters.layers[0]

    def changed(**changes):
        return dataclasses.replace(
            parameters, layers=(dataclasses.replace(layer, **changes), parameters.layers[1])
        )

    wrong = {
        "1 layers; this engine has 2": dataclasses.replace(parameters, layers=(layer,)),
        "order 'pre'": dataclasses.replace(parameters, first=layer.norm_hidden),
        r"layers.0.up.weights .*": changed(up=layer.q),
        "layers.0.norm_hidden.of_x is 65536": changed(
            norm_hidden=dataclasses.replace(layer.norm_hidden, of_x=1 << 16)
        ),
        "layers.0.logit.shift is 63": changed(logit=dataclasses.replace(layer.logit, shift=63)),
        "layers.0.scale.zero_point is 1": changed(
            scale=dataclasses.replace(layer.scale, zero_point=1)
        ),
        r"layers.0.q.shift": changed(q=dataclasses.replace(layer.q, shift=layer.q.shift + 62)),
    }
    for message, model in wrong.items():
        with pytest.raises(ValueError, match=message):
            ranges.check(settings, model)
    with pytest.raises(ValueError, match="x has 7 tokens; this engine takes 1 to 6"):
        dataclasses.replace(job, x=np.zeros((7, 8), int)).checked(settings)
    rng = np.random.default_rng(seed)
    good = tensors(settings, rng)
    with pytest.raises(ValueError, match=r"layers.0.linear1.bias: is missing"):
        less = {name: each for name, each in good.items() if name != "layers.0.linear1.bias"}
        calibration.calibrate(settings, less, np.zeros((1, 2, 8)))
    with pytest.raises(ValueError, match="samples must be sequences × tokens × 8"):
        calibration.calibrate(settings, good, np.zeros((2, 8)))
