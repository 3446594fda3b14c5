"""``matweave calibrate`` with ONNX files: names that are there, and names that are not."""

import json
import math
import warnings

import numpy as np
import pytest

from matweave.hw import config
from matweave.sim.transformer import floating, store
from matweave.sim.transformer.calibration import calibrate

pytestmark = pytest.mark.requires_tool("onnx")


def drawn(settings):
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


@pytest.fixture
def write(tmp_path):
    """Writes an encoder's file; ``write(settings, tensors, …)``."""

    def of(settings, tensors, **options):
        from .onnx_encoders import Encoder

        return Encoder(settings, tensors, **options).save(tmp_path / "w.onnx")

    return of


FILES = {
    "names": ((), {"folded": False}, "gelu"),
    "folded": (("model.order='pre'",), {}, "gelu"),
    "basic operators": (("model.order='pre'",), {"parts": True, "split": True}, "gelu"),
    "rms": (("model.norm='rms'", "model.layers=1"), {"parts": True, "activation": "Relu"}, "relu"),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_integers_are_those_of_the_tensors(kind, tmp_path, matweave, samples, write):
    overrides, options, activation = FILES[kind]
    settings = config.load("tiny_encoder", overrides)
    tensors = drawn(settings)
    out = tmp_path / "model.npz"
    ended = matweave("calibrate", "tiny_encoder", write(settings, tensors, **options), samples,
                     "-o", out, *(f"--set={each}" for each in overrides), "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    report = json.loads(ended.out)
    assert report["function"] == activation and "not_run" not in report
    details = floating.Details(activation, report["epsilon"])
    assert details.epsilon == pytest.approx(1e-3)
    expected = store.to_arrays(calibrate(settings, tensors, np.load(samples), details))
    with np.load(out) as found:
        assert set(found.files) == {*expected, "configuration_sha256"}
        assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert report["rms_error"] < 0.15 * report["rms"]


def test_what_is_another_model_is_one_line(tmp_path, matweave, samples, write):
    settings = config.load("tiny_encoder")
    tensors = drawn(settings)

    def error(*more, **options):
        path = write(settings, tensors, **options)
        ended = matweave("calibrate", "tiny_encoder", path, samples, "-o", tmp_path / "o.npz",
                         *more)  # fmt: skip
        assert ended.status == 2 and not (tmp_path / "o.npz").exists()
        return ended.error

    different = "w.onnx: its graph gives other results than this engine's model"
    assert different in error(heads=4)
    assert different in error(masked=True)
    names = "layers.0.self_attn.in_proj_weight, layers.0.self_attn.out_proj.weight, "
    shows = "no initializer has that name, and the graph does not show it: "
    message = error("--set=model.order='pre'")
    assert f"w.onnx: {names}" in message and shows in message
    assert "it has 2 parts of attention for 1 layers" in error("--set=model.layers=1")
    assert "it has 0 functions of layers.0's hidden layer" in error(activation="Abs")
    # With all names it is the graph as a whole that must do the same.
    assert different in error(activation="Abs", folded=False)
    assert "is 6 × 8 and must be 14 × 8 for this engine" in error("--set=model.hidden=14")
    (tmp_path / "w.onnx").write_bytes(b"nothing")
    ended = matweave("calibrate", "tiny_encoder", tmp_path / "w.onnx", samples, "-o", "o.npz")
    assert "w.onnx: cannot be read" in ended.error


def test_a_graph_that_cannot_be_run_is_told(tmp_path, matweave, samples, write):
    import onnx

    settings = config.load("tiny_encoder")
    path = write(settings, drawn(settings))
    model = onnx.load(path)
    nodes, x = model.graph.node, model.graph.input[0].name
    nodes.insert(0, onnx.helper.make_node("OfNobody", [x], ["other"], domain="no.such"))
    model.opset_import.append(onnx.helper.make_opsetid("no.such", 1))
    onnx.save(model, path)
    ended = matweave("calibrate", "tiny_encoder", path, samples, "-o", tmp_path / "o.npz")
    assert ended.status == 0
    assert "the file's graph was not compared with the float model: " in ended.out


def test_initializers_may_come_without_a_graph(tmp_path, matweave, samples):
    import onnx
    from onnx import helper, numpy_helper

    tensors = drawn(config.load("tiny_encoder"))
    values = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph([], "weights", [], [], values)
    onnx.save(helper.make_model(graph, ir_version=9), tmp_path / "w.onnx")
    ended = matweave("calibrate", "tiny_encoder", tmp_path / "w.onnx", samples, "-o",
                     tmp_path / "o.npz")  # fmt: skip
    assert ended.status == 0
    assert "not compared with the float model: it has no input or no output" in ended.out
    graph.initializer.pop()
    onnx.save(helper.make_model(graph, ir_version=9), tmp_path / "w.onnx")
    ended = matweave("calibrate", "tiny_encoder", tmp_path / "w.onnx", samples, "-o",
                     tmp_path / "less.npz")  # fmt: skip
    assert f"w.onnx: {list(tensors)[-1]}: no initializer has that name" in ended.error


@pytest.mark.slow
@pytest.mark.requires_tool("torch", "onnxscript")
@pytest.mark.parametrize("dynamo", [False, True], ids=["traced", "dynamo"])
@pytest.mark.parametrize("order", ["post", "pre"])
def test_files_of_pytorch(order, dynamo, tmp_path):
    import torch
    from torch import nn

    from matweave import calibrating

    torch.manual_seed(1)
    settings = config.load("tiny_encoder", [f"model.order='{order}'"])
    pre = order == "pre"
    model = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(
            8, 2, 6, activation="gelu", batch_first=True, norm_first=pre, layer_norm_eps=1e-4
        ),
        settings.model.layers,
        norm=nn.LayerNorm(8, 1e-4) if pre else None,
        enable_nested_tensor=False,
    ).eval()
    x = torch.randn(3, 5, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), tmp_path / "w.onnx", dynamo=dynamo, verbose=False)
    tensors, details, not_run = calibrating.read(tmp_path / "w.onnx", settings)
    assert not_run is None
    assert details.function == "gelu" and details.epsilon == pytest.approx(1e-4)
    assert set(tensors) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert np.array_equal(tensors[name], value.numpy()), name
    found = floating.encoder(x.numpy(), tensors, settings, details=details)
    np.testing.assert_allclose(found, model(x).detach().numpy(), atol=1e-5)
