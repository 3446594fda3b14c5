"""A network's registers: they count what happens at its streams, and change nothing there."""

import numpy as np
import pytest

from matweave.hw import emit
from matweave.hw.fixed import Fixed
from matweave.hw.network import regmap
from matweave.hw.network.design import design
from matweave.hw.network.layers import Input, Network
from matweave.hw.network.monitor import Monitored
from matweave.sim.driver import Pause, read, write
from matweave.sim.golden import network as golden
from matweave.sim.network import beat_bytes, pack, unpack
from matweave.sim.registers import NETWORK_ID_VALUE, NetworkRegister, Response
from matweave.sim.stimuli import networks
from matweave.sim.streams import StreamDriver

pytestmark = pytest.mark.requires_tool("verilator", "g++", "make")

CLOCK = 48e6


class Driver(StreamDriver):
    """The engine with its registers, compiled."""

    def __init__(self, made):
        engine, parameters = made.component
        monitored = Monitored(
            engine=engine, parameters=tuple(parameters.items()), clock_frequency=CLOCK
        )
        self.streams = made.manifest["streams"]
        self.load(
            emit.verilog(monitored, "monitored"),
            "monitored",
            {"s_axis_x": beat_bytes(self.streams["input"])},
            {"m_axis_y": beat_bytes(self.streams["output"])},
            seed=1,
        )

    def results(self, raw, **options):
        """What :meth:`run` saw, and the raw results."""
        beats = pack(raw, self.streams["input"])
        outcome = self.run({"x": beats}, {"y": len(raw)}, **options)
        return outcome, unpack(outcome.outputs["y"], self.streams["output"])

    def access(self, *operations):
        return [(each.response, each.data) for each in self.run({}, {}, operations).operations]

    def registers(self):
        return {each.name: self.access(read(each))[0][1] for each in NetworkRegister}


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(11)
    x = Input("x", None, (5,), Fixed(7, 3))
    layer = networks.dense(rng, x, 4, "layer", exact=True)
    return design(Network("tiny", (x, layer), "layer"), stages=3)


@pytest.fixture
def driver(made):
    with Driver(made) as driver:
        yield driver


def test_the_map_is_that_of_the_page():
    assert {each.name: each.address for each in regmap.REGISTERS} == {
        each.name: each.value for each in NetworkRegister
    }


def test_before_any_sample(driver):
    assert driver.registers() == {
        "ID": NETWORK_ID_VALUE,
        "VERSION": 1,
        "CLOCK_HZ": 48_000_000,
        "SAMPLES": 0,
        "LATENCY": 0,
    }


def test_nothing_can_be_written_and_there_is_nothing_else(driver):
    for each in NetworkRegister:
        assert driver.access(write(each, 1)) == [(Response.SLVERR, 1)]
    for address in (0x14, 0x18, 0x1C):
        assert driver.access(read(address))[0][0] == Response.DECERR
        assert driver.access(write(address, 1))[0][0] == Response.DECERR
    assert driver.registers()["SAMPLES"] == 0


def test_results_are_the_engines_and_are_counted(made, driver, seed):
    x = networks.inputs(made.network, seed, 500)
    pauses = {"x": Pause(0.3, 7), "y": Pause(0.3, 9)}
    _, found = driver.results(x, pauses=pauses)
    last = made.network[made.network.output]
    shifts = 2.0 ** np.array([last.result.fraction + each for each in made.folded.exponents])
    assert (found * shifts == golden.predict(made.network, x)).all()
    assert driver.registers()["SAMPLES"] == 500


@pytest.mark.parametrize("stages", [1, 3])
def test_the_latency_of_a_sample_that_waits_for_nothing(made, stages):
    with Driver(design(made.network, stages=stages)) as driver:
        x = networks.inputs(made.network, 1, 20)
        outcome, _ = driver.results(x[:1])
        assert outcome.last_out - outcome.first_in == stages
        assert driver.registers()["LATENCY"] == stages
        # Others behind it, and a receiver that makes all of them wait, do not count.
        driver.results(x, pauses={"y": Pause(0.9, 40, seed=3)})
        assert driver.registers()["LATENCY"] == stages


def test_a_reset_forgets(made, driver):
    driver.results(networks.inputs(made.network, 1, 5))
    assert driver.registers()["SAMPLES"] == 5
    driver.hard_reset()
    assert (driver.registers()["SAMPLES"], driver.registers()["LATENCY"]) == (0, 0)
