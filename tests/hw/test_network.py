"""Networks in the adder graph and as hardware: equal to the golden model, bit for bit."""

import dataclasses
import itertools
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.errors import ConfigError
from matweave.hw.fixed import Fixed
from matweave.hw.network import store
from matweave.hw.network.adders import width
from matweave.hw.network.design import design
from matweave.hw.network.graph import Graph
from matweave.hw.network.layers import Affine, Cast, Dense, Input, Network, Relu, Reshape
from matweave.hw.network.lower import linear
from matweave.hw.network.pipeline import place
from matweave.hw.network.timing import FAMILIES, delay
from matweave.sim.golden import network as golden
from matweave.sim.pipelines import packed, raw_results, simulated, unfolded
from matweave.sim.stimuli import networks
from matweave.sim.stimuli.networks import MODES

XCUP = FAMILIES["xcup"]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_the_graph_is_the_golden_model(seed):
    network = networks.network(seed)
    x = networks.inputs(network, seed, 200)
    folded, graph = unfolded(network)
    results = graph.evaluate(x)
    assert (raw_results(folded, network, results) == golden.predict(network, x)).all()
    for index, column in zip(graph.outputs, results.T, strict=True):
        assert graph[index].low <= column.min() <= column.max() <= graph[index].high


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1 << 30), stages=st.integers(1, 4))
def test_the_pipeline_is_the_graph(seed, stages):
    network = networks.network(seed)
    x = networks.inputs(network, seed, 40)
    _, graph = unfolded(network)
    expected = [packed(graph, graph.outputs, row) for row in graph.evaluate(x)]
    assert simulated(graph, place(graph, XCUP, stages=stages), x) == expected


def test_a_difference_of_which_only_low_bits_are_needed():
    """Of ``(a << left) - b`` the lowest ``left`` bits are those of ``-b``: nothing of a is read."""
    x, accum = Input("x", None, (3,), Fixed(8, 8)), Fixed(16, 16)
    dense = Dense(
        "d", "x", (1,), Fixed(4, 4), weight=np.array([[16], [-1], [16]]),
        weight_format=Fixed(6, 6), bias=np.zeros(1, int), bias_format=Fixed(4, 4), accum=accum,
    )  # fmt: skip
    network = Network("n", (x, dense), "d")
    _, graph = unfolded(network)
    rows = networks.inputs(network, 1, 50)
    expected = [packed(graph, graph.outputs, row) for row in golden.predict(network, rows)]
    assert simulated(graph, place(graph, XCUP, stages=1), rows) == expected


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: f"{mode[0].value}-{mode[1].value}")
def test_a_quantiser_is_right_for_every_value(mode):
    """The hardware of every mode, signed and unsigned, for all values of 6 bits."""
    formats = [Fixed(w, w - f, bool(s), *mode)
               for w, f, s in itertools.product((1, 2, 3, 4), (-1, 0, 2), (0, 1))]  # fmt: skip
    for source in (Fixed(6, 3, True), Fixed(6, 3, False)):
        wide = Fixed(16, 10)
        x = Input("x", None, (len(formats),), source)
        network = Network("q", (x, Cast("c", "x", x.shape, wide, tuple(formats))), "c")
        values = np.arange(source.min, source.max + 1)
        rows = np.repeat(values[:, None], len(formats), axis=1)
        folded, graph = unfolded(network)
        expected = golden.predict(network, rows)
        assert (raw_results(folded, network, graph.evaluate(rows)) == expected).all()
        results = [packed(graph, graph.outputs, row) for row in graph.evaluate(rows)]
        assert simulated(graph, place(graph, XCUP, stages=1), rows) == results


def mlp(seed, *sizes, name="mlp"):
    """Layers with ReLU and an 8-bit format between them."""
    rng = np.random.default_rng(seed)
    layers = [Input("x", None, (sizes[0],), Fixed(6, 3))]
    for at, outputs in enumerate(sizes[1:]):
        weight, bias = Fixed(5, 1), Fixed(5, 2)
        accum = networks.exact_accumulator(layers[-1].result, weight, bias, layers[-1].size)
        layers.append(
            Dense(
                f"dense{at}", layers[-1].name, (outputs,), accum,
                weight=networks.integers(rng, weight, (layers[-1].size, outputs)),
                weight_format=weight, bias=networks.integers(rng, bias, outputs),
                bias_format=bias, accum=accum,
            )
        )  # fmt: skip
        if at + 2 < len(sizes):
            relu = Fixed(6, 5, False, *MODES[8])  # RND, WRAP
            layers.append(Relu(f"relu{at}", layers[-1].name, (outputs,), relu))
    return Network(name, tuple(layers), layers[-1].name)


