"""Samples of a network at a pseudo-terminal, the latency that it counts, and what goes wrong."""

import random
import threading

import numpy as np
import pytest

from matweave.fpga.host import Device, NetworkDevice
from matweave.fpga.host.errors import NotOurs
from matweave.hw.errors import UserError
from matweave.hw.fixed import Fixed
from matweave.hw.link.linked import linked_name
from matweave.hw.network.config import NetworkConfig
from matweave.hw.network.layers import Input, Network
from matweave.hw.network.linked import linked_verilog
from matweave.sim.golden import network as golden
from matweave.sim.serial_board import SerialBoard
from matweave.sim.stimuli import networks

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

CYCLES, WAIT = 8, 20.0


def network(bias: int = 0):
    rng = np.random.default_rng(11)
    x = Input("x", None, (5,), Fixed(7, 3))
    first = networks.dense(rng, x, 4, "first", exact=True)
    last = networks.dense(rng, first, 3, "last", exact=True)
    last.bias[0] ^= bias
    return Network("tagger", (x, first, last), "last")


@pytest.fixture(scope="module")
def config():
    return NetworkConfig(network(), stages=3)


@pytest.fixture(scope="module")
def verilog(config):
    return linked_verilog(config, clock_frequency=CYCLES * 1e6, baud=1e6)


@pytest.fixture
def simulated(config, verilog):
    with SerialBoard(verilog, linked_name(config), cycles_per_bit=CYCLES) as board:
        yield board


def check(engine, seed: int, count: int):
    network = engine.config.network
    x = networks.inputs(network, seed, count)
    fraction = network[network.output].result.fraction
    found = engine.real(engine.predict_raw(x))
    assert found.shape == (count, 3)
    assert (found == golden.predict(network, x) * 2.0**-fraction).all()


def test_samples_equal_the_golden_model(config, simulated, seed):
    with Device(simulated.port, timeout=WAIT) as device:
        engine = NetworkDevice(device, config)
        for count in (1, 2, 15, 16, 17, 300):  # in and beyond what a request holds
            check(engine, seed, count)
            assert engine.latency().cycles == 3
        assert engine.latency().ns == pytest.approx(3e3 / 8)
        assert len(engine.predict_raw(np.zeros((0, 5), int))) == 0
        x = np.linspace(-1, 1, 10).reshape(2, 5)
        raw = golden.quantised(x, config.network.input.result)
        assert (engine.predict(x, config.network.input.result)
                == engine.real(engine.predict_raw(raw))).all()  # fmt: skip
        with pytest.raises(UserError, match=r"each sample must be \(5,\)"):
            engine.predict(np.zeros((2, 4)), config.network.input.result)
        assert device.retries == engine.restarts == simulated.framing_errors == 0


def test_a_board_that_is_reset_in_the_middle(config, simulated, seed):
    rng = random.Random(seed)
    with Device(simulated.port, timeout=0.3, attempts=50) as device:
        engine = NetworkDevice(device, config)
        while engine.restarts < 3:
            timer = threading.Timer(rng.random() * 0.1, simulated.reset)
            timer.start()
            check(engine, seed, 200)
            timer.join()
        check(engine, seed, 20)


def test_what_was_given_up_does_not_disturb_the_next(config, simulated, seed):
    with Device(simulated.port, timeout=WAIT) as device:
        engine = NetworkDevice(device, config)
        pull = device.pull

        def interrupted(*arguments):
            raise KeyboardInterrupt

        device.pull = interrupted
        with pytest.raises(KeyboardInterrupt):
            check(engine, seed, 30)
        device.pull = pull
        check(engine, seed, 30)


def test_another_network_is_refused_and_other_stages_are_not(config, simulated, seed):
    """One whose streams look the same."""
    other = NetworkConfig(network(bias=1), stages=3)
    with Device(simulated.port, timeout=WAIT) as device:
        with pytest.raises(NotOurs, match="the board holds another engine"):
            NetworkDevice(device, other)
        engine = NetworkDevice(device, NetworkConfig(config.network))
        check(engine, seed, 5)
        assert engine.latency().cycles == 3  # as it is on the board


def test_registers_of_another_version_are_refused(config, simulated):
    with Device(simulated.port, timeout=WAIT) as device:
        device.read = lambda addresses: [0x4D54574E, 2]
        with pytest.raises(NotOurs, match="of version 2, and this host knows version 1"):
            NetworkDevice(device, config)
