"""Rung 6: the stimuli notice faults, and what they cannot notice is told apart."""

import itertools
from dataclasses import replace

import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import generate
from matweave.sim import equivalence, invariants, kinds, mutation, stalls
from matweave.sim.gates import Context
from matweave.sim.gates import mutants as gate
from matweave.sim.gates.common import others, small_attention
from matweave.sim.gatesim import Simulator
from matweave.sim.harness import wrapper
from matweave.sim.mutation import MutantEngine, Mutation, Report
from matweave.sim.native import EngineError
from matweave.sim.nets import Nets
from matweave.sim.stimuli import observe, register_port, stimuli
from matweave.sim.stimuli.attention import AttentionStimuli
from matweave.sim.stimuli.steps import hard_reset

from .netlists import MEMORY, RING, cell, fault

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


def test_faults_that_yosys_cannot_have_are_not_drawn():
    for transparent, possible in (("0", True), ("1", False)):
        parameters = {"WR_PORTS": "1", "RD_CLK_ENABLE": "1", "RD_TRANSPARENCY_MASK": transparent}
        connections = {"WR_EN": [3, 4, 4]}
        cells = {"m": {"type": "$mem_v2", "parameters": parameters, "connections": connections}}
        assert mutation._possible(fault("m", "WR_CLK", "inv"), cells) is possible
        assert mutation._possible(fault("m", "WR_EN", "inv"), cells)
        assert not mutation._possible(fault("m", "WR_EN", "inv", bit=1), cells)
        assert not mutation._possible(fault("m", "RD_SRST", "inv"), cells)


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
def test_a_write_beside_the_registers_that_clears_an_error_is_noticed(seed):
    """The error of a mode that is not there, which few jobs raise."""
    small = ["a=int4", "limits={m=4,n=4,k=4}"]
    config = configuration.load("tiny_lut", small)
    text = wrapper(generate(config).verilog, config.name)
    before, start, after = text.partition("clear = 4'h0;")
    inside, beside, rest = after.partition("        default: ;\n      endcase")
    assert start and beside and "endmodule" not in inside
    faulty = inside + beside.replace("default: ;", "default: clear = w_data[3:0] & 4'h4;") + rest
    steps = [hard_reset(), *register_port.errors(config)]
    with MutantEngine.from_verilog(text, config, seed=seed) as engine:
        expected = mutation.play(engine, steps)
    with MutantEngine.from_verilog(before + start + faulty, config, seed=seed) as engine:
        assert mutation._killed(engine, steps, expected, 0)


def test_attention_gets_results_beside_ties(seed):
    config = small_attention()
    count = 0
    for step in AttentionStimuli(config, seed).ties():
        given = step.job.expected(config)
        multiplier = step.job.scale.multiplier
        beside = (
            replace(step.job, scale=replace(step.job.scale, multiplier=multiplier + off))
            for off in (-1, 1)
        )
        assert any((job.expected(config) != given).any() for job in beside)
        count += 1
    assert count > 200


OTHERS = {other.name: other for other in others(Context(1, False, print))}


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++")
@pytest.mark.parametrize("name", OTHERS)
def test_stimuli_of_other_kinds_are_right_and_notice_faults(name, seed):
    config = OTHERS[name]
    text = wrapper(generate(config).verilog, config.name)
    steps = list(stimuli(config, seed))
    with MutantEngine.from_verilog(text, config, seed=seed) as engine:
        expected = mutation.play(engine, steps)
        assert not mutation._killed(engine, steps, expected, 1)  # there is no such mutant
    (output,) = kinds.of(config).outputs.values()
    for port in ("s_axil_rresp", f"{output}_tlast"):
        with MutantEngine.from_verilog(unconnected(text, port), config, seed=seed) as engine:
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


@pytest.mark.requires_tool("bitwuzla")
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
    verdict = equivalence.Model(Nets(NETLIST)).compare(fault(cell, port, mode))
    assert verdict.equivalent is equivalent, verdict.how