def test_halves_go_into_the_sums(monkeypatch):
    """Rounding half up after a ReLU costs no adder where there is a bias; else one per neuron."""
    network = mlp(3, 8, 6, 4)
    first = dataclasses.replace(network["dense0"], bias=np.array([1, -2, 3, 4, -5, 6]))
    network = dataclasses.replace(network, layers=(network.input, first, *network.layers[2:]))

    def adders():
        _, graph = unfolded(network)
        return sum(graph[i].op == "add" for i in graph.live())

    inside = adders()
    monkeypatch.setattr(linear, "half", lambda *_: None)
    assert adders() == inside + 6


@pytest.mark.parametrize("stages", [1, 2, 3, 7])
@pytest.mark.parametrize("family", FAMILIES)
def test_stages_are_in_order_and_within_the_period(stages, family):
    _, graph = unfolded(mlp(1, 8, 8, 8, 4))
    placed = place(graph, FAMILIES[family], stages=stages)
    arrival = {}
    for index in graph.live():
        node = graph[index]
        assert 0 <= placed.of[index] < stages
        assert all(placed.of[each] <= placed.of[index] for each in node.args)
        before = [arrival[each] for each in node.args if placed.of[each] == placed.of[index]]
        arrival[index] = max(before, default=0.0) + delay(graph, index, FAMILIES[family])
    slowest = max(arrival.values()) + FAMILIES[family].register
    assert slowest == pytest.approx(placed.period)
    again = place(graph, FAMILIES[family], period=placed.period)
    assert again.count <= stages
    assert again.period <= placed.period * (1 + 1e-6)


