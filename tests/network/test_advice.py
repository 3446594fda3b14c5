"""What hls4ml does as it was told, and nobody meant, is a warning of one line."""

import warnings

import numpy as np
import pytest

from matweave.hw.network.advice import advice

pytestmark = pytest.mark.requires_tool("hls4ml")


def model(layers, config, folder=None):
    from hls4ml.model import ModelGraph

    settings = {
        "OutputDir": str(folder), "ProjectName": "net", "Backend": "Matweave",
        "IOType": "io_parallel",
        "HLSConfig": {
            "Model": {"Precision": "fixed<16,6>", "ReuseFactor": 1, "BitExact": False},
            "LayerName": {name: {"Precision": {"result": to}} for name, to in config.items()},
        },
    }  # fmt: skip
    first = {"class_name": "InputLayer", "name": "x", "input_shape": [4]}
    return ModelGraph.from_layer_list(settings, [first, *layers])


ROUND = {"class_name": "Activation", "activation": "linear", "name": "q", "n_in": 4}
PER_VALUE = {
    "class_name": "FixedPointQuantizer", "name": "q", "RND": "RND_CONV", "SAT": "SAT",
    "mask_kbi": tuple(np.full((1, 4), each, np.int16) for each in (1, 6, 3)), "fusible": None,
    "overrides": {},
}  # fmt: skip
SCALE = {
    "class_name": "ApplyAlpha", "name": "s", "n_in": 4, "n_filt": -1, "scale_data": np.ones(4) * 3,
    "bias_data": np.zeros(4), "scale_quantizer": None, "bias_quantizer": None,
    "scale_precision": None, "bias_precision": None,
}  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "config", "mode"),
    [
        ([ROUND], {"q": "fixed<8,3,RND_CONV,SAT>"}, "RND_CONV"),  # as QONNX has it
        ([ROUND], {"q": "fixed<16,5,RND,SAT>"}, "RND"),  # finer than the input
        ([PER_VALUE], {}, "RND_CONV"),
        ([SCALE, ROUND], {"q": "fixed<8,3,RND,SAT>"}, "RND"),
    ],
)
def test_an_input_that_is_truncated_before_it_is_rounded(layers, config, mode):
    (line,) = advice(model(layers, config))
    assert line.startswith("layer x (Input): its type fixed<16,6,TRN,WRAP> truncates inputs before")
    assert f"q rounds them ({mode}); give it a type in hls_config" in line


@pytest.mark.parametrize(
    ("layers", "config"),
    [
        ([ROUND], {"q": "fixed<8,3,RND,SAT>"}),  # the half is in the bits that stay
        ([ROUND], {"q": "fixed<8,3,TRN,SAT>"}),
        ([ROUND], {"q": "fixed<8,3,RND_CONV,SAT>", "x": "fixed<16,6,RND_CONV>"}),
        ([], {}),
    ],
)
def test_other_inputs_are_as_meant(layers, config):
    assert not advice(model(layers, config))


def softmax(**attributes):
    layer = {"class_name": "Softmax", "name": "s", "activation": "softmax", "n_in": 4}
    return model([ROUND, layer | attributes], {"q": "fixed<38,18>"})


def test_a_softmax_of_wide_logits_is_a_warning_before_it_is_refused(tmp_path):
    (line,) = advice(softmax())
    assert line.startswith(
        "layer s (Softmax): its inputs, fixed<38,18,TRN,WRAP,0>, are seen by a table of 1024 "
        "entries in steps of 128, which is too coarse"
    )
    assert not advice(
        model([{"class_name": "Softmax", "name": "s", "activation": "softmax", "n_in": 4}], {})
    )
    made = model([ROUND], {"q": "fixed<8,3,RND_CONV,SAT>"}, tmp_path)
    with pytest.warns(UserWarning, match=r"^layer x \(Input\): its type"):
        made.write()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model([], {}, tmp_path).write()


def test_a_table_of_two_reciprocals_is_a_warning():
    line = advice(softmax(inv_table_size=2))[-1]
    assert line.startswith("layer s (Softmax): its table of reciprocals has 2 entries")
