"""Layers on arrays: not a bit differs from the golden model, whatever the array is made of."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.cells import describe
from matweave.hw.errors import ConfigError
from matweave.hw.fixed import Fixed, FixedOverflow
from matweave.hw.network.design import design
from matweave.hw.network.fold import matrix
from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.fold.matrix_rtl import array
from matweave.hw.network.fold.options import Reuse
from matweave.hw.network.fold.sections import fold
from matweave.hw.network.layers import Dense, Input, Network, Relu
from matweave.sim.golden import network as golden
from matweave.sim.network import NetworkSimulator
from matweave.sim.stimuli import networks, token_networks


def real(network, raw):
    return golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction


WIDE = Fixed(30, 20)


def layer(inputs=6, outputs=4, *, rows=1, largest=31, accum=WIDE):
    x = Input("x", None, (rows * inputs,), Fixed(8, 4))
    weight = np.random.default_rng(inputs).integers(-largest - 1, largest + 1, (inputs, outputs))
    weight[0, 0] = largest
    dense = Dense(
        "d", "x", (rows, outputs), Fixed(12, 8), weight=weight, weight_format=Fixed(12, 8),
        bias=np.arange(rows * outputs), bias_format=Fixed(6, 4), accum=accum,
    )  # fmt: skip
    return Network("net", (x, dense), "d")


def perceptron():
    rng = np.random.default_rng(5)
    x = Input("x", None, (9,), Fixed(7, 3))
    first = networks.matrices(rng, x, "first", rows=1, outputs=16)
    relu = Relu("relu", "first", first.shape, first.result)
    last = networks.matrices(rng, relu, "last", rows=1, outputs=4)
    return Network("perceptron", (x, first, relu, last), "last")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 30), reuse=st.integers(3, 60), pe=st.sampled_from(["mac", "lut"]))
def test_arrays_change_no_bit(seed, reuse, pe):
    network = networks.for_arrays(seed)
    folded = fold(network, 1, reuse=Reuse(every=reuse if pe == "mac" else reuse + 12, pe=pe))
    assert sum(section.matrix is not None for section in folded.sections) == 2
    x = networks.inputs(network, seed, 200)
    results = evaluate(folded, x) * 2.0 ** np.array(folded.exponents)
    assert (results == real(network, x)).all()


@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("pe", matrix.pes())
@pytest.mark.parametrize("seed", [4, 21])
def test_the_rtl_of_every_pe(pe, seed):
    """Samples as close as they may come, and at distances of any length."""
    network = networks.for_arrays(seed)
    made = design(network, reuse=30 + seed, pe=pe)
    x = networks.inputs(network, seed, 3000)
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        results, outcome = simulator.run_raw(x)
        assert (simulator.real(results) == real(network, x)).all()
        performance = made.manifest["performance"]
        interval = performance["initiation_interval"]
        assert interval == 30 + seed
        cycles = (len(x) - 1) * interval + performance["latency"]
        assert outcome.last_out - outcome.first_in == cycles


@pytest.mark.requires_tool("verilator", "g++", "make")
@pytest.mark.parametrize("options", [{"fold": 3}, {"fold": 7, "reuse": {"last": 5}}])
def test_cycles_without_tokens(options):
    """What is not on an array goes by digits, and all values stay as long as a sample takes."""
    network = perceptron()
    made = design(network, **options)
    assert any(section.digits for section in made.folded.sections)
    x = networks.inputs(network, 6, 3000)
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        results, _ = simulator.run_raw(x)
        assert (simulator.real(results) == real(network, x)).all()


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 5), inputs=st.integers(1, 70), outputs=st.integers(1, 40),
    reuse=st.integers(1, 300), lookup=st.booleans(),
)  # fmt: skip
def test_shapes_are_the_smallest_that_are_in_time(rows, inputs, outputs, reuse, lookup):
    found = matrix.shape(rows, inputs, outputs, reuse, lookup)
    depths = range(2, 5) if lookup else range(1, inputs + 1)
    possible = [
        columns * depth
        for depth in depths for columns in range(1, outputs + 1)
        if rows * -(-inputs // depth) * -(-outputs // columns) <= reuse
    ]  # fmt: skip
    if found is None:
        assert not possible
        return
    assert found.steps == rows * -(-inputs // found.depth) * -(-outputs // found.columns) <= reuse
    if found.depth <= matrix.MAX_DEPTH:
        shallow = [
            columns * depth
            for depth in depths if depth <= matrix.MAX_DEPTH for columns in range(1, outputs + 1)
            if rows * -(-inputs // depth) * -(-outputs // columns) <= reuse
        ]  # fmt: skip
        assert found.columns * found.depth == min(shallow)


@pytest.mark.parametrize("pe", matrix.pes())
def test_the_latency_is_known_without_the_array(pe):
    spans = [(-128, 127, -4)] * 6
    for reuse in (2, 12, 24):
        made = matrix.Matrix(layer()["d"], spans, reuse, pe)
        kind, parameters = array(made)
        assert made.latency == made.steps + describe(kind, **parameters).latency + 1


def test_the_manifest_says_what_is_on_arrays():
    made = design(layer(), reuse={"d": 4})
    (row,) = made.manifest["arrays"]
    assert (row["layer"], row["pe"], row["a"], row["b"]) == ("d", "mac", "int8", "int6")
    assert (row["columns"], row["depth"], row["cycles"], row["multipliers"]) == (1, 6, 4, 6)
    assert not design(layer()).manifest["arrays"]


ROUNDS = Fixed(10, 8)
SATURATES = Fixed(30, 20, True, overflow=FixedOverflow.SAT)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (layer(accum=ROUNDS), {"reuse": {"d": 4}},
         "^layer d: its accumulator fixed.* rounds products or saturates; give it"),
        (layer(accum=SATURATES), {"reuse": {"d": 4}}, "^layer d: its accumulator"),
        (layer(), {"reuse": {"e": 4}}, "^reuse: e is no layer of network net"),
        (layer(), {"reuse": {"d": 0}}, "^reuse of layer d: must be 1 to 4096 cycles, not 0$"),
        (layer(), {"reuse": 2.0}, "^reuse: must be a number of cycles, not 2.0$"),
        (layer(), {"dsps": "3"}, "^dsps: must be 0 or more products, not '3'$"),
        (layer(), {"dsps": 2.5}, "^dsps: must be 0 or more products, not 2.5$"),
        (layer(), {"reuse": True}, "^reuse: must be a number of cycles"),
        (layer(), {"reuse": {"d": 4}, "pe": "mec"}, "^pe: 'mec' is none; .* did you mean 'mac'"),
        (layer(), {"reuse": 4, "pe": "opt2"}, "^pe: 'opt2' is none"),
        (layer(rows=5), {"reuse": {"d": 4}}, "^layer d: 5 rows of 6 inputs are too many for 4"),
        (layer(largest=1000), {"reuse": {"d": 8}, "pe": "lut"},
         "^layer d: its weights take 11 bits, and an array of lut at most 8"),
        (layer(), {"reuse": {"x": 4}}, "^reuse: x is no layer"),
        (token_networks.tagger(1), {"fold": 4, "reuse": {"dense2": 4}}, "^layer dense2: comes to"),
        (token_networks.tagger(1), {"reuse": {"relu3": 4}}, "^layer relu3: has no weights"),
    ],
)  # fmt: skip
def test_what_cannot_be_on_an_array_is_refused(network, options, message):
    with pytest.raises(ConfigError, match=message):
        design(network, **options)


def test_a_budget_gives_the_fewest_cycles_that_fit():
    network = perceptron()
    taken = design(network).manifest["estimate"]["luts"]
    found = [design(network, luts=share * taken // 100, dsps=4) for share in (100, 60)]
    intervals = [each.manifest["performance"]["initiation_interval"] for each in found]
    assert intervals[0] == 1 < intervals[1]
    assert found[1].manifest["estimate"]["luts"] <= 60 * taken // 100
    assert found[1].manifest["estimate"]["multipliers"] <= 4
    again = design(network, **found[1].options)
    assert again.verilog == found[1].verilog
    x = networks.inputs(network, 2, 200)
    results = evaluate(found[1].folded, x) * 2.0 ** np.array(found[1].folded.exponents)
    assert (results == real(network, x)).all()


@pytest.mark.parametrize(("rows", "inputs", "pe"), [(5, 6, "mac"), (1, 20, "lut")])
def test_a_budget_tries_more_cycles_where_arrays_are_not_in_time(rows, inputs, pe):
    """In two cycles no array makes five rows, and none of tables 20 inputs."""
    network = layer(inputs, rows=rows)
    found = design(network, luts=design(network).manifest["estimate"]["luts"] // 2, dsps=20, pe=pe)
    assert found.options["fold"] > 2
    assert found.manifest["arrays"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"luts": 3}, "^luts: 3 with 0 DSP blocks are too few for network .*, which takes about"),
        ({"luts": 0}, "^luts: must be a number above 0, not 0$"),
        ({"luts": 900, "fold": 2}, "^fold: is chosen by the budget of luts; give one of them$"),
        ({"luts": 900, "reuse": 2}, "^reuse: is chosen by the budget"),
        ({"luts": 900, "fold": "stream"}, "^luts: a streamed network has no budget; leave it out"),
        ({"stages": "3"}, "^stages: must be a whole number, not '3'$"),
        ({"period": True}, "^period: must be a number of ns above 0, not true$"),
    ],
)
def test_options_that_are_none(options, message):
    with pytest.raises(ConfigError, match=message):
        design(networks.for_arrays(1), **options)
