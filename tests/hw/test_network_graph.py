"""Operations of the adder graph: values, intervals and hardware, for every value of operands."""

import itertools

import numpy as np
import pytest

from matweave.hw.fixed import FixedRounding
from matweave.hw.network.graph import MAX_TABLE, Graph
from matweave.hw.network.pipeline import place
from matweave.hw.network.timing import FAMILIES
from matweave.sim.pipelines import packed, simulated

OPERANDS = [(-4, 3), (0, 7), (-7, -1), (-5, 2), (3, 5)]
"""Signed, unsigned, never positive, odd ends, without zero."""


def graph_of(intervals, build):
    """A graph with inputs of those intervals, whose outputs ``build`` makes."""
    graph = Graph()
    inputs = [graph.input(at, *each) for at, each in enumerate(intervals)]
    graph.outputs = build(graph, *inputs)
    return graph


def checked(graph, expected, *, stages=1):
    """All values of the inputs through evaluation and hardware; ``expected``: of their row."""
    spans = [range(graph[i].low, graph[i].high + 1) for i in graph.inputs]
    rows = np.array(list(itertools.product(*spans)))
    results = np.array([expected(*(int(v) for v in row)) for row in rows])
    assert (graph.evaluate(rows) == results).all()
    for index, column in zip(graph.outputs, results.T, strict=True):
        assert graph[index].low <= column.min() <= column.max() <= graph[index].high
    placed = place(graph, FAMILIES["xcup"], stages=stages)
    expected = [packed(graph, graph.outputs, row) for row in results]
    assert simulated(graph, placed, rows) == expected
    return results


@pytest.mark.parametrize(("a", "b"), list(itertools.product(OPERANDS, OPERANDS)), ids=str)
def test_two_variables(a, b):
    def build(graph, x, y):
        return [graph.multiply(x, y), graph.maximum(x, y), graph.minimum(x, y),
                graph.wrap(graph.multiply(x, y), 3, True)]  # fmt: skip

    def expected(x, y):
        return x * y, max(x, y), min(x, y), (x * y + 4) % 8 - 4

    graph = graph_of([a, b], build)
    results = checked(graph, expected)
    for index, column in zip(graph.outputs[:3], results.T, strict=False):
        assert (graph[index].low, graph[index].high) == (column.min(), column.max())


def test_a_square_is_never_negative():
    graph = graph_of([(-5, 3)], lambda graph, x: [graph.multiply(x, x)])
    checked(graph, lambda x: (x * x,))
    assert graph[graph.outputs[0]].low == 0


@pytest.mark.parametrize("factor", [-7, -1, 0, 1, 6, 15])
def test_a_constant_factor_is_additions(factor):
    graph = graph_of([(-5, 3)], lambda graph, x: [graph.multiply(x, graph.constant(factor))])
    checked(graph, lambda x: (x * factor,))
    assert not any(graph[i].op == "multiply" for i in graph.live())


def test_a_choice_by_sign():
    def build(graph, x, y, z):
        return [graph.select(x, y, z), graph.wrap(graph.select(x, y, z), 2, False)]

    graph = graph_of([(-2, 2), (-4, 3), (0, 9)], build)
    checked(graph, lambda x, y, z: (y if x < 0 else z, (y if x < 0 else z) % 4), stages=2)
    sure = graph_of([(-2, -1), (0, 3), (4, 5), (4, 9)], lambda graph, *x: [
        graph.select(*x[:3]), graph.select(*x[1:]), graph.select(x[0], x[1], x[1])])  # fmt: skip
    assert sure.outputs == [sure.inputs[1], sure.inputs[3], sure.inputs[1]]


@pytest.mark.parametrize("span", [(-9, 6), (0, 20), (-300, 219), (3, 17)], ids=str)
def test_tables_hold_any_function(span):
    rng = np.random.default_rng(1)
    first = rng.integers(-50, 60, span[1] - span[0] + 1)
    second = rng.integers(0, 3, len(first))  # of one and two bits, with equal parts
    second[len(first) // 2 :] = second[: len(first) - len(first) // 2]

    def build(graph, x):
        return [graph.table(x, first), graph.table(x, second), graph.table(x, first * 0 + 3)]

    graph = graph_of([span], build)
    checked(graph, lambda x: (first[x - span[0]], second[x - span[0]], 3))
    assert graph[graph.outputs[0]].low == first.min()
    assert graph[graph.outputs[0]].high == first.max()
    assert graph[graph.outputs[2]].op == "constant"


def test_functions_of_few_values_are_one_table():
    """What is in front of a table and behind it becomes part of it."""

    def build(graph, x):
        index = graph.clamp(graph.round(x, 1, FixedRounding.RND_CONV), -3, 3)
        index = graph.add(index, graph.constant(8))
        entry = graph.table(index, [9, -4, 6, 1, 0, -7, 3])
        return [graph.clamp(graph.round(entry, 1, FixedRounding.TRN_ZERO), -3, 2), entry]

    def expected(x):
        entry = [9, -4, 6, 1, 0, -7, 3][min(max(round(x / 2), -3), 3) + 3]
        return min(max(int(entry / 2), -3), 2), entry

    graph = graph_of([(-9, 8)], build)
    checked(graph, expected)
    assert [graph[i].op for i in graph.live()] == ["input", "table", "table"]
    wide = graph_of([(-2000, 2000)], lambda graph, x: [
        graph.table(graph.clamp(x, -40, 40), range(81))])  # fmt: skip
    assert [wide[i].op for i in wide.live()] == ["input", "clamp", "table"]


def test_tables_have_a_size():
    graph = Graph()
    with pytest.raises(AssertionError):
        graph.table(graph.input(0, 0, MAX_TABLE), range(MAX_TABLE + 1))
