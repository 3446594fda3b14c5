"""Constant matrices in additions: the same sums, shared, not deeper than they may be."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matweave.hw.network import cmvm
from matweave.hw.network.adders import Term, added, cost
from matweave.hw.network.cmvm import Options, csd, solve


def evaluated(plan, operands):
    values = list(operands)
    for step in plan.steps:
        right = values[step.b] << step.right
        values.append((values[step.a] << step.left) + (-right if step.minus else right))
    return [
        0 if each.term is None else (-1) ** each.negative * (values[each.term] << each.shift)
        for each in plan.results
    ]


def levels(plan, count):
    depth = [0] * count
    for step in plan.steps:
        depth.append(max(depth[step.a], depth[step.b]) + 1)
    return [0 if each.term is None else depth[each.term] for each in plan.results]


@settings(max_examples=80, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    largest=st.sampled_from([1, 3, 20, 300]),
    seed=st.integers(0, 1 << 30),
    slack=st.integers(0, 2),
    sharing=st.booleans(),
)
def test_plans_give_the_products(rows, columns, largest, seed, slack, sharing):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-largest, largest + 1, (rows, columns))
    bounds = [sorted(map(int, rng.integers(-9, 9, 2))) for _ in range(rows)]
    bounds = [(low, high + (low == high)) for low, high in bounds]
    operands = [Term(*each) for each in bounds]
    sums = [[(i, int(w)) for i, w in enumerate(column) if w] for column in matrix.T]
    plan = solve(operands, sums, Options(slack=slack, sharing=sharing))
    for _ in range(5):
        x = [int(rng.integers(low, high + 1)) for low, high in bounds]
        assert evaluated(plan, x) == [int(v) for v in np.array(x) @ matrix]


def test_sharing_saves():
    rng = np.random.default_rng(1)
    matrix = rng.integers(-128, 128, (16, 16))
    sums = [[(i, int(w)) for i, w in enumerate(column)] for column in matrix.T]
    operands = [Term(-128, 127)] * 16
    apart, shared = (solve(operands, sums, Options(sharing=each)) for each in (False, True))
    assert shared.cost < 0.9 * apart.cost
    assert len(shared.steps) < 0.85 * len(apart.steps)
    assert shared == solve(operands, sums)


@pytest.mark.parametrize("slack", [0, 1, 2])
def test_no_sum_is_deeper_than_it_may(slack):
    rng = np.random.default_rng(2)
    matrix = rng.integers(-128, 128, (12, 12))
    sums = [[(i, int(w)) for i, w in enumerate(column)] for column in matrix.T]
    plan = solve([Term(-128, 127)] * 12, sums, Options(slack=slack))
    digits = max(sum(len(csd(w)) for _, w in each) for each in sums)
    assert max(levels(plan, 12)) <= (digits - 1).bit_length() + slack


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), slack=st.integers(0, 2), pairs=st.sampled_from([0, 500, 5000]))
def test_sums_in_parts_are_the_same_and_not_deeper(seed, slack, pairs):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 20))
    matrix = rng.integers(-99, 100, (rows, 4))
    sums = [[(i, int(w)) for i, w in enumerate(column) if w] for column in matrix.T]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cmvm, "PAIRS", pairs)
        plan = solve([Term(-8, 7)] * rows, sums, Options(slack=slack))
    x = [int(each) for each in rng.integers(-8, 8, rows)]
    assert evaluated(plan, x) == [int(v) for v in np.array(x) @ matrix]
    digits = max(sum(len(csd(w)) for _, w in each) for each in sums)
    assert max(levels(plan, rows)) <= (digits - 1).bit_length() + slack


def test_wide_matrices_are_cut():
    """Few pairs at a time are remembered, and what they share is still worth something."""
    rng = np.random.default_rng(4)
    matrix = rng.integers(-128, 128, (100, 4))
    sums = [[(i, int(w)) for i, w in enumerate(column) if w] for column in matrix.T]
    operands = [Term(-128, 127)] * 100
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cmvm, "PAIRS", 25_000)
        solver = cmvm._Solver(operands, sums, Options())
        plan = solver.run()
        apart = solve(operands, sums, Options(sharing=False))
    assert len(solver.parts[0]) > 10
    assert sum(map(len, solver.places.values())) * 2 < 25_000
    assert plan.cost < apart.cost


def test_digits_are_canonical():
    for value in range(-300, 301):
        digits = csd(value)
        assert sum(sign << shift for shift, sign in digits) == value
        assert all(b[0] - a[0] > 1 for a, b in itertools.pairwise(digits))


def test_what_an_addition_costs():
    byte, nibble = Term(0, 255), Term(0, 15)
    assert cost(byte, byte, 0, 0, False) == 8  # the ninth bit is the carry
    assert cost(byte, nibble, 0, 0, False) == 4  # above the nibble carries only
    assert cost(byte, byte, 0, 4, False) == 4  # below the shifted one nothing
    assert cost(byte, byte, 0, 0, True) == 9
    assert added(nibble, nibble, 2, 0, True)[:2] == (-15, 60)
