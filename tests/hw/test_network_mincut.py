"""Minimum cuts against all cuts of small graphs."""

import itertools
import random

import pytest

from matweave.hw.network.mincut import Flow


@pytest.mark.parametrize("seed", range(40))
def test_no_cut_is_cheaper(seed):
    rng = random.Random(seed)
    inner = list(range(rng.randint(1, 5)))
    nodes = ["source", *inner, "sink"]
    edges = {
        (a, b): rng.randint(0, 9)
        for a, b in itertools.permutations(nodes, 2)
        if a != "sink" and b != "source" and rng.random() < 0.6
    }
    flow = Flow()
    for (a, b), capacity in edges.items():
        flow.edge(a, b, capacity)

    def price(side):
        return sum(capacity for (a, b), capacity in edges.items() if a in side and b not in side)

    found = flow.side("source", "sink")
    assert "source" in found and "sink" not in found
    subsets = itertools.chain.from_iterable(
        itertools.combinations(inner, count) for count in range(len(inner) + 1)
    )
    assert price(found) == min(price({"source", *each}) for each in subsets)
