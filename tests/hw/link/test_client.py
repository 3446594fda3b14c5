"""The client and the gateware together, on good lines and on bad ones.

The line is simulated in the client's own reads, and its clock is the client's: what happens does
not depend on how fast this machine is.
"""

import random
import types

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matweave.fpga.host import device as device_module
from matweave.fpga.host import protocol
from matweave.fpga.host.device import Device
from matweave.fpga.host.errors import DeviceReset, LinkError, NoAnswer, NotOurs, Refused
from matweave.fpga.host.protocol import Command, Status, frame
from matweave.sim.serial_board import SerialModule

from .toy import IDENTITY, LIMIT, X_BYTES, X_DEPTH, Golden, linked_verilog

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

CYCLES_PER_SECOND = 1_000_000


class Line:
    """A serial port with a simulated device; ``damage`` changes what passes in either direction."""

    name = "simulated"

    def __init__(self, module):
        self.module, self.damage, self.waiting = module, bytes, b""

    @property
    def in_waiting(self):
        return len(self.waiting)

    def write(self, data):
        self.module.send(self.damage(data))

    def read(self, size):
        if not self.waiting:
            self.module.run(1000)
            self.waiting = self.damage(self.module.receive())
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def reset_input_buffer(self):
        self.waiting = b""

    def close(self):
        pass

    def clock(self):
        return self.module.cycles / CYCLES_PER_SECOND


@pytest.fixture(scope="module")
def module():
    with SerialModule(linked_verilog(), "toy_linked", cycles_per_bit=8) as made:
        yield made


@pytest.fixture
def line(module, monkeypatch):
    module.reset()
    while module.unsent or module.quiet < 1000:
        module.run(1000)
    module.receive()
    made = Line(module)
    monkeypatch.setattr(device_module, "time", types.SimpleNamespace(monotonic=made.clock))
    return made


