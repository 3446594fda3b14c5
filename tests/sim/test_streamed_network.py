"""Streamed networks as compiled Verilog: equal to the golden model, whatever pauses and resets."""

import numpy as np
import pytest

from matweave.hw.network.design import design
from matweave.hw.network.reading import read
from matweave.sim.driver import Pause
from matweave.sim.golden import network as golden
from matweave.sim.network import NetworkSimulator, pack
from matweave.sim.stimuli import networks, token_networks, window_networks
from matweave.sim.stimuli.hls4ml_images import IMAGES
from matweave.sim.stimuli.hls4ml_layers import converted

pytestmark = pytest.mark.requires_tool("hls4ml", "verilator", "g++", "make")

PAUSES = {
    "none": {},
    "short": {"x": Pause(0.4, 3)},
    "rare": {"x": Pause(0.01, 90)},
    "behind": {"y": Pause(0.8, 60)},
    "both": {"x": Pause(0.3, 7), "y": Pause(0.7, 5)},
}
QUICK = [pytest.param(name, marks=() if name in ("strided", "residual") else pytest.mark.slow)
         for name in IMAGES]  # fmt: skip


class Case:
    """A network, its samples and results, and its compiled Verilog."""

    def __init__(self, name, network, x, fold="stream", reuse=None):
        self.name, self.x, self.made = name, x, design(network, fold=fold, reuse=reuse)
        fraction = network[network.output].result.fraction
        self.expected = golden.predict(network, self.x) * 2.0**-fraction
        self.simulator = NetworkSimulator(self.made.verilog, self.made.manifest)

    def right(self, **options):
        results, outcome = self.simulator.run_raw(self.x, **options)
        assert (self.simulator.real(results) == self.expected).all()
        return outcome


def image(name, folder):
    """One of the networks of images, and samples."""
    side = IMAGES[name]()
    network = read(converted(side.layers, side.config, "Matweave", folder, "io_stream"))
    return network, golden.quantised(side.inputs(150).reshape(150, -1), network.input.result)


@pytest.fixture(scope="module", params=QUICK)
def case(request, tmp_path_factory):
    case = Case(request.param, *image(request.param, tmp_path_factory.mktemp("network")))
    with case.simulator:
        yield case


def test_windows_of_a_sample_that_comes_whole(tmp_path):
    """Folded, its tokens are in cycles behind one another."""
    case = Case("series", *image("series", tmp_path), fold="tokens")
    with case.simulator:
        for pauses in ({}, {"x": Pause(0.3, 20)}, {"y": Pause(0.5, 20)}):
            case.right(pauses=pauses)


def test_a_dense_layer_on_an_array_spaces_the_samples(tmp_path):
    case = Case("series", *image("series", tmp_path), reuse={"dense": 24})
    assert case.made.manifest["performance"]["initiation_interval"] == 24  # of 12 steps
    with case.simulator:
        for pauses in ({}, PAUSES["short"], PAUSES["behind"]):
            case.right(pauses=pauses)


def test_quantisers_that_differ_from_token_to_token():
    network = token_networks.steps(3)
    case = Case("steps", network, networks.inputs(network, 1, 150))
    with case.simulator:
        for pauses in PAUSES.values():
            case.right(pauses=pauses)
    assert len(np.unique(case.expected)) > 10


def test_constants_come_with_their_pixels():
    network = window_networks.dead()
    case = Case("dead", network, networks.inputs(network, 1, 20))
    with case.simulator:
        outcome = case.right()
        assert outcome.last_out - outcome.first_in >= 20 * 20
        case.right(pauses=PAUSES["both"])


@pytest.mark.parametrize("pauses", PAUSES)
def test_pauses_change_nothing(case, pauses):
    case.right(pauses=PAUSES[pauses])


def test_a_pixel_in_every_cycle(case):
    """But for those that are awaited once."""
    outcome = case.right()
    performance, folded = case.made.manifest["performance"], case.made.folded
    interval = performance["initiation_interval"]
    # Where first pixels come with gaps, while a window still moves over the last ones.
    assert interval == folded.interval == folded.phases + 4 * (case.name == "strided")
    spent = outcome.last_out - outcome.first_in
    ideal = (len(case.x) - 1) * interval + performance["latency"]
    assert ideal - folded.phases <= spent <= ideal + folded.unbroken


def test_results_do_not_wait_for_the_next_sample(case):
    for row in (0, 1):
        results, _ = case.simulator.run_raw(case.x[row : row + 1])
        assert (case.simulator.real(results) == case.expected[row]).all()


@pytest.mark.parametrize("cycle", [1, 7, 40, 49, 50, 51, 60, 77, 110])
def test_a_reset_at_any_cycle_leaves_nothing_behind(case, cycle):
    beats = pack(case.x, case.made.manifest["streams"]["input"])
    count = len(case.x) * case.made.manifest["streams"]["output"]["beats"]
    case.simulator.run({"x": beats}, {"y": count}, hard_reset=(cycle, 1))
    case.right(pauses=PAUSES["short"])


def test_results_differ(case):
    assert all(len(np.unique(column)) > 3 for column in case.expected.T)
