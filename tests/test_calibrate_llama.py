"""``matweave calibrate``: files with the names that Llama's tensors have."""

import json

import numpy as np
import pytest

from matweave import calibrating
from matweave.hw import config
from matweave.sim.transformer import floating

pytestmark = pytest.mark.requires_tool("safetensors")

WIDTH, HEAD, HIDDEN = 8, 4, 6
"""Those of `tiny_decoder`, which has four heads and two of keys and values."""


@pytest.fixture
def settings():
    return config.load("tiny_decoder")


def llama(settings, rng, *, prefix="model.", biases=()):
    """A model's tensors by their names."""
    shapes = {
        "self_attn.q_proj": (4 * HEAD, WIDTH),
        "self_attn.k_proj": (2 * HEAD, WIDTH),
        "self_attn.v_proj": (2 * HEAD, WIDTH),
        "self_attn.o_proj": (WIDTH, 4 * HEAD),
        "mlp.gate_proj": (HIDDEN, WIDTH),
        "mlp.up_proj": (HIDDEN, WIDTH),
        "mlp.down_proj": (WIDTH, HIDDEN),
        "input_layernorm": (WIDTH,),
        "post_attention_layernorm": (WIDTH,),
    }
    found = {"lm_head.weight": rng.normal(size=(11, WIDTH))}
    found[f"{prefix}layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(HEAD // 2)
    for n in range(settings.model.layers):
        for name, shape in shapes.items():
            weight = rng.normal(size=shape) / shape[-1] ** 0.5 + (len(shape) == 1)
            found[f"{prefix}layers.{n}.{name}.weight"] = weight
            if name in biases:
                found[f"{prefix}layers.{n}.{name}.bias"] = rng.normal(size=shape[:1]) / 4
    found[f"{prefix}norm.weight"] = 1 + rng.normal(size=WIDTH) / 4
    return {name: value.astype(np.float32) for name, value in found.items()}


def saved(tmp_path, tensors, suffix="npz"):
    path = tmp_path / f"w.{suffix}"
    if suffix == "npz":
        np.savez(path, **tensors)
    else:
        from safetensors.numpy import save_file

        save_file(tensors, path)
    return path


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
@pytest.mark.parametrize("prefix", ["model.", ""])
def test_tensors_are_put_together(prefix, suffix, settings, seed, tmp_path):
    rng = np.random.default_rng(seed)
    biased = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
    theirs = llama(settings, rng, prefix=prefix, biases=biased)
    found, details, _ = calibrating.read(saved(tmp_path, theirs, suffix), settings)
    assert details.function == "silu"
    assert set(found) == set(floating.shapes(settings))
    for n in range(settings.model.layers):
        layer = f"{prefix}layers.{n}"
        for kind in ("weight", "bias"):
            parts = [theirs[f"{layer}.self_attn.{part}_proj.{kind}"] for part in "qkv"]
            mine = found[f"layers.{n}.self_attn.in_proj_{kind}"]
            assert np.array_equal(mine, np.concatenate(parts))
        for mine, name in (
            ("self_attn.out_proj", "self_attn.o_proj"), ("linear_gate", "mlp.gate_proj"),
            ("linear1", "mlp.up_proj"), ("linear2", "mlp.down_proj"),
        ):  # fmt: skip
            weight = theirs[f"{layer}.{name}.weight"]
            assert np.array_equal(found[f"layers.{n}.{mine}.weight"], weight)
            assert not found[f"layers.{n}.{mine}.bias"].any()
        for mine, name in (("norm1", "input_layernorm"), ("norm2", "post_attention_layernorm")):
            weight = theirs[f"{layer}.{name}.weight"]
            assert np.array_equal(found[f"layers.{n}.{mine}.weight"], weight)
    assert np.array_equal(found["norm.weight"], theirs[f"{prefix}norm.weight"])


def test_it_is_calibrated(settings, seed, tmp_path, matweave):
    rng = np.random.default_rng(seed)
    weights = saved(tmp_path, llama(settings, rng))
    np.save(tmp_path / "x.npy", rng.normal(size=(20, 14, WIDTH)))
    told = {}
    for options in ((), ("--function", "gelu"), ("--epsilon", "0.001")):
        ended = matweave("calibrate", "tiny_decoder", weights, tmp_path / "x.npy", "-o",
                         tmp_path / "m.npz", "--json", *options)  # fmt: skip
        assert ended.status == 0, ended.err
        told[options] = json.loads(ended.out)
        assert told[options]["rms_error"] < 0.2 * told[options]["rms"]
    assert [each["function"] for each in told.values()] == ["silu", "gelu", "silu"]
    assert [each["epsilon"] for each in told.values()] == [1e-5, 1e-5, 1e-3]
    assert len({each["rms"] for each in told.values()}) == 3


def test_mistakes_are_one_line(settings, seed, tmp_path, matweave):
    tensors = llama(settings, np.random.default_rng(seed))
    np.save(tmp_path / "x.npy", np.ones((2, 3, WIDTH)))

    def error(*options, **changes):
        path = saved(tmp_path, {**tensors, **changes})
        ended = matweave("calibrate", "tiny_decoder", path, tmp_path / "x.npy", "-o",
                         tmp_path / "m.npz", *options)  # fmt: skip
        assert ended.status == 2
        assert not (tmp_path / "m.npz").exists()
        return ended.error

    for wish, name in (("gated=false", "layers.0.mlp.gate_proj"), ("order='post'", "norm")):
        message = error(f"--set=model.{wish}")
        assert f"w.npz: model.{name}.weight: this engine has no use for it" in message
    for wish, name in (
        ("norm='layer'", "norm = 'rms'"),
        ("rotary='interleaved'", "rotary = 'halves'"),
        ("rotary='none'", "rotary = 'halves'"),
    ):
        assert (
            "w.npz: has a Llama's tensors, and tiny_decoder another kind of layers; set "
            f"model.{name}" in error(f"--set=model.{wish}")
        )
    for epsilon in ("2", "0", "nan"):
        message = error("--epsilon", epsilon)
        assert f"--epsilon: {epsilon} is none; it must be above 0 and below 1" in message
    short = {"model.layers.1.self_attn.k_proj.weight": np.zeros((HEAD, WIDTH))}
    message = error(**short)
    assert "model.layers.1.self_attn.k_proj.weight: is 4 × 8 and must be 8 × 8" in message
    for name in ("layers.2.mlp.up_proj.weight", "layers.0.self_attn.q_norm.weight",
                 "layers.1.input_layernorm.bias", "norm.bias"):  # fmt: skip
        message = error(**{f"model.{name}": np.zeros(3)})
        assert f"w.npz: model.{name}: this engine has no use for it; the file is of" in message
    part = {"model.layers.0.self_attn.k_proj.bias": np.zeros(2 * HEAD)}
    assert "model.layers.0.self_attn.q_proj.bias: is missing" in error(**part)


def test_bfloat16_is_read(settings, seed, tmp_path):
    import ml_dtypes
    from safetensors.numpy import save_file

    tensors = llama(settings, np.random.default_rng(seed))
    rounded = {name: value.astype(ml_dtypes.bfloat16) for name, value in tensors.items()}
    save_file(rounded, tmp_path / "w.safetensors")
    found, _, _ = calibrating.read(tmp_path / "w.safetensors", settings)
    weight = rounded["model.layers.1.mlp.up_proj.weight"].astype(np.float64)
    assert np.array_equal(found["layers.1.linear1.weight"], weight)
    assert not np.array_equal(weight, tensors["model.layers.1.mlp.up_proj.weight"])


@pytest.mark.slow
@pytest.mark.requires_tool("torch", "transformers")
@pytest.mark.parametrize("family", ["Llama", "Mistral", "Qwen2"])
def test_the_float_model_is_theirs(family, settings, tmp_path):
    import torch
    import transformers

    torch.manual_seed(1)
    model = settings.model
    sizes = getattr(transformers, f"{family}Config")(
        hidden_size=model.width, num_attention_heads=model.heads, head_dim=model.head,
        num_key_value_heads=model.kv_heads, intermediate_size=model.hidden,
        num_hidden_layers=model.layers, vocab_size=11, rms_norm_eps=1e-4,
    )  # fmt: skip
    theirs = getattr(transformers, f"{family}Model")(sizes).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(torch.randn_like(parameter) / 2)
    theirs.save_pretrained(tmp_path)
    tensors, details, _ = calibrating.read(tmp_path / "model.safetensors", settings, epsilon=1e-4)
    x = torch.randn(3, 9, model.width)
    found = floating.encoder(x.numpy(), tensors, settings, details=details)
    wanted = theirs(inputs_embeds=x).last_hidden_state.detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
