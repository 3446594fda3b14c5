"""Facts about the states that a netlist reaches, proved by a model checker."""

import itertools

import pytest

from matweave.sim import aiger, reachability
from matweave.sim.aiger import Aig
from matweave.sim.nets import Nets
from matweave.sim.taint import Taint

from .netlists import MEMORY, RING, cell, fault

pytestmark = pytest.mark.requires_tool("abc")


# A counter modulo 3 of two flip-flops, enabled by an input; ``seen`` shows whether it is 3.
COUNTER = {
    "ports": {
        "en": {"direction": "input", "bits": [2]},
        "clk": {"direction": "input", "bits": [3]},
        "low": {"direction": "output", "bits": [10]},
        "seen": {"direction": "output", "bits": [13]},
    },
    "cells": {
        "low": cell("$_DFFE_PP_", C=3, D=12, Q=10, E=2),
        "high": cell("$_DFFE_PP_", C=3, D=10, Q=11, E=2),
        "none": cell("$_NOR_", A=10, B=11, Y=12),
        "both": cell("$_AND_", A=10, B=11, Y=13),
    },
}


@pytest.fixture(scope="module")
def checker():
    return reachability.Checker(Nets(COUNTER))


def test_a_fault_that_only_unreachable_states_show(checker):
    assert checker.model.differences(fault("both", "Y", "inv"))
    assert checker.harmless(fault("both", "Y", "const0"))  # never 3
    assert not checker.harmless(fault("both", "Y", "const1"))
    assert not checker.harmless(fault("none", "A", "const0"))  # counts 0, 1, 3, ...
    assert not checker.harmless(fault("low", "E", "const1"))


def test_a_flip_flop_at_the_falling_edge(checker):
    """``high`` would have the next state of ``low`` half a cycle early, and both would be 1."""
    assert not checker.harmless(fault("high", "C", "inv"))


def test_values_at_power_on_count():
    """Started at 2 it counts as from 0; started at 3 it shows that."""
    for start, never in ((2, True), (3, False)):
        netlist = COUNTER | {
            "netnames": {
                "count": {
                    "bits": [10, 11],
                    "attributes": {"init": format(start, "02b")},
                }
            }
        }
        assert reachability.Checker(Nets(netlist)).harmless(fault("both", "Y", "const0")) is never


@pytest.mark.parametrize(
    ("name", "port", "mode", "unseen"),
    [
        ("held", "E", "const1", True),  # it differs only while the second flag is not set
        ("held", "E", "const0", False),
        ("held", "D", "inv", False),
        ("both", "Y", "const0", True),
        ("shown", "A", "const1", False),
        ("two", "D", "inv", False),
        ("held", "C", "inv", True),  # half a cycle early, but then it is not shown
        ("two", "C", "inv", False),
    ],
)
def test_a_difference_that_nobody_sees(name, port, mode, unseen):
    assert reachability.Checker(Nets(RING)).unseen(fault(name, port, mode)) is unseen


@pytest.mark.parametrize(
    ("name", "port", "mode", "unseen"),
    [
        ("data", "B", "const1", True),  # other data, but only while nothing is written
        ("data", "B", "const0", False),
        ("memory", "WR_DATA", "inv", False),
        ("memory", "WR_ADDR", "inv", False),
        ("memory", "WR_EN", "const1", False),
        ("memory", "RD_ADDR", "inv", False),
        ("memory", "RD_DATA", "inv", False),
    ],
)
def test_a_difference_at_a_memory(name, port, mode, unseen):
    assert reachability.Checker(Nets(MEMORY)).unseen(fault(name, port, mode)) is unseen


@pytest.mark.parametrize(
    ("kind", "values", "tags", "tagged"),
    [
        ("$_AND_", (0, 1), (0, 1), 0),  # a zero without a tag decides
        ("$_AND_", (1, 1), (0, 1), 1),
        ("$_AND_", (0, 0), (1, 1), 1),
        ("$_OR_", (1, 0), (0, 1), 0),
        ("$_OR_", (0, 0), (0, 1), 1),
        ("$_XOR_", (0, 0), (0, 1), 1),
        ("$_XOR_", (0, 1), (0, 0), 0),
    ],
)
def test_tags_pass_a_gate_unless_the_other_input_decides(kind, values, tags, tagged):
    netlist = {
        "ports": {"o": {"direction": "output", "bits": [4]}},
        "cells": {
            "a": cell("$_DFF_P_", C=9, D=2, Q=2),
            "b": cell("$_DFF_P_", C=9, D=3, Q=3),
            "gate": cell(kind, A=2, B=3, Y=4),
            "other": cell("$_NOT_", A=2, Y=5),
        },
    }
    netlist["ports"]["clk"] = {"direction": "input", "bits": [9]}
    checker = reachability.Checker(Nets(netlist))
    aig, model = checker.aig, checker.model
    terms = {name: aig.free() for name in "ab"}
    taint = Taint(model, fault("other", "Y", "const0"), terms)
    known = {0: 0} | {model.state(name): value for name, value in zip("ab", values, strict=True)}
    known |= {terms[name]: tag for name, tag in zip("ab", tags, strict=True)}
    assert aig.value(taint.seen(), known) == tagged


def test_literals():
    aig = Aig()
    a, b = aig.free(), aig.free()
    assert aig.both(a, b) == aig.both(b, a)
    assert (aig.both(a, 0), aig.both(a, 1), aig.both(a, a ^ 1)) == (0, a, 0)
    assert (aig.either(a, 1), aig.differ(a, a), aig.differ(a, 0), aig.differ(a, 1)) == (
        1,
        0,
        a,
        a ^ 1,
    )
    assert aig.choose(1, a, b) == a and aig.choose(0, a, b) == b
    for one, two in itertools.product((0, 1), repeat=2):
        values = {0: 0, a: one, b: two}
        assert aig.value(aig.differ(a, b), values) == one ^ two
        assert aig.value(aig.either(a, b) ^ 1, values) == 1 - (one | two)


def test_aiger_file(tmp_path):
    """A latch that starts at 1 and keeps what it has: inverted, so that all start at 0."""
    aig = Aig()
    enable, state = aig.free(), aig.free()
    bad = aig.both(state ^ 1, enable)
    aiger.write(aig, tmp_path / "f.aig", {state: (state, 1)}, bad)
    assert (tmp_path / "f.aig").read_bytes() == b"aig 3 1 1 1 1\n4\n6\n" + bytes([2, 2])