@pytest.fixture
def ring():
    model = equivalence.Model(Nets(RING))
    model.control = ("one", "two")
    simulator = Simulator(model.nets, 8)
    seen = dict.fromkeys(model.nets.flops, b"")
    for cycle in range(20):
        for name, value in simulator.state.items():
            seen[name] += bytes([value])
        simulator.settle({"i": [0x35 * cycle & 0xFF]}, lambda: 0)
        simulator.clock()
    candidates = list(invariants.mined(model.nets, seen))
    return model, candidates


@pytest.mark.requires_tool("bitwuzla")
def test_invariants_are_mined_and_proved(ring):
    model, candidates = ring
    never = invariants.Clause("one", 1, "two", 0)
    wrong = invariants.Clause("held", 1, "held", 0)  # not from any simulation
    implied = {"one", "two"}
    assert any({found.first, found.then} == implied for found in candidates)
    kept = invariants.proved(model, [*candidates, never, wrong])
    assert never in kept
    assert wrong not in kept
    # It holds at power-on, but nothing keeps it.
    assert invariants.proved(model, [invariants.Bound("", 0, ("held",), 0, 0)]) == []


@pytest.mark.requires_tool("bitwuzla")
def test_what_invariants_show_equivalent(ring):
    model, candidates = ring
    redundant, visible = fault("both", "Y", "const0"), fault("shown", "A", "const1")
    assert not model.compare(redundant).equivalent
    kept = invariants.proved(model, candidates)
    model.assume(found.term(model.terms, model.state) for found in kept)
    assert model.compare(redundant).equivalent
    assert not model.compare(visible).equivalent


@pytest.mark.requires_tool("bitwuzla")
def test_a_difference_that_nobody_sees(ring):
    model, candidates = ring
    # Always enabled: it differs while the second flag is not set, and is shown while that is.
    unseen = fault("held", "E", "const1")
    assert not model.compare(unseen).equivalent
    kept = invariants.proved(model, candidates)
    model.assume(found.term(model.terms, model.state) for found in kept)
    assert "nobody sees" in model.compare(unseen).how
    assert not model.compare(fault("held", "E", "const0")).equivalent


@pytest.mark.requires_tool("bitwuzla")
def test_a_clock_fault_matters_unless_the_flip_flop_is_constant():
    constant = {
        "ports": RING["ports"] | {"seen": {"direction": "output", "bits": [10]}},
        "cells": {"one": cell("$_DFF_P_", C=20, D=10, Q=10)},
    }
    for mode in ("inv", "const0"):
        assert equivalence.Model(Nets(constant)).compare(fault("one", "C", mode)).equivalent
        assert not equivalence.Model(Nets(RING)).compare(fault("one", "C", mode)).equivalent


@pytest.mark.parametrize("mode", ["inv", "const0", "const1"])
def test_gates_simulated_in_parallel(mode):
    """Run 1 has the fault, run 0 does not; each against the truth table."""
    simulator = Simulator(Nets(NETLIST), 2, faults={1: fault("both", "A", mode)})
    for i0, i1, i2 in itertools.product((0, 3), repeat=3):
        simulator.settle({"i": [i0, i1, i2, 0]}, lambda: 0)
        a = {"inv": 1 - i0 % 2, "const0": 0, "const1": 1}[mode]
        assert simulator.value(7) == (i0 & i1 & 1) | (a & i1 & 1) << 1


def test_a_flip_flop_at_the_falling_edge_in_parallel():
    """Run 1: ``held`` takes what comes half a cycle before the others see it, and is shown then."""
    simulator = Simulator(Nets(RING), 2, faults={1: fault("held", "C", "inv")})
    held, one = [0, 0], 1
    for bit in (1, 0, 0, 1, 1, 1, 0, 1):
        simulator.settle({"i": [3 * bit]}, lambda: 0)
        simulator.settle({"i": [3 * bit]}, lambda: 0)  # looked at twice: no second edge
        early = bit if one else held[1]
        shown = (0 if one else held[0]) | (0 if one else early) << 1
        assert simulator.value(33) == shown
        held, one = [bit if one else held[0], early], 1 - one
        simulator.clock()


