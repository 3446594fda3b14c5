"""The cocotb regression of one small engine per kind, on both simulators."""

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest

from matweave.hw.network.config import NetworkConfig
from matweave.sim import kinds, regression
from matweave.sim.golden.operands import digest
from matweave.sim.native import Engine
from matweave.sim.stimuli import networks, token_networks

from .engines import KINDS, PACKED, engine

pytestmark = pytest.mark.requires_tool("verilator", "iverilog", "g++", "make", "perl")

CASES, LARGEST = 8, 16
FEWER = {
    "tiny_encoder": (3, 5), "tiny_decoder": (2, 5), "tiny_lut_encoder": (2, 5),
    "packed_attention": (4, 12),
}  # fmt: skip
"""Of what takes thousands of cycles, or a second one of its kind."""


ENGINES = [
    *KINDS, "tiny_lut_serial", "tiny_lut_fp16", "tiny_attention", "tiny_encoder", "tiny_decoder",
    "tiny_lut_encoder", *PACKED,
]  # fmt: skip
SLOW = ["packed_attention_wide"]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in ENGINES],
)
def test_both_simulators(name, seed, tmp_path):
    """Everything passes, and each job takes as many cycles as in the compiled engine."""
    config = engine(name)
    count, largest = FEWER.get(name, (CASES, LARGEST))
    expected = []
    with Engine(config) as compiled:
        for item in kinds.of(config).cases(config, seed, count, largest):
            result = compiled.job(item.job)
            expected.append((result.cycles, digest(result.c)))
    for simulator in ("verilator", "icarus"):
        report = regression.run(
            config, simulator, seed, count, work_dir=tmp_path / simulator, largest=largest
        )
        assert report.passed, [test for test in report.tests if not test.passed]
        found = [(row["cycles"], row["c"]) for row in report.records if "index" in row]
        assert found == expected
        figures = {row["test"]: row for row in report.records if "test" in row}
        assert figures["pauses"]["stalls"] > 0 and figures["pauses"]["idles"] > 0
        assert figures["soft_reset"]["resets"] == figures["hard_reset"]["resets"] == count
        flagged = set(figures["waiting_beats"]["kinds"]) | set(figures["valid_in_reset"]["kinds"])
        assert len(flagged) >= 10
        if simulator == "icarus":
            assert "unknown" in figures
        junit = ElementTree.parse(report.junit).getroot()
        assert len(list(junit.iter("testcase"))) >= len(report.tests) >= 14


def test_a_run_without_reset_fails(tmp_path):
    """Registers without initial values are unknown until reset: nothing works without."""
    report = regression.run(
        engine("tiny_os"), "icarus", cases=1, work_dir=tmp_path, reset=False, benches=["jobs"]
    )
    assert not report.passed
    assert not any(test.passed for test in report.tests if test.name != "jobs.hard_reset")


def test_with_initial_values_that_run_passes(tmp_path):
    """Why they are stripped: initial values hide that nothing was reset."""
    report = regression.run(
        engine("tiny_os"), "verilator", cases=1, work_dir=tmp_path, reset=False, benches=["jobs"]
    )
    assert report.passed, report.tests


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_waves(simulator, tmp_path):
    report = regression.run(
        engine("tiny_os"), simulator, cases=1, waves=True, work_dir=tmp_path,
        benches=["registers"], tests="constants$",
    )  # fmt: skip
    assert report.passed and report.waves is not None
    assert report.waves.parent == tmp_path and report.waves.stat().st_size > 1000


def test_a_simulator_that_gives_no_results_is_one_failed_test(tmp_path):
    report = regression.run(
        engine("tiny_os"), "icarus", cases=1, work_dir=tmp_path, benches=["no_such_bench"]
    )
    assert not report.passed and len(report.tests) == 1
    assert report.tests[0].message


def test_progress(tmp_path):
    said = []
    regression.run(
        engine("tiny_os"), "icarus", cases=1, work_dir=tmp_path, benches=["registers"],
        tests="constants$", progress=lambda *step: said.append(step),
    )  # fmt: skip
    assert said[-1] == ("passed registers.constants", 1, 1)


NETWORKS = {
    "unrolled": (networks.for_arrays(21), {}),
    "arrays": (networks.for_arrays(21), {"reuse": 30}),
    "tokens": (token_networks.tagger(1), {"fold": "tokens"}),
}


@pytest.mark.parametrize("way", NETWORKS)
def test_networks_on_both_simulators(way, seed, tmp_path):
    network, options = NETWORKS[way]
    config = NetworkConfig(network, **options)
    for simulator in ("verilator", "icarus"):
        report = regression.run(config, simulator, seed, 4, work_dir=tmp_path / simulator)
        assert report.passed, [test for test in report.tests if not test.passed]
        assert [test.name for test in report.tests] == [
            "samples.samples", "samples.pauses", "samples.hard_reset"
        ]  # fmt: skip
        figures = {row["test"]: row for row in report.records}
        assert figures["pauses"]["stalls"] > 0 and figures["pauses"]["idles"] > 0
        assert figures["hard_reset"]["resets"] == 4


def test_another_network_s_results_are_wrong(tmp_path):
    """The bench compares: with the Verilog of other weights every test fails."""
    config = NetworkConfig(networks.for_arrays(21))
    last = config.network.layers[-1]
    other = dataclasses.replace(last, bias=last.bias ^ 1)
    other = dataclasses.replace(config.network, layers=(*config.network.layers[:-1], other))
    config.__dict__["design"] = dataclasses.replace(
        NetworkConfig(other).design, network=config.network
    )
    report = regression.run(config, cases=2, work_dir=tmp_path)
    assert len(report.tests) == 3 and not any(test.passed for test in report.tests)
