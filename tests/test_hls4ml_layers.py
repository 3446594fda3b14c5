"""Every layer that hls4ml has and we build: bit-exact with its C++ emulation."""

import re

import numpy as np
import pytest

from matweave.hw.errors import ConfigError
from matweave.hw.fixed import Fixed
from matweave.hw.network.design import design
from matweave.hw.network.reading import read
from matweave.sim.golden import network as golden
from matweave.sim.stimuli import hls4ml_layers
from matweave.sim.stimuli.hls4ml_layers import SIDES, Side, converted, small

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")


def compare(side, folder, count):
    """Golden model and RTL with hls4ml's emulation, on the same inputs."""
    layers, config = side.model()
    x = side.inputs(count)
    theirs = converted(layers, config, "Vitis", folder / "theirs")
    theirs.compile()
    expected = theirs.predict(x).reshape(count, -1)
    ours = converted(layers, config, "Matweave", folder / "ours")
    network = read(ours)
    raw = golden.quantised(x.reshape(count, -1), network.input.result)
    results = golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction
    wrong = np.unique(np.argwhere(results != expected)[:, 1])
    assert not len(wrong), owners(network, wrong)
    ours.compile()
    assert (ours.predict(x) == expected).all()
    return expected


def owners(network, places):
    """Whose values are at these places of the result: for the message."""
    layer, found = network[network.output], set()
    while places is not None and type(layer).__name__ == "Select" and len(layer.sources) == 2:
        first = network[layer.sources[0]].size
        if (places >= first).any():
            found.add(network[layer.sources[1]].sources[0])
        places, layer = places[places < first], network[layer.sources[0]]
    return found | ({layer.name} if len(places) else set())


def test_a_few_layers_are_what_hls4ml_emulates(tmp_path):
    expected = compare(small(), tmp_path, 12_000)
    assert all(len(np.unique(column)) > 10 for column in expected.T)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIDES)
def test_layers_are_what_hls4ml_emulates(tmp_path, name):
    expected = compare(SIDES[name](), tmp_path, 12_000)
    assert sum(len(np.unique(column)) > 10 for column in expected.T) > 0.8 * expected.shape[1]


def softmax_of(count, option, folder):
    side = Side((count,), "fixed<10,4,RND,SAT>")
    hls4ml_layers.softmax(
        side, "probabilities", count, precision={"result": "ufixed<18,0,RND,SAT>"}
    )
    model = converted(*side.model(), "Matweave", folder)
    model.config.config["Softmax"] = option
    return read(model), side


