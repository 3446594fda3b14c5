"""The client at a pseudo-terminal: whole matrices on every kind of array, and what goes wrong."""

import contextlib
import fnmatch
import functools
import os
import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import serial

from matweave.fpga.host import Device, GemmDevice
from matweave.fpga.host.errors import DeviceReset, NoAnswer, NotOurs, PortError
from matweave.hw import config as configuration
from matweave.hw.link.linked import linked_name, linked_verilog
from matweave.sim.cases import cases
from matweave.sim.golden.gemm import for_config
from matweave.sim.jobs import Job
from matweave.sim.native import EngineError
from matweave.sim.registers import ID_VALUE, Control, Register
from matweave.sim.serial_board import SerialBoard, SerialModule

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

KINDS = ("tiny_os", "tiny_tree", "tiny_opt4c")
"""One for each of the engine's cores; the other arrays are behind the same ports."""
MORE_KINDS = ("tiny_ws", "tiny_matrix", "tiny_cube", "tiny_opt2", "tiny_opt3", "tiny_opt4e")
CYCLES = 8
"""Per bit: the fastest line that the clock allows."""
WAIT = 20.0
"""Seconds for an answer, on a machine that has other things to do."""


@functools.lru_cache
def text(config) -> str:
    return linked_verilog(config, clock_frequency=CYCLES, baud=1)


def board(config, **parameters) -> SerialBoard:
    return SerialBoard(text(config), linked_name(config), cycles_per_bit=CYCLES, **parameters)


def check(engine: GemmDevice, job: Job):
    result = engine.job(job)
    expected = for_config(engine.config)(**job.arguments())
    assert np.array_equal(result.c, expected)
    m, n, k = job.shape
    assert result.cycles == result.counters["cycles"] > 0
    assert result.utilisation == m * n * k / (engine.config.geometry.macs * result.cycles)
    return result


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in MORE_KINDS]


@pytest.mark.parametrize("name", [*KINDS, *SLOW])
def test_jobs_equal_the_golden_model(name, seed):
    config = configuration.load(name)
    with board(config) as simulated, Device(simulated.port, timeout=WAIT) as device:
        engine = GemmDevice(device, config)
        for item in cases(config, seed, 25):
            check(engine, item.job)
        assert device.retries == engine.restarts == simulated.framing_errors == 0


@pytest.fixture
def tiny():
    return configuration.load("tiny_os")


@pytest.fixture
def large(tiny, seed) -> Job:
    """A job with more beats than a request holds, on every stream."""
    rng = np.random.default_rng(seed)
    limits = tiny.limits
    job = Job(
        a=rng.integers(-128, 128, (limits.m, limits.k)),
        b=rng.integers(-128, 128, (limits.k, limits.n)),
        c0=rng.integers(-1000, 1000, (limits.m, limits.n)),
    )
    return job.checked(tiny)


def test_gemm_takes_what_the_simulated_engine_takes(tiny, large):
    with board(tiny) as simulated, Device(simulated.port, timeout=WAIT) as device:
        engine = GemmDevice(device, tiny)
        result = engine.gemm(large.a, large.b, c0=large.c0, relu=True)
        golden = for_config(tiny)
        assert np.array_equal(result.c, golden(large.a, large.b, c0=large.c0, relu=True))
        with pytest.raises(ValueError, match="m is 17; this engine takes 1 to 16"):
            engine.gemm(np.zeros((17, 2), int), np.zeros((2, 2), int))


def test_it_works_on_a_bad_line(tiny, large, seed):
    """One byte in two thousand is damaged, in both directions: every fourth full frame."""
    rng = random.Random(seed)

    def damage(data: bytes) -> bytes:
        return bytes(b ^ (1 << rng.randrange(8) if rng.random() < 0.0005 else 0) for b in data)

    with board(tiny, to_device=damage, to_host=damage) as simulated:
        with Device(simulated.port, timeout=0.3, attempts=100) as device:
            engine = GemmDevice(device, tiny)
            while device.retries < 5:
                check(engine, large)
        assert simulated.failure is None


def test_a_board_that_is_reset_in_the_middle_of_a_job(tiny, large, seed):
    """At many moments: the job is begun anew, and its result is right."""
    rng = random.Random(seed)
    with board(tiny) as simulated, Device(simulated.port, timeout=0.3, attempts=50) as device:
        engine = GemmDevice(device, tiny)
        for _ in range(8):
            timer = threading.Timer(rng.random() * 0.15, simulated.reset)
            timer.start()
            check(engine, large)
            timer.join()
        assert engine.restarts > 2
        check(engine, large)


def test_a_board_that_is_reset_all_the_time(tiny, large):
    with board(tiny) as simulated, Device(simulated.port, timeout=0.3, attempts=50) as device:
        engine = GemmDevice(device, tiny)
        push = device.push

        def reset_and_push(*arguments, **parameters):
            simulated.reset()
            return push(*arguments, **parameters)

        device.push = reset_and_push
        with pytest.raises(DeviceReset, match="was reset in the middle of its work"):
            engine.job(large)
        assert engine.restarts == 3
        device.push = push
        device.hello()
        check(engine, large)


