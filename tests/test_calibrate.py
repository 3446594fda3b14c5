"""``matweave calibrate``: files of weights and samples to an encoder's integers."""

import json
import math

import numpy as np
import pytest

from matweave.hw import config
from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import floating, store

pytestmark = pytest.mark.requires_tool("safetensors")

PRE = "--set=model.order='pre'"


@pytest.fixture
def settings():
    return config.load("tiny_encoder", ["model.order='pre'"])


@pytest.fixture
def tensors(settings):
    rng = np.random.default_rng(5)
    return {
        name: (rng.normal(size=shape) / math.sqrt(shape[-1]) + ("norm" in name)).astype(np.float32)
        for name, shape in floating.shapes(settings).items()
    }


@pytest.fixture
def samples(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(6).normal(size=(20, 5, 8)))
    return path


def test_both_kinds_of_files_give_the_same_integers(tmp_path, matweave, settings, tensors, samples):
    from safetensors.numpy import save_file

    save_file(tensors, tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **tensors, other=np.zeros(3))
    found = {}
    for suffix in ("safetensors", "npz"):
        out = tmp_path / f"{suffix}_model.npz"
        ended = matweave("calibrate", "tiny_encoder", tmp_path / f"w.{suffix}", samples, "-o", out,
                         PRE, "--json")  # fmt: skip
        assert ended.status == 0, ended.err
        found[suffix] = json.loads(ended.out)
        with np.load(out) as arrays:
            assert str(arrays["configuration_sha256"]) == settings.hash
            found[suffix]["model"] = store.from_arrays(arrays)
    one, other = (each.pop("model") for each in found.values())
    numbers = golden.for_config(settings)
    x = np.load(samples)[:16]
    results = []
    for model in (one, other):
        integers = model.quantised(x, settings.activation)
        results.append([golden.encoder(each, model.parameters, numbers) for each in integers])
    assert np.array_equal(*results)
    report = found["npz"]
    assert (report["sequences"], report["tokens"], report["compared"]) == (20, 5, 16)
    # What is told is the distance of these integers from the float model.
    real = floating.encoder(x, {k: v.astype(np.float64) for k, v in tensors.items()}, settings)
    error = np.array(results[0]) * one.y - real
    assert report["rms_error"] == pytest.approx(math.sqrt((error**2).mean()))
    assert report["rms_error"] < 0.15 * report["rms"]
    ended = matweave("calibrate", "tiny_encoder", tmp_path / "w.npz", samples, "-o",
                     tmp_path / "again.npz", PRE)  # fmt: skip
    assert "golden model against float, 16 sequences: rms error" in ended.out


def test_a_decoder_of_another_function(tmp_path, matweave):
    settings = config.load("tiny_decoder")
    rng = np.random.default_rng(5)
    tensors = {
        name: rng.normal(size=shape) / math.sqrt(shape[-1]) + ("norm" in name)
        for name, shape in floating.shapes(settings).items()
    }
    np.savez(tmp_path / "w.npz", **tensors)
    x = rng.normal(size=(20, 14, 8))
    np.save(tmp_path / "x.npy", x)  # more tokens than a job's
    found = {}
    for function in ("silu", "gelu"):
        out = tmp_path / f"{function}.npz"
        ended = matweave("calibrate", "tiny_decoder", tmp_path / "w.npz", tmp_path / "x.npy", "-o",
                         out, "--function", function, "--json")  # fmt: skip
        assert ended.status == 0, ended.err
        report = json.loads(ended.out)
        assert report["rms_error"] < 0.15 * report["rms"]
        real = floating.encoder(x[:16], tensors, settings, details=floating.Details(function))
        assert report["rms"] == pytest.approx(math.sqrt((real**2).mean()))
        with np.load(out) as arrays:
            found[function] = store.from_arrays(arrays).parameters.table
    assert not np.array_equal(*found.values())
    ended = matweave("calibrate", "tiny_decoder", tmp_path / "w.npz", tmp_path / "x.npy", "-o",
                     tmp_path / "none.npz", "--function", "tanh")  # fmt: skip
    assert ended.status == 2
    assert "--function: tanh is no function of the hidden layer; allowed are gelu, gelu_tanh, " in (
        ended.error
    )


def test_mistakes_are_one_line(tmp_path, matweave, tensors, samples):
    def error(weights, *more, engine="tiny_encoder", x=samples):
        order = [PRE] * (engine == "tiny_encoder")
        ended = matweave("calibrate", engine, weights, x, "-o", tmp_path / "out.npz", *order, *more)
        assert ended.status == 2
        assert not (tmp_path / "out.npz").exists()
        return ended.error

    def saved(**changes):
        np.savez(tmp_path / "w.npz", **{**tensors, **changes})
        return tmp_path / "w.npz"

    good = saved()
    assert "calibration is for encoders, not kind gemm" in error(good, engine="tiny_os")
    assert "there is no such file" in error(tmp_path / "none.npz")
    (tmp_path / "w.pt").write_bytes(b"\x80\x04")
    assert "is not a file of tensors; allowed are .safetensors, .npz, .onnx" in error(
        tmp_path / "w.pt"
    )
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    assert "bad.npz: is not an .npz file" in error(tmp_path / "bad.npz")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    assert "bad.safetensors: cannot be read" in error(tmp_path / "bad.safetensors")
    message = error(good, "--set=model.hidden=14")
    assert "layers.0.linear1.weight: is 6 × 8 and must be 14 × 8 for this engine" in message
    assert "norm.weight: is missing; there are" in error(_without(tmp_path, tensors, "norm.weight"))
    assert "elements that are not finite" in error(
        saved(**{"layers.0.linear1.bias": np.full(6, np.nan)})
    )
    assert "which are no floats" in error(saved(**{"layers.0.linear1.bias": np.zeros(6, int)}))
    for name in ("layers.2.linear1.weight", "layers.0.linear_gate.weight", "norm.more"):
        message = error(saved(**{name: np.zeros(3)}))
        assert f"w.npz: {name}: this engine has no use for it" in message
    np.save(tmp_path / "long.npy", np.zeros((2, 7, 8)))
    assert "have 7 tokens; tiny_encoder takes at most 6" in error(good, x=tmp_path / "long.npy")
    np.save(tmp_path / "flat.npy", np.zeros((11, 8)))
    assert "it must be sequences × tokens × 8" in error(good, x=tmp_path / "flat.npy")


def _without(folder, tensors, name):
    path = folder / "less.npz"
    np.savez(path, **{key: value for key, value in tensors.items() if key != name})
    return path