def probabilities(count, option, folder, samples=500):
    network, side = softmax_of(count, option, folder)
    raw = golden.quantised(side.inputs(samples), network.input.result)
    x = raw * 2.0**-network.input.result.fraction
    expected = np.exp(x - x.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    return golden.predict(network, raw) * 2.0**-18, expected


@pytest.mark.parametrize("count", [2, 5, 16])
def test_the_exact_softmax_is_near_the_real_one(tmp_path, count):
    exact, expected = probabilities(count, "exact", tmp_path)
    theirs, _ = probabilities(count, "hls4ml", tmp_path)
    near = 2.0 ** -(13 - count.bit_length())  # half a step of the sum's table, which is 1 or more
    assert np.abs(exact - expected).max() < near
    assert np.abs(exact.sum(axis=1) - 1).max() < near
    assert np.abs(theirs.sum(axis=1) - 1).max() > 0.02  # hls4ml's tables: the reason for it


def test_another_softmax_is_refused(tmp_path):
    message = "softmax: 'exakt' is none; allowed are model, hls4ml, exact; did you mean 'exact'?"
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        softmax_of(3, "exakt", tmp_path)
    import hls4ml

    backend = hls4ml.backends.get_backend("Matweave")
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        backend.create_initial_config(softmax="exakt")
    assert backend.create_initial_config(softmax="exact")["Softmax"] == "exact"


def of_hgq(folder, sums):
    """HGQ2's QSoftmax over 8 values as its handler describes it, read."""
    from hls4ml.model.types import FixedPrecisionType, RoundingMode, SaturationMode

    def of(*parts, rounding="RND"):
        return FixedPrecisionType(*parts, RoundingMode[rounding], SaturationMode.SAT)

    side = Side((8,), "fixed<10,6>")
    hls4ml_layers.softmax(
        side, "weights", 8, _bit_exact=True, implementation="stable", exp_scale=0.25,
        inp_norm_t=of(9, 6, True), exp_table_t=of(7, 1, False, rounding="RND_CONV"),
        inv_inp_t=of(*sums), inv_table_t=of(8, 1, False, rounding="RND_CONV"),
        exp_table_size=512, inv_table_size=1 << sums[0], precision={"result": "ufixed<14,1>"},
    )  # fmt: skip
    return read(converted(*side.model(), "Matweave", folder)), side


@pytest.mark.parametrize("sums", [(7, 4, False), (1, -12, True)])
def test_softmax_of_hgq2_has_its_own_tables(tmp_path, sums):
    """Also where training left its quantiser of sums no bits: ``1 / 1e-7`` for all of them, which
    hls4ml's emulation, whose sums have three bits then, makes zeros of."""
    network, side = of_hgq(tmp_path, sums)
    raw = golden.quantised(side.inputs(3000), network.input.result)
    x = raw * 2.0**-network.input.result.fraction
    looked_up = np.clip(np.floor((x.max(axis=1, keepdims=True) - x) * 8 + 0.5) / 8, -32, 31.875)
    terms = np.clip(np.round(np.exp(-looked_up / 4) * 64), 0, 127) / 64
    to = Fixed(*sums)
    total = np.floor(terms.sum(axis=1, keepdims=True) * 2.0**to.fraction + 0.5)
    total = np.clip(total, to.min, to.max) * 2.0**-to.fraction
    inverse = np.clip(np.round(128 / (total + 1e-7)), 0, 255) / 128
    assert (golden.predict(network, raw) * 2.0**-13 == terms * inverse).all()
    assert len(np.unique(total)) > 10 or (sums[0] == 1 and (inverse == 255 / 128).all())


def test_tables_of_hgq2_are_bounded(tmp_path):
    message = "has sums that are looked up of 13 bits; train it with at most 12"
    with pytest.raises(ConfigError, match=message):
        of_hgq(tmp_path, (13, 4, False))


def dilated(side):
    hls4ml_layers.convolution(side, "c", (4, 4, 2), (2, 2), 2)
    side.layers[-1]["dilation_width"] = 2


def channels_first(side):
    hls4ml_layers.pooling(side, "p", "Max", (4, 4, 2), (2, 2), (2, 2), accum="fixed<8,4>",
                          result="fixed<8,4>")  # fmt: skip
    side.layers[-1]["data_format"] = "channels_first"


def large_table(side):
    side.add("Activation", "t", activation="tanh", n_in=32, config={"TableSize": 8192})


def folded(side):
    hls4ml_layers.convolution(side, "c", (4, 4, 2), (2, 2), 2)
    side.config["c"]["Strategy"] = "Unrolled"


def sum_of_one(side):
    side.add("EinsumDense", "e", equation="nhc,cd->nd", inp_shape=(4, 4, 2), out_shape=(4, 3),
             weight_data=side.normal(2, 3), bias_data=side.normal(3))  # fmt: skip


def bilinear(side):
    side.add("UpSampling2D", "u", in_height=4, in_width=4, n_chan=2, out_height=8, out_width=8,
             algorithm="bilinear")  # fmt: skip


REFUSED = {
    dilated: r"layer c \(Conv2D\): is dilated; use a dilation of 1",
    channels_first: r"layer p \(Pooling2D\): has its channels first; put them last",
    large_table: r"layer t \(Activation\): table_size is 8192; allowed are 1 to 4096",
    folded: r"layer c \(Conv2D\): Strategy is unrolled; allowed are Latency and Resource",
    sum_of_one: r"layer e \(EinsumDense\): the equation nhc,cd->nd sums one input alone",
    bilinear: r"layer u \(Resize\): the algorithm bilinear is none; allowed is nearest",
}


@pytest.mark.parametrize("change", REFUSED, ids=lambda change: change.__name__)
def test_what_is_refused_says_what_to_change(tmp_path, change):
    side = Side((4, 4, 2), "fixed<8,4>")
    change(side)
    with pytest.raises(ConfigError, match=f"^{REFUSED[change]}"):
        read(converted(*side.model(), "Matweave", tmp_path))


def test_a_convolution_that_is_too_large_is_refused_before_it_is_solved(tmp_path):
    side = Side((20, 20, 8), "fixed<8,4>")
    hls4ml_layers.convolution(side, "c", (20, 20, 8), (4, 4), 10, pad=(2, 1, 2, 1))
    message = r"network net: a cycle takes \d+ products, of which layer c \d+; an unrolled network"
    with pytest.raises(ConfigError, match=f"^{message}.*prune it, make its tensors smaller, or"):
        design(read(converted(*side.model(), "Matweave", tmp_path)))
