"""ONNX and PyTorch models by hls4ml's front ends: in every bit what hls4ml emulates."""

import numpy as np
import pytest

from matweave.hw.errors import ConfigError
from matweave.model_file import load_graph

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")


def compare(convert, folder):
    x = np.random.default_rng(1).normal(0, 4, (10_000, 4)).astype(np.float32)
    ours, theirs = (convert(each, str(folder / each)) for each in ("Matweave", "Vitis"))
    for model in (ours, theirs):
        model.compile()
    expected = theirs.predict(x)
    assert (ours.predict(x) == expected).all()
    assert len(np.unique(expected)) > 100


def onnx_file(path, *, turned=False):
    """Gemm, Relu, Gemm; ``turned``: with a Transpose that does not say how."""
    import onnx
    from onnx import helper

    rng = np.random.default_rng(1)
    sizes = {"w": (4, 3), "b": (3,), "v": (3, 2), "c": (2,)}
    weights = [
        onnx.numpy_helper.from_array(rng.normal(0, 1, shape).astype(np.float32), name)
        for name, shape in sizes.items()
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"], name="second"),
    ]
    shape = [1, 2]
    if turned:
        nodes.append(helper.make_node("Transpose", ["y"], ["z"], name="turn"))
        shape = [2, 1]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, size)
        for name, size in (("x", [1, 4]), ("z" if turned else "y", shape))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], weights)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


@pytest.mark.slow
@pytest.mark.requires_tool("onnx", "qonnx")
def test_onnx_with_gemm(tmp_path):
    path = onnx_file(tmp_path / "net.onnx")
    compare(lambda backend, folder: load_graph(path, backend=backend, folder=folder), tmp_path)


@pytest.mark.slow
@pytest.mark.requires_tool("onnx", "qonnx")
def test_a_transpose_without_its_order_is_refused(tmp_path):
    path = onnx_file(tmp_path / "net.onnx", turned=True)
    with pytest.raises(ConfigError, match=r"^net\.onnx: node \w+ \(Transpose\): has no perm"):
        load_graph(path)


@pytest.mark.slow
@pytest.mark.requires_tool("torch")
def test_pytorch(tmp_path):
    import hls4ml
    import torch

    torch.manual_seed(1)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Linear(5, 3)).eval()

    def convert(backend, folder):
        config = hls4ml.utils.config_from_pytorch_model(
            model, (4,), granularity="name", backend=backend, default_precision="fixed<16,6>"
        )
        return hls4ml.converters.convert_from_pytorch_model(
            model, output_dir=folder, backend=backend, hls_config=config
        )

    compare(convert, tmp_path)
