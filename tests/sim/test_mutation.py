"""Rung 6: the stimuli notice faults, and what they cannot notice is told apart."""

import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import generate
from matweave.sim import equivalence, mutation
from matweave.sim.harness import wrapper
from matweave.sim.mutation import MutantEngine, Mutation
from matweave.sim.native import EngineError
from matweave.sim.stimuli import observe, stimuli

TINY = ["a=int3", "b=int3", "limits={m=4,n=4,k=4}"]


@pytest.fixture(scope="module")
def config():
    return configuration.load("tiny_os", TINY)


def test_a_line_of_yosys_is_a_mutation():
    line = (
        "mutate -ctrl mutsel 16 7 -mode cnot0 -module top -cell $abc$1 -port Y -portbit 3 "
        "-ctrlbit 1 -wire core.x -wirebit 5 -src design.v:12.3-12.9"
    )
    found = mutation._mutation(line)
    assert found == Mutation(7, "cnot0", "$abc$1", "Y", 3, 1, "core.x[5], design.v:12.3-12.9")


@pytest.mark.requires_tool("verilator", "g++")
def test_the_stimuli_are_right_repeatable_and_notice_a_fault(config, seed):
    text = generate(config).verilog
    steps = list(stimuli(config, seed))
    assert len(steps) > 500
    with MutantEngine.from_verilog(wrapper(text, config.name), config, seed=seed) as engine:
        expected = mutation.play(engine, steps)  # compares with the golden model
        assert mutation.play(engine, steps) == expected
        assert not mutation._killed(engine, steps, expected, 1)  # there is no such mutant
    # An engine whose reads are always answered OKAY.
    changed = unconnected(wrapper(text, config.name), "s_axil_rresp")
    with MutantEngine.from_verilog(changed, config, seed=seed) as engine:
        assert mutation._killed(engine, steps, expected, 0)


@pytest.mark.requires_tool("verilator", "g++")
def test_a_hang_is_noticed_as_such(config, seed):
    stuck = unconnected(wrapper(generate(config).verilog, config.name), "m_axis_c_tvalid")
    with (
        MutantEngine.from_verilog(stuck, config, seed=seed) as engine,
        pytest.raises(EngineError, match="no handshake"),
    ):
        for step in stimuli(config, seed):
            observe(engine, step, 0)


def unconnected(text, port):
    """``text`` with an output of the engine that is always 0."""
    assert f".{port}(x_{port})" in text
    return text.replace(f".{port}(x_{port})", f".{port}()")


def cell(kind, **connections):
    return {"type": kind, "connections": {port: [bit] for port, bit in connections.items()}}


NETLIST = {
    "ports": {
        "i": {"direction": "input", "bits": [2, 3, 4, 20]},
        "o": {"direction": "output", "bits": [7, 11]},
    },
    "cells": {
        # o[0] = (i0 & i1) | (i0 & i1 & i2): the second term is redundant.
        "both": cell("$_AND_", A=2, B=3, Y=5),
        "more": cell("$_AND_", A=5, B=4, Y=6),
        "either": cell("$_OR_", A=5, B=6, Y=7),
        # A flip-flop with enable i0 and, over it, reset i1.
        "flop": cell("$_SDFFE_PP0P_", C=20, D=10, E=2, R=3, Q=11),
        "flip": cell("$_NOT_", A=11, Y=10),
    },
}


def fault(cell, port, mode):
    return Mutation(1, mode, cell, port, 0, None, "")


@pytest.mark.parametrize(
    ("cell", "port", "mode", "equivalent"),
    [
        ("more", "Y", "const0", True),
        ("more", "B", "const0", True),
        ("more", "B", "const1", True),
        ("more", "Y", "inv", False),
        ("both", "A", "const1", False),
        ("either", "A", "const0", False),
        ("flop", "E", "const1", False),
        ("flop", "R", "const0", False),
        ("flop", "D", "inv", False),
        ("flop", "Q", "inv", False),
        ("flop", "C", "inv", False),
        ("flip", "A", "const1", False),
    ],
)
def test_equivalence(cell, port, mode, equivalent):
    pytest.importorskip("bitwuzla")
    verdict = equivalence.Model(NETLIST).compare(fault(cell, port, mode))
    assert verdict.equivalent is equivalent, verdict.how


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++")
def test_mutants_of_a_whole_engine(config, seed):
    pytest.importorskip("bitwuzla")
    report = mutation.run(config, count=60, seed=seed)
    assert report.mutants == 60
    assert report.killed + len(report.survivors) == 60
    assert report.killed >= 50
    verdicts = equivalence.classify(config, report)
    assert list(verdicts) == report.survivors