def test_a_shorter_period_takes_more_stages():
    _, graph = unfolded(mlp(2, 12, 12, 6))
    counts = [place(graph, XCUP, period=period).count for period in (1.2, 2.0, 4.0, 40.0)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[2] > counts[3] == 1


def test_registers_hold_what_is_needed_only():
    """A rank of registers behind a ReLU and its format holds the format's bits."""
    network = mlp(5, 8, 8, 8, 4)
    _, graph = unfolded(network)
    placed = place(graph, XCUP, stages=3)
    most = 2 * 8 * 6 + sum(graph[i].width for i in graph.outputs)
    assert placed.register_bits <= most


@pytest.mark.parametrize("wanted", [{"stages": 0}, {"stages": 65}, {"period": 0.5}])
def test_what_no_pipeline_can_be_is_refused(wanted):
    with pytest.raises(ConfigError, match=r"stages: must be 1 to 64|clock: no 64 stages"):
        design(mlp(1, 4, 4), **wanted)


def test_signals_that_are_too_wide_are_refused():
    x = Input("x", None, (4096,), Fixed(17, 4))
    network = Network("wide", (x, Reshape("y", "x", (4096,), x.result)), "y")
    message = r"^network wide: takes a signal of \d+ bits, and 65000 are the most; make its tensors"
    with pytest.raises(ConfigError, match=message):
        _ = design(network).verilog


def test_the_same_network_gives_the_same_verilog():
    first, second = (design(mlp(7, 6, 5, 4)) for _ in range(2))
    assert first.verilog == second.verilog
    assert first.manifest == second.manifest


HASHED = """
import hashlib
from matweave.hw.network.design import design
from matweave.sim.stimuli import networks
for seed in range(4):
    files = design(networks.network(seed)).files
    print(hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""


def test_files_do_not_depend_on_the_order_of_sets():
    printed = [
        subprocess.run(
            [sys.executable, "-c", HASHED], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert printed[0] == printed[1]
    assert len(set(printed[0].split())) == 4


def test_tables_give_the_network_back():
    for seed in range(20):
        network = networks.network(seed)
        tables = store.to_tables(network)
        again = store.from_tables(tables)
        assert store.to_tables(again) == tables
        x = networks.inputs(network, 1, 20)
        assert (golden.predict(network, x) == golden.predict(again, x)).all()


@pytest.mark.parametrize("tables", [{}, {"layers": [{}]}, {"name": 1, "layers": 3, "output": "x"}])
def test_other_tables_are_refused(tables):
    with pytest.raises(ConfigError, match="is not what matweave writes"):
        store.from_tables(tables)


def changed(layer, **changes):
    def change(tables):
        tables["layers"][layer] |= changes

    return change


BROKEN = {
    "no layers": (lambda tables: tables["layers"].clear(), "network n: must begin with its Input"),
    "no input": (lambda tables: tables["layers"].pop(0), "network n: must begin with its Input"),
    "second input": (lambda tables: tables["layers"].insert(1, tables["layers"][0] | {"name": "y"}),
                     "layer y: is a second Input"),
    "names": (changed(2, name="d"), "layer d: has the name of another layer"),
    "source": (changed(1, sources=["z"]), "layer d: takes its values from z, which is no layer"),
    "later source": (changed(1, sources=["a"]),
                     "layer d: takes its values from a, which is no layer"),
    "no source": (changed(1, sources=[]), "layer d: has 0 sources; it must have 1"),
    "two sources": (changed(1, sources=["x", "x"]), "layer d: has 2 sources; it must have 1"),
    "output": (lambda tables: tables.update(output="z"), "network n: its output z is none"),
    "shape": (changed(0, shape=[0]), "layer x: has the shape [0]"),
    "too many": (changed(0, shape=[1 << 19]), "layer x: has 524288 values; allowed are 262144"),
    "weight": (changed(1, weight=[[1, 2]]), "layer d: weight has the shape [1, 2]; it must be [2,"),
    "flat weight": (changed(1, weight=[1, 2]), "layer d: weight has the shape [2]"),
    "bias": (changed(1, bias=[1]), "layer d: bias has the shape [1]; it must be [2]"),
    "scale": (changed(2, scale=[1, 2, 3]), "layer a: scale has the shape [3]; it must be [2]"),
    "large": (changed(1, bias=[1, 99]), "layer d: bias has numbers that are none of fixed<4,4,"),
    "huge": (changed(1, bias=[1, 1 << 70]), "network: is not what matweave writes"),
    "values": (changed(3, shape=[3]), "layer r: has 3 values, but a, its source, 2"),
    "formats": (changed(4, formats=[None]), "layer c: has 1 formats for 2 values"),
    "reshape": (changed(5, result=[4, 4, True, "RND", "WRAP"]),
                "layer w: has the format fixed<4,4,RND,WRAP>, but c, its source, another"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_network_that_does_not_fit_together_names_the_layer(what):
    to, pair = Fixed(4, 4), (2,)
    both = {"bias": np.ones(2, int), "bias_format": to}
    layers = (
        Input("x", None, pair, to),
        Dense("d", "x", pair, to, np.eye(2, dtype=int), to, **both, accum=Fixed(9, 9)),
        Affine("a", "d", pair, to, np.ones(2, int), to, **both),
        Relu("r", "a", pair, to),
        Cast("c", "r", pair, to, (to, None)),
        Reshape("w", "c", (2, 1), to),
    )
    tables = store.to_tables(Network("n", layers, "w"))
    change, message = BROKEN[what]
    change(tables)
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}"):
        store.from_tables(tables)


def test_a_name_that_is_no_module_is_refused():
    with pytest.raises(ConfigError, match="project name 'a b': is not a name"):
        design(mlp(1, 2, 2, name="a b"))


def test_nodes_that_change_nothing_are_none():
    graph = Graph()
    x = graph.input(0, -8, 7)
    assert graph.wrap(x, 4, True) == x
    assert graph.clamp(x, -8, 7) == x
    assert graph.negate(graph.negate(x)) == x
    positive = graph.relu(x)
    assert graph.relu(positive) == positive
    assert (graph[positive].low, graph[positive].high, graph[positive].width) == (0, 7, 3)
    assert graph.add(x, x, right=2) == graph.add(x, x, left=2)
    assert [width(*each) for each in ((0, 0), (0, 1), (-1, 0), (-8, 7), (0, 255))] == [
        0,
        1,
        1,
        4,
        8,
    ]


def test_no_more_samples_are_taken_than_there_is_room_for():
    made = design(mlp(4, 3, 3, 3))
    engine, parameters = made.component
    dut = engine(**parameters)
    taken = []

    async def bench(ctx):
        ctx.set(dut.s_axis_x_tvalid, 1)
        for _ in range(3 * dut.depth):
            taken.append(ctx.get(dut.s_axis_x_tready))
            await ctx.tick()
        assert ctx.get(dut.m_axis_y_tvalid)

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    assert sum(taken) == dut.depth > dut.latency