def connect(line, attempts=5):
    return Device(line, baud=CYCLES_PER_SECOND // 8, timeout=0.01, attempts=attempts)


class Damage:
    """Bytes flipped, lost, doubled, made up, and whole pieces lost or doubled."""

    def __init__(self, seed: int, rate: float):
        self.random, self.rate = random.Random(seed), rate
        self.done = 0

    def __call__(self, data: bytes) -> bytes:
        rng, out = self.random, bytearray()
        for byte in data:
            if rng.random() >= self.rate:
                out.append(byte)
                continue
            self.done += 1
            kind = rng.randrange(6)
            if kind == 0:
                out.append(byte ^ 1 << rng.randrange(8))
            elif kind == 1:
                out += bytes([byte, byte])
            elif kind == 2:
                out += rng.choice([b"\x7e", b"\x7d", rng.randbytes(3)]) + bytes([byte])
            elif kind == 3:
                out += rng.randbytes(1)
            elif kind == 4:
                out += out[-rng.randrange(40) :]
        return bytes(out)


def test_every_command(line):
    with connect(line) as device:
        facts = device.facts
        assert (facts.limit, facts.sinks, facts.sources) == (LIMIT, (3, 1), (3,))
        assert facts.identity == IDENTITY
        device.write((4, value) for value in range(20))  # three requests
        assert device.read([0, 4, 8] * 12) == [20, 19, 0] * 12
        assert device.push(1, np.arange(70, dtype=np.uint8).reshape(-1, 1)) == LIMIT - 3
        assert device.read([8]) == [sum(range(LIMIT - 3))]
        beats = np.arange(15, dtype=np.uint8).reshape(5, X_BYTES)
        assert device.push(0, beats, last=True) == X_DEPTH
        came, last = device.pull(0, 2)
        assert np.array_equal(came, beats[:2]) and not last
        assert device.push(0, beats[X_DEPTH:], last=True) == 2
        came, last = device.pull(0)
        assert np.array_equal(came, beats[2:]) and last
        came, last = device.pull(0)
        assert came.shape == (0, X_BYTES) and not last
        device.push(0, beats)
        device.reset()
        assert len(device.pull(0)[0]) == 0
        assert device.read([0, 4, 8]) == [0, 0, 0]
        assert device.retries == device.strays == 0


def test_tlast_is_the_last_rows_and_comes_only_with_it(line):
    rows = np.zeros((40, X_BYTES), np.uint8)
    with connect(line) as device:
        assert device.push(0, rows, last=True) == X_DEPTH
        assert device.pull(0)[1] is False
        assert device.push(0, rows[:1], last=True) == 1
        assert device.push(0, rows[:1]) == 1
        came, last = device.pull(0)
        assert (len(came), last) == (1, True)
        came, last = device.pull(0)
        assert (len(came), last) == (1, False)


def test_refused_registers_are_named(line):
    with connect(line) as device:
        with pytest.raises(Refused, match=r"simulated: write of 0x7 to 0xc was answered SLVERR"):
            device.write([(4, 1), (12, 7), (4, 2)])
        assert device.read([0, 4]) == [1, 1]
        with pytest.raises(Refused, match="read of 0x10 was answered DECERR"):
            device.read([0, 16])
        with pytest.raises(Refused, match="read of 0x40 was answered DECERR"):
            device.read([64])  # beyond the port's address bits
        with pytest.raises(Refused, match="PULL was answered UNKNOWN_STREAM"):
            device._ask(Command.PULL, b"\x05\x01\x00")
        with pytest.raises(ValueError, match="rows of 3 bytes"):
            device.push(0, np.zeros((2, 4), np.uint8))


class Checked:
    """Commands given to a device and to the golden model; their results must agree."""

    def __init__(self, device, golden):
        self.device, self.golden = device, golden

    def do(self, name, argument):
        device, execute = self.device, self.golden.execute
        if name == "write":
            device.write([(4, argument), (4, argument + 1)])
            status, _ = execute(Command.WRITE, protocol.write_arguments([(4, argument)]))
            execute(Command.WRITE, protocol.write_arguments([(4, argument + 1)]))
        elif name == "read":
            words = device.read([0, 4, 8])
            status, results = execute(Command.READ, protocol.read_arguments([0, 4, 8]))
            assert words == protocol.read_results(results)[0]
        elif name == "push":
            stream = argument % 2
            size = (X_BYTES, 1)[stream]
            beats = np.frombuffer(random.Random(argument).randbytes(5 * size), np.uint8)
            taken = device.push(stream, beats.reshape(-1, size), last=argument % 3 == 0)
            arguments = protocol.push_arguments(stream, beats.tobytes(), argument % 3 == 0)
            status, results = execute(Command.PUSH, arguments)
            assert taken == protocol.push_results(results)
        elif name == "pull":
            came, last = device.pull(0, argument % 7)
            arguments = protocol.pull_arguments(0, argument % 7)
            status, results = execute(Command.PULL, arguments)
            expected, expected_last = protocol.pull_results(results, X_BYTES)
            assert np.array_equal(came, expected) and last == expected_last
        else:
            device.reset()
            status, _ = execute(Command.RESET, b"")
        assert status == Status.OK


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "read", "push", "push", "pull", "pull", "reset"]),
        st.integers(0, 1000),
    ),
    min_size=5,
    max_size=25,
)
FUZZ = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FUZZ
@given(ACTIONS, st.integers(0, 2**32), st.sampled_from([0.001, 0.005, 0.02]))
def test_on_a_bad_line_every_result_is_right_and_every_request_done_once(line, todo, seed, rate):
    line.damage = bytes
    golden = Golden()
    with connect(line, attempts=200) as device:
        device.reset()
        line.damage = Damage(seed, rate)
        checked = Checked(device, golden)
        for name, argument in todo:
            checked.do(name, argument)
        line.damage = bytes
        checked.do("read", 0)


