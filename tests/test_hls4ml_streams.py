"""hls4ml's ``io_stream``: bit-exact with its C++ emulation of the same streams."""

import re

import numpy as np
import pytest

from matweave.hw.errors import ConfigError
from matweave.hw.network.design import design
from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.reading import read
from matweave.sim.golden import network as golden
from matweave.sim.stimuli import hls4ml_images, hls4ml_layers
from matweave.sim.stimuli.hls4ml_images import IMAGES, NOT_THEIRS
from matweave.sim.stimuli.hls4ml_layers import Side, converted

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")

THEIRS = [name for name in IMAGES if name not in NOT_THEIRS]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n == "series" else pytest.mark.slow) for n in THEIRS]
)
def test_streams_are_what_hls4ml_emulates(tmp_path, name):
    side, count = IMAGES[name](), 1000
    x = side.inputs(count)
    theirs = converted(side.layers, side.config, "Vitis", tmp_path / "theirs", "io_stream")
    theirs.compile()
    expected = theirs.predict(x).reshape(count, -1)
    ours = converted(side.layers, side.config, "Matweave", tmp_path / "ours", "io_stream")
    network = read(ours)
    raw = golden.quantised(x.reshape(count, -1), network.input.result)
    results = golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction
    assert (results == expected).all()
    ours.compile()
    assert (ours.predict(x) == expected).all()
    assert all(len(np.unique(column)) > 10 for column in expected.T)


def averaged(side):
    hls4ml_layers.pooling(side, "p", "Average", (4, 4, 2), (3, 3), (1, 1), (1, 1, 1, 1),
                          accum="fixed<14,8>", result="fixed<10,4>")  # fmt: skip


def larger(side):
    side.add("UpSampling2D", "u", in_height=4, in_width=4, n_chan=2, out_height=8, out_width=8,
             algorithm="nearest")  # fmt: skip
    hls4ml_layers.convolution(side, "c", (8, 8, 2), (3, 3), 2, source="u")


def test_padding_by_a_layer_of_its_own_is_the_window_s(tmp_path):
    """Also behind cropping; and cropping in front of a pool."""
    side = Side((5, 5, 2), "fixed<6,3>")
    side.add("Cropping2D", "cropped", in_height=5, in_width=5, n_chan=2, out_height=5, out_width=4,
             crop_top=0, crop_bottom=0, crop_left=1, crop_right=0)  # fmt: skip
    side.add("ZeroPadding2D", "padded", "cropped", in_height=5, in_width=4, n_chan=2, out_height=7,
             out_width=6, pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)  # fmt: skip
    hls4ml_layers.convolution(side, "c", (7, 6, 2), (3, 3), 2, source="padded")
    side.add("Cropping2D", "again", "c", in_height=5, in_width=4, n_chan=2, out_height=4,
             out_width=4, crop_top=0, crop_bottom=1, crop_left=0, crop_right=0)  # fmt: skip
    hls4ml_layers.pooling(side, "p", "Max", (4, 4, 2), (2, 2), (2, 2), accum="fixed<10,6>",
                          result="fixed<10,6>", source="again")  # fmt: skip
    network = read(converted(side.layers, side.config, "Matweave", tmp_path, "io_stream"))
    folded = fold(network, 25, streamed=True)
    assert [each.layers for each in folded.sections] == [("c_patches", "c"), ("p",)]
    x = golden.quantised(side.inputs(300).reshape(300, -1), network.input.result)
    results = evaluate(folded, x) * 2.0 ** np.array(folded.exponents * folded.pace.tokens)
    fraction = network[network.output].result.fraction
    assert (results == golden.predict(network, x) * 2.0**-fraction).all()


@pytest.mark.parametrize(("change", "layer"), [(averaged, "p"), (larger, "c")])
def test_what_cannot_be_streamed_says_what_to_change(tmp_path, change, layer):
    side = Side((4, 4, 2), "fixed<8,4>")
    change(side)
    network = read(converted(side.layers, side.config, "Matweave", tmp_path, "io_stream"))
    with pytest.raises(ConfigError, match=rf"^layer {layer}: cannot be streamed: .*io_parallel"):
        design(network, fold="stream")
    design(network)


def test_a_convolution_that_is_too_large_unrolled_can_be_streamed(tmp_path):
    side = Side((32, 32, 3), "ufixed<4,4>")
    hls4ml_layers.convolution(side, "c", (32, 32, 3), (3, 3), 5, pad=(1, 1, 1, 1))
    network = read(converted(side.layers, side.config, "Matweave", tmp_path, "io_stream"))
    made = design(network, fold="stream")
    assert made.manifest["performance"]["initiation_interval"] == 1024
    with pytest.raises(ConfigError, match="values; an unrolled network may have at most 4096"):
        design(network)


@pytest.mark.parametrize(
    ("io_type", "fold", "message"),
    [
        ("io_serial", None, "io_type: 'io_serial' is none; allowed are io_parallel, io_stream"),
        ("io_stream", 4, "fold: must be left out with io_type='io_stream', which takes a pixel"),
    ],
)
def test_other_ways_to_stream_are_refused(tmp_path, io_type, fold, message):
    side = hls4ml_images.series()
    model = converted(side.layers, side.config, "Matweave", tmp_path, io_type)
    model.config.config["Fold"] = fold
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        model.compile()