@pytest.mark.requires_tool("bitwuzla")
def test_a_read_only_memory_becomes_gates():
    nets = Nets(rom("0110", [7]))
    simulator = Simulator(nets, 4)
    simulator.settle({"i": [0b1010, 0b1100]}, lambda: 0)
    assert simulator.value(7) == 0b0110
    model = equivalence.Model(nets)
    assert not model.compare(fault("rom", "RD_DATA", "inv")).equivalent
    assert model.compare(fault("rom", "RD_EN", "const0")).equivalent  # it has no clock


@pytest.mark.requires_tool("bitwuzla")
@pytest.mark.parametrize(
    ("port", "bit", "mode", "equivalent"),
    [
        ("RD_ADDR", 0, "cnot1", False),  # (a ^ b, b) holds a
        ("RD_ADDR", 1, "cnot0", False),
        ("RD_DATA", 0, "cnot1", True),  # never: the other bit is 0 everywhere
        ("RD_DATA", 0, "cnot0", False),
        ("RD_DATA", 1, "cnot1", False),
    ],
)
def test_a_fault_that_depends_on_another_bit_of_a_read_only_memory(port, bit, mode, equivalent):
    """Bit 0 of the words is the sum of the address's bits, bit 1 is 0."""
    mutation = Mutation(1, mode, "rom", port, bit, 1 - bit, "")
    verdict = equivalence.Model(Nets(rom("00010100", [7, 8]))).compare(mutation)
    assert verdict.equivalent is equivalent, verdict.how


def rom(contents, outputs):
    memory = {
        "type": "$mem_v2",
        "parameters": {"WR_PORTS": "0", "RD_CLK_ENABLE": "0", "RD_PORTS": "1", "INIT": contents},
        "connections": {"RD_ADDR": [2, 3], "RD_DATA": outputs, "RD_EN": ["1"]},
    }
    ports = {
        "i": {"direction": "input", "bits": [2, 3]},
        "o": {"direction": "output", "bits": outputs},
    }
    return {"ports": ports, "cells": {"rom": memory}}


@pytest.mark.requires_tool("bitwuzla")
@pytest.mark.parametrize(
    ("cell", "port", "mode", "equivalent"),
    [
        ("data", "B", "const1", True),  # other data, but only while nothing is written
        ("data", "B", "const0", False),
        ("memory", "WR_DATA", "inv", False),
        ("memory", "WR_ADDR", "inv", False),
        ("memory", "WR_EN", "const1", False),
        ("memory", "RD_ADDR", "inv", False),
    ],
)
def test_what_a_memory_gets_counts_while_it_is_enabled(cell, port, mode, equivalent):
    verdict = equivalence.Model(Nets(MEMORY)).compare(fault(cell, port, mode))
    assert verdict.equivalent is equivalent, verdict.how


@pytest.mark.requires_tool("bitwuzla")
def test_what_is_not_answered_in_time_is_not_shown(monkeypatch):
    model = equivalence.Model(Nets(NETLIST))
    redundant = fault("more", "Y", "const0")
    assert model.compare(redundant).equivalent
    monkeypatch.setattr(equivalence, "BUDGET", 0)
    verdict = model.compare(redundant)
    assert not verdict.equivalent and "no answer" in verdict.how


@pytest.mark.requires_tool("bitwuzla")
def test_invariants_that_are_not_proved_in_time_are_none(ring):
    model, candidates = ring
    assert invariants.proved(model, candidates)
    with model.terms.within(0):
        assert invariants.proved(model, candidates) == []


@pytest.fixture
def two_engines(config, monkeypatch):
    """A gate that looks at two engines: of three mutants, one survives."""
    other = configuration.load("tiny_ws")
    monkeypatch.setattr(gate, "engines", lambda context: [config, other])
    survivor = fault("more", "Y", "inv")
    report = Report(3, 2, [survivor], 10)
    monkeypatch.setattr(mutation, "run", lambda *_, **__: report)
    said = []
    return config, other, survivor, said, Context(1, True, lambda step, *_: said.append(step))


