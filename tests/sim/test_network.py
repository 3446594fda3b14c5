"""Networks as compiled Verilog: equal to the golden model, whatever pauses and resets."""

import dataclasses

import numpy as np
import pytest

from matweave.hw.errors import UserError
from matweave.hw.fixed import Fixed
from matweave.hw.network.design import design
from matweave.hw.network.layers import Cast, Input, Network
from matweave.sim import toolchain
from matweave.sim.driver import Pause
from matweave.sim.golden import network as golden
from matweave.sim.network import NetworkSimulator, beats, pack
from matweave.sim.stimuli import networks, token_networks, window_networks

pytestmark = pytest.mark.requires_tool("verilator", "g++", "make")


def mixed():
    """Dense layers, ReLU, an affine layer and casts; signed and unsigned results of 8 bits."""
    rng = np.random.default_rng(11)
    x = Input("x", None, (5,), Fixed(7, 3))
    first = networks.dense(rng, x, 6, "first", exact=True)
    first = dataclasses.replace(first, result=Fixed(12, 8))
    norm = dataclasses.replace(networks.affine(rng, first, "norm"), result=Fixed(10, 7))
    second = networks.dense(rng, norm, 4, "second", exact=False)
    second = dataclasses.replace(second, result=Fixed(10, 7))
    formats = (Fixed(8, 5, False), Fixed(8, 5), Fixed(3, 2, True, *networks.MODES[9]), None)
    last = Cast("last", "second", (4,), Fixed(10, 6), formats)
    return Network("mixed", (x, first, norm, second, last), "last")


@pytest.fixture(scope="module", params=["unrolled", "folded", "arrays", "streamed"])
def made(request):
    if request.param == "unrolled":
        return design(mixed(), stages=3)
    if request.param == "arrays":
        return design(mixed(), reuse={"first": 5})
    if request.param == "streamed":
        return design(window_networks.image(around=0), fold="stream")
    return design(token_networks.tagger(1, heads=2), fold=2, period=4, dsps=3)


@pytest.fixture(scope="module")
def simulator(made):
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        yield simulator


def real(made, raw):
    network = made.network
    return golden.predict(network, raw) * 2.0 ** -network[network.output].result.fraction


def test_a_hundred_thousand_samples(made, simulator):
    x = networks.inputs(made.network, 1, 100_000)
    results = simulator.real(simulator.predict_raw(x))
    assert (results == real(made, x)).all()
    assert all(len(np.unique(column)) > 1 for column in results.T[:3])


def test_one_sample_per_interval(made, simulator):
    x = networks.inputs(made.network, 2, 1000)
    _, outcome = simulator.run_raw(x)
    performance = made.manifest["performance"]
    interval = performance["initiation_interval"]
    assert interval == made.folded.interval
    assert interval > 1 or outcome.stalls["x"] == 0
    assert outcome.last_out - outcome.first_in == (len(x) - 1) * interval + made.stages.count
    assert performance["latency"] == made.stages.count


@pytest.mark.parametrize("at_x", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("at_y", [0.0, 0.3, 0.9])
def test_pauses_change_nothing(made, simulator, at_x, at_y):
    x = networks.inputs(made.network, 3, 2000)
    pauses = {"x": Pause(at_x, 7), "y": Pause(at_y, 5)}
    results, _ = simulator.run_raw(x, pauses=pauses)
    assert (simulator.real(results) == real(made, x)).all()


@pytest.mark.parametrize("cycle", range(1, 14))
def test_a_reset_at_any_cycle_leaves_nothing_behind(made, simulator, cycle):
    x = networks.inputs(made.network, cycle, 50)
    given, pause = pack(0 * x, simulator.inputs), {"y": Pause(0.7, 3)}
    wanted = 50 * beats(simulator.outputs)
    simulator.run({"x": given}, {"y": wanted}, pauses=pause, hard_reset=(cycle, 1))
    results, _ = simulator.run_raw(x)
    assert (simulator.real(results) == real(made, x)).all()


def test_real_numbers_are_cast_to_the_input(made, simulator):
    to, shape = made.network.input.result, made.network.input.shape
    x = np.random.default_rng(4).normal(0, 4, (3000, *shape))
    expected = real(made, golden.quantised(x.reshape(3000, -1), to))
    assert (simulator.predict(x, to) == expected).all()
    assert (simulator.predict(x[0], to) == simulator.predict(x[:1], to)).all()
    assert simulator.predict(x[:0], to).shape == (0, expected.shape[1])


@pytest.mark.parametrize("x", [np.zeros((3, 7)), np.zeros((7, 3)), np.array(["a"] * 8)])
def test_other_shapes_are_refused(simulator, x):
    with pytest.raises(UserError, match=r"^inputs: "):
        simulator.samples(x)


def test_the_verilog_has_no_warnings(made, tmp_path):
    (tmp_path / "design.v").write_text(made.verilog)
    said = toolchain.run(
        [toolchain.verilator().path, "--lint-only",
         "--top-module", made.name, "design.v"],
        cwd=tmp_path, env=toolchain.environment(), timeout=300, what="lint",
    )  # fmt: skip
    assert "%Warning" not in said
