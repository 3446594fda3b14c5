"""Random small networks are what hls4ml's own C++ emulation makes of them, in every bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from matweave.hw.network.design import design
from matweave.hw.network.fold.evaluate import evaluate
from matweave.hw.network.reading import read
from matweave.sim.golden import network as golden
from matweave.sim.network import NetworkSimulator

from .emulation import Emulation
from .generator import converted, network, samples

pytestmark = pytest.mark.requires_tool("hls4ml", "g++")


def compare(seeds, folder, *, simulated=0):
    """The golden model and the graph of every network against the emulation, the RTL of the first
    ``simulated``; how many different results each network has."""
    nets = {f"net{seed}": network(seed) for seed in seeds}
    theirs = [converted(net, "Vitis", folder / "Vitis", name) for name, net in nets.items()]
    emulation = Emulation(theirs, folder / "all")
    found = []
    for index, (name, net) in enumerate(nets.items()):
        ours = read(converted(net, "Matweave", folder / "ours", name))
        x = samples(net, 1000)
        expected = emulation.predict(name, x)
        raw = golden.quantised(x.reshape(len(x), -1), ours.input.result)
        made = design(ours)
        results = {
            "golden": golden.predict(ours, raw) * 2.0 ** -ours[ours.output].result.fraction,
            "graph": evaluate(made.folded, raw) * 2.0 ** np.array(made.folded.exponents),
        }
        if index < simulated:
            with NetworkSimulator(made.verilog, made.manifest) as simulator:
                results["RTL"] = simulator.predict(x, ours.input.result)
        for what, result in results.items():
            wrong = int((result != expected).sum())
            kinds = [each["class_name"] for each in net.layers]
            assert not wrong, f"network({name[3:]}), {kinds}: {what} has {wrong} other results"
        found.append(len(np.unique(expected)))
    return found


def test_some_networks_are_what_hls4ml_emulates(tmp_path):
    assert sum(count > 10 for count in compare(range(4, 11), tmp_path)) > 3


@pytest.mark.slow
@pytest.mark.requires_tool("verilator", "make")
@settings(
    max_examples=5, deadline=None, phases=[Phase.generate], print_blob=False,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.lists(st.integers(100, 1 << 32), min_size=40, max_size=40, unique=True))
def test_two_hundred_networks_are_what_hls4ml_emulates(tmp_path_factory, seeds):
    found = compare(seeds, tmp_path_factory.mktemp("nets"), simulated=2)
    assert sum(count > 10 for count in found) > 10