@FUZZ
@given(ACTIONS, st.integers(0, 2**32), st.sampled_from([0.1, 0.3, 1.0]))
def test_on_a_terrible_line_there_is_an_error_and_after_it_a_device(line, todo, seed, rate):
    """Few requests get through; those that do are right, and a better line is enough to go on."""
    line.damage = bytes
    with connect(line, attempts=3) as device:
        device.reset()
        line.damage = Damage(seed, rate)
        checked = Checked(device, Golden())
        try:
            for name, argument in todo:
                checked.do(name, argument)
        except NoAnswer as error:
            assert "no answer to" in str(error) and str(error).isprintable()
        line.damage = bytes
        device.hello()
        device.reset()
        checked = Checked(device, Golden())
        for name, argument in todo:
            checked.do(name, argument)


def test_a_bad_line_is_bad_enough_to_notice(line, seed):
    """The damage of the tests above does cost repetitions."""
    with connect(line, attempts=200) as device:
        line.damage = Damage(seed, 0.02)
        for _ in range(30):
            device.read([0])
        assert device.retries > 5 and line.damage.done > 10


def test_a_reset_in_the_middle_is_told(line, module):
    with connect(line) as device:
        device.write([(4, 1)])
        module.reset()
        with pytest.raises(DeviceReset, match="the device was reset in the middle of its work"):
            device.write([(4, 2)])
        with pytest.raises(DeviceReset):
            device.read([4])
        device.hello()
        assert device.read([0, 4]) == [0, 0]


def test_what_an_earlier_session_left_is_not_taken_for_an_answer(line):
    """Old answers, whole and in part, and old requests still on their way."""
    golden = Golden()
    hello = bytes([9, 0]) + bytes(8)
    line.waiting = frame(golden.answer(hello)) * 300 + frame(b"\x01\x82\x00" + bytes(5))[:-3]
    line.module.send(frame(hello) + frame(b"\x0a\x01\x04\x00\x00\x00\x01\x02\x03\x04")[:-4])
    with connect(line) as device:
        assert device.read([0, 4]) == [0, 0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            lambda hello: b"",
            "no answer to HELLO at 125000 baud in 3 attempts: is the board",
        ),
        (lambda hello: b"login: ", "but 21 bytes of something else: is the design built for this"),
        (lambda hello: frame(hello), "bytes of something else"),  # an echo
        (lambda hello: frame(bytes([hello[0] ^ 1, 0x80, 0]) + hello[2:]), "something else"),
        (lambda hello: frame(bytes([hello[0], 0x80, 0]) + bytes(50)), "something else"),
        (lambda hello: frame(bytes([hello[0], 0x80, 0]) + hello[2:]), "a device of another kind"),
        (lambda hello: answering(hello, version=2), "protocol version 02, not 1"),
        (lambda hello: answering(hello, cut=1), "HELLO has 30 bytes for 2 + 1 streams"),
        (lambda hello: answering(hello, cut=24), "HELLO is too short"),
        (lambda hello: frame(bytes([hello[0], 0x80, 1])), "HELLO was answered UNKNOWN_COMMAND"),
        (lambda hello: frame(bytes([hello[0], 0x80, 77])), "HELLO was answered status 77"),
    ],
)
def test_a_port_that_is_not_ours(monkeypatch, answer, message):
    class Other(Line):
        """Something else at the other end."""

        def __init__(self):
            self.waiting, self.time = b"", 0.0

        def write(self, data):
            (hello,) = protocol.FrameDecoder().feed(data)
            self.waiting += answer(hello)

        def read(self, size):
            self.time += 0.001
            data, self.waiting = self.waiting[:size], self.waiting[size:]
            return data

        def clock(self):
            return self.time

    other = Other()
    monkeypatch.setattr(device_module, "time", types.SimpleNamespace(monotonic=other.clock))
    with pytest.raises(NotOurs) as error:
        connect(other, attempts=3)
    assert str(error.value).startswith("simulated: ") and message in str(error.value)
    assert str(error.value).isprintable()
    assert isinstance(error.value, LinkError)


def answering(hello: bytes, version: int = 1, cut: int = 0) -> bytes:
    """The toy's answer to HELLO, of another version or cut at its end."""
    answer = bytearray(Golden().answer(hello))
    answer[3 + 8 + 4] = version
    return frame(bytes(answer[: len(answer) - cut]))
