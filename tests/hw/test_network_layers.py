"""Every kind of layer in odd formats: graph and hardware equal to the golden model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.network import layers as kinds
from matweave.hw.network import store
from matweave.hw.network.lower import MAKERS as LOWERED
from matweave.hw.network.pipeline import place
from matweave.hw.network.timing import FAMILIES
from matweave.sim.golden import network as golden
from matweave.sim.pipelines import packed, raw_results, simulated, unfolded
from matweave.sim.stimuli import networks
from matweave.sim.stimuli.network_layers import MAKERS, around


def test_every_kind_is_everywhere():
    known = set(kinds.KINDS) - {"Input"}
    assert {each.__name__ for each in LOWERED} == set(golden.LAYERS) == known
    assert set(MAKERS) - {"Rows"} == known - {"Reshape"}


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_the_graph_is_the_golden_model(kind, seed):
    network = around(kind, seed)
    x = networks.inputs(network, seed, 150)
    folded, graph = unfolded(network)
    results = graph.evaluate(x)
    assert (raw_results(folded, network, results) == golden.predict(network, x)).all()
    for index, column in zip(graph.outputs, results.T, strict=True):
        assert graph[index].low <= column.min() <= column.max() <= graph[index].high


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_the_pipeline_is_the_graph(kind, seed):
    network = around(kind, seed)
    x = networks.inputs(network, seed, 40)
    _, graph = unfolded(network)
    expected = [packed(graph, graph.outputs, row) for row in graph.evaluate(x)]
    assert simulated(graph, place(graph, FAMILIES["xcup"], stages=1 + seed % 3), x) == expected


@pytest.mark.parametrize("kind", MAKERS)
def test_tables_give_the_network_back(kind):
    for seed in range(5):
        network = around(kind, seed)
        tables = store.to_tables(network)
        again = store.from_tables(tables)
        assert store.to_tables(again) == tables
        x = networks.inputs(network, 1, 20)
        assert (golden.predict(network, x) == golden.predict(again, x)).all()


@pytest.mark.parametrize("kind", MAKERS)
def test_what_python_integers_give_is_what_int64_gives(kind, monkeypatch):
    for seed in range(20):
        network = around(kind, seed)
        x = networks.inputs(network, seed, 50)
        results = golden.predict(network, x)
        with monkeypatch.context() as patch:
            patch.setattr(golden, "_largest", lambda _: 99)
            assert (golden.predict(network, x) == results).all()


def test_rows_of_equal_weights_are_solved_once(monkeypatch):
    from matweave.hw.network import cmvm

    solved = []
    best = cmvm.best
    monkeypatch.setattr(cmvm, "best", lambda *args: solved.append(1) or best(*args))
    rng = np.random.default_rng(1)
    x = kinds.Input("x", None, (16, 3), networks.Fixed(6, 3))
    to = networks.Fixed(5, 2)
    accum = networks.exact_accumulator(x.result, to, to, 3)
    bias = networks.integers(rng, to, 64)
    dense = kinds.Dense("d", "x", (16, 4), accum, networks.integers(rng, to, (3, 4)), to, bias, to,
                        accum)  # fmt: skip
    network = kinds.Network("n", (x, dense), "d")
    folded, graph = unfolded(network)
    assert len(solved) == 1
    rows = networks.inputs(network, 1, 100)
    results = raw_results(folded, network, graph.evaluate(rows))
    assert (results == golden.predict(network, rows)).all()