def test_a_crash_does_not_lose_the_other_engines_figures(two_engines, monkeypatch):
    config, _, survivor, said, context = two_engines

    def classify(engine, *_, **__):
        if engine is config:
            return [][1]
        return {survivor: equivalence.Verdict(True, "same function")}

    monkeypatch.setattr(equivalence, "classify", classify)
    found = gate.mutants(context)
    assert not found.ok
    assert found.figure == (
        "4 of 6 killed, 0 by proved stalls, 1 equivalent, 1 not shown; 1 of 2 engines crashed"
    )
    assert "IndexError" in found.findings[0] and "classify" in found.findings[0]
    assert "not judged" in found.findings[1] and len(found.findings) == 2
    assert all("tiny_os" in line for line in found.findings)
    assert "tiny_ws 2/3, 1 equivalent" in found.detail
    assert set(found.findings) < set(said)  # as it goes


def test_the_gate_passes_if_all_survivors_are_shown(two_engines, monkeypatch):
    _, _, survivor, _, context = two_engines
    shown = {survivor: equivalence.Verdict(False, "killed by a stall", killed=True)}
    monkeypatch.setattr(equivalence, "classify", lambda *_, **__: shown)
    found = gate.mutants(context)
    assert found.ok and not found.findings
    assert found.figure == "4 of 6 killed, 2 by proved stalls, 0 equivalent, 0 not shown"


def test_whose_mutants_the_gates_look_at(monkeypatch):
    looked = []

    def look(_, engine):
        looked.append(engine.name)
        return gate.Kind(engine.name, mutants=1, killed=1)

    monkeypatch.setattr(gate, "look", look)
    context = Context(1, False, lambda *_: None)
    assert gate.mutants(context).ok
    assert {"tiny_os", "tiny_lut"} <= set(looked)
    assert not any("fp16" in engine for engine in looked)
    looked.clear()
    assert gate.attention_mutants(context).ok
    assert looked == ["tiny_attention"]


@pytest.mark.parametrize(("left", "ok"), [(0, True), (2, True), (3, False)])
def test_of_attention_few_may_be_not_shown(left, ok, monkeypatch):
    found = gate.Kind("tiny_attention", mutants=100, killed=100 - left, not_shown=["one"] * left)
    monkeypatch.setattr(gate, "look", lambda *_: found)
    measured = gate.attention_mutants(Context(1, False, lambda *_: None))
    assert measured.ok is ok
    assert len(measured.findings) == left
    monkeypatch.setattr(gate, "engines", lambda _: [configuration.load("tiny_os")])
    assert gate.mutants(Context(1, False, lambda *_: None)).ok is (left == 0)


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++", "bitwuzla")
def test_a_long_stall_shows_a_counter_bit_and_nothing_else(config):
    found = mutation.mutate(generate(config).verilog, config.name, 1, 1)
    nets = Nets(found.netlist)
    words = {name: word for word, name in nets.words.items()}
    high = words["registers.cycles"][30]
    idle = words["registers.m_register"][30]  # not a counter
    stalled = next(name for name in words if name.startswith("registers.stall_a"))
    planted = [
        fault(high, "Q", "const0"),
        fault(idle, "D", "const0"),
        fault(high, "C", "const0"),
        fault(words["registers.cycles"][29], "C", "inv"),
        fault(words[stalled][30], "E", "const1"),  # it counts once more if the stall ends just so
    ]
    verdicts = stalls.killed(config, nets, planted)
    assert "1,073,741" in verdicts[planted[0]].how
    assert planted[1] not in verdicts
    assert all(verdicts[mutation].killed for mutation in planted[2:])
    assert "the end of a stall" in verdicts[planted[4]].how


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "g++", "yosys", "bitwuzla")
def test_mutants_of_a_whole_engine(config, seed):
    report = mutation.run(config, count=60, seed=seed)
    assert report.mutants == 60
    assert report.killed + len(report.survivors) == 60
    assert report.killed >= 50
    verdicts = equivalence.classify(config, report)
    assert list(verdicts) == report.survivors