def test_a_job_that_was_given_up_does_not_disturb_the_next(tiny, large):
    """As by Ctrl-C: the engine is in the middle of it, and a beat waits in the link."""
    with board(tiny) as simulated, Device(simulated.port, timeout=WAIT) as device:
        engine = GemmDevice(device, tiny)
        pull = device.pull
        for calls in (1, 2, 4, 7):
            left = iter(range(calls))

            def interrupted(*arguments, left=left):
                if next(left, None) is None:
                    raise KeyboardInterrupt
                return pull(*arguments)

            device.pull = interrupted
            with pytest.raises(KeyboardInterrupt):
                engine.job(large)
            device.pull = pull
            check(engine, large)


def test_an_engine_that_does_not_go_on_is_told(tiny, large):
    """Here because the job was taken from it."""
    with board(tiny) as simulated, Device(simulated.port, timeout=WAIT) as device:
        engine = GemmDevice(device, tiny, stalled=0.3)
        write = device.write

        def write_and_stop(pairs):
            write([*pairs, (Register.CONTROL, Control.SOFT_RESET)])

        device.write = write_and_stop
        with pytest.raises(EngineError, match=r"no beat crossed in 0.3 s; missing 96 of 96 beats"):
            engine.job(large)
        device.write = write
        check(engine, large)


def test_the_engine_of_another_configuration_is_refused(tiny):
    """Even one whose streams look the same."""
    other = configuration.load("tiny_os", ["limits.m=15"])
    with board(tiny) as simulated, Device(simulated.port, timeout=WAIT) as device:
        for wrong in (other, configuration.load("tiny_ws")):
            with pytest.raises(NotOurs) as error:
                GemmDevice(device, wrong)
            assert "the board holds another engine" in str(error.value)
            assert tiny.hash[:32] in str(error.value) and wrong.hash[:32] in str(error.value)
        assert device.read([Register.ID]) == [ID_VALUE]


def test_one_program_at_a_time(tiny):
    with board(tiny) as simulated, Device(simulated.port, timeout=WAIT):
        message = "another program uses the port"
        with pytest.raises(PortError, match=message):
            Device(simulated.port, timeout=WAIT)


def test_sessions_follow_each_other(tiny, large):
    with board(tiny) as simulated:
        for _ in range(4):
            with Device(simulated.port, timeout=WAIT) as device:
                check(GemmDevice(device, tiny), large)


def test_a_board_that_falls_silent(tiny):
    with board(tiny) as simulated, Device(simulated.port, timeout=0.05, attempts=3) as device:
        simulated.hold_low(True)
        with pytest.raises(NoAnswer, match=r"no answer to READ in 3 attempts of 0.05 s: is the"):
            device.read([0])
        simulated.hold_low(False)
        device.timeout = WAIT
        device.hello()
        assert device.read([Register.ID]) == [ID_VALUE]


def test_ports_that_cannot_be_used(tmp_path):
    with pytest.raises(PortError, match=r"no_such: there is no such port; serial ports here: "):
        Device(str(tmp_path / "no_such"))
    (tmp_path / "file").write_text("")
    with pytest.raises(PortError, match="file: cannot be used as a serial port: "):
        Device(str(tmp_path / "file"))
    with pytest.raises(PortError):
        Device("")


def test_ports_that_are_not_ours():
    """A terminal where nobody is, one that echoes, one that talks, and one that goes away."""
    host, slave = os.openpty()
    name = os.ttyname(slave)
    try:
        with pytest.raises(NotOurs, match=r"attempts: is the board powered and programmed"):
            Device(name, timeout=0.05, attempts=2)

        stop = threading.Event()

        def talk(words):
            os.set_blocking(host, False)
            while not stop.is_set():
                with contextlib.suppress(BlockingIOError):
                    os.write(host, words or os.read(host, 100))
                time.sleep(0.005)

        for words in (b"", b"# login: ", bytes(range(256)), b"\x7e\x7d"):
            stop.clear()
            thread = threading.Thread(target=talk, args=(words,))
            thread.start()
            try:
                with pytest.raises(NotOurs, match="bytes of something else: is the design built"):
                    Device(name, timeout=0.1, attempts=2)
            finally:
                stop.set()
                thread.join()
    finally:
        os.close(slave)
        os.close(host)
    with pytest.raises(PortError):
        Device(name)


def test_a_port_that_goes_away(tiny):
    simulated = board(tiny)
    with Device(simulated.port, timeout=0.2) as device:
        simulated.close()
        with pytest.raises(PortError, match="the port went away: "):
            device.read([0])


def test_any_program_can_open_the_port(tiny):
    """Raw bytes, by the serial library alone: what is no request is not answered."""
    with board(tiny) as simulated, serial.Serial(simulated.port, timeout=0.2) as port:
        port.write(b"hello\r\n")
        assert port.read(10) == b""


def test_the_bytes_on_the_protocols_page(tiny):
    """Both sides as they are written there."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "host-link.md"
    example = page.read_text().rpartition("```text\n")[2].partition("```")[0]
    lines = example.splitlines()
    assert [line[:2] for line in lines] == ["->", "<-", "->", "<-"]
    with SerialModule(text(tiny), linked_name(tiny), cycles_per_bit=CYCLES) as simulated:
        for request, response in zip(lines[::2], lines[1::2], strict=True):
            simulated.send(bytes.fromhex(request[2:]))
            while simulated.unsent or simulated.quiet < 2000:
                simulated.run(500)
            came = simulated.receive().hex(" ")
            assert fnmatch.fnmatchcase(came, response[3:].replace("...", "*")), came
