"""The client at ports that do odd things, without a simulated device."""

import contextlib
import errno
import os
import termios
import threading
import time
import tty

import pytest

from matweave.fpga.host import Device
from matweave.fpga.host.errors import LinkError, NotOurs, PortError
from matweave.fpga.host.protocol import ANSWER, Command, FrameDecoder, frame


def hello(limit=512, sinks=(4,), sources=(3,)) -> bytes:
    sizes = b"".join(size.to_bytes(2, "little") for size in (*sinks, *sources))
    begin = b"mtwv\x01" + limit.to_bytes(2, "little") + bytes([len(sinks), len(sources)])
    return begin + sizes + bytes(16)


FACTS = hello()


class Port:
    """An open port with a device that answers a HELLO with ``facts`` and anything else with
    ``results``, ``delay`` seconds later; ``echo``: of what is sent, at once."""

    name = "scripted"

    def __init__(self, facts=FACTS, results=b"", *, echo=False, delay=0.0):
        self.facts, self.results, self.echo, self.delay = facts, results, echo, delay
        self.decoder, self.coming, self.requests = FrameDecoder(), [], 0

    @property
    def in_waiting(self):
        return sum(len(data) for moment, data in self.coming if moment <= time.monotonic())

    def write(self, data):
        now = time.monotonic()
        if self.echo:
            self.coming.append((now, data))
        for contents in self.decoder.feed(data):
            self.requests += 1
            number, command, arguments = contents[0], contents[1], contents[2:]
            results = arguments + self.facts if command == Command.HELLO else self.results
            answer = frame(bytes([number, command | ANSWER, 0]) + results)
            self.coming.append((now + self.delay, answer))

    def read(self, size):
        if not self.in_waiting:
            time.sleep(0.005)
            return b""
        ready = next(item for item in self.coming if item[0] <= time.monotonic())
        self.coming.remove(ready)
        return ready[1]

    def reset_input_buffer(self):
        self.coming.clear()

    def close(self):
        pass


def test_an_adapter_that_echoes_is_passed_over():
    """What comes back of a request is a frame that is right, and no response."""
    port = Port(echo=True, delay=0.05, results=b"\x07\x00\x00\x00\x00")
    with Device(port) as device:
        assert device.read([0]) == [7]
        assert device.retries == device.strays == 0
        assert port.requests == 2


def test_an_echo_alone_does_not_end_an_attempt():
    port = Port(echo=True, delay=1000)
    begin = time.monotonic()
    with pytest.raises(NotOurs, match="bytes of something else"):
        Device(port, timeout=0.1, attempts=3)
    assert time.monotonic() - begin >= 0.3
    assert port.requests == 3


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (hello(limit=0), "a limit of 0 bytes"),
        (hello(limit=63), "a limit of 63 bytes"),
        (hello(sinks=(4, 0)), "beats of 0 bytes"),
        (hello(sources=(0,)), "beats of 0 bytes"),
        (hello(sources=(509,)), "beats of 509 bytes, not 1 to 508"),
        (hello(limit=64, sinks=(61,)), "beats of 61 bytes, not 1 to 60"),
    ],
)
def test_a_device_that_cannot_be_is_not_ours(said, message):
    with pytest.raises(NotOurs, match=f"scripted: HELLO tells of {message}"):
        Device(Port(said))


def test_the_smallest_limit_and_the_largest_beat_are_taken():
    with Device(Port(hello(limit=64, sinks=(60,), sources=(1, 60)))) as device:
        assert device.push_limit(0) == device.pull_limit(1) == 1


def test_more_beats_than_asked_for_are_an_error():
    with Device(Port(results=b"abcdef\x00")) as device:
        assert device.pull(0, 2)[0].tolist() == [[97, 98, 99], [100, 101, 102]]
        with pytest.raises(LinkError, match="scripted: 2 beats came, asked for 1"):
            device.pull(0, 1)


@pytest.fixture
def terminal():
    """Our end of a pseudo-terminal, and the name of the other."""
    host, slave = os.openpty()
    tty.setraw(slave)
    name = os.ttyname(slave)
    yield host, slave, name
    for descriptor in (host, slave):
        with contextlib.suppress(OSError):  # the test did
            os.close(descriptor)


@pytest.mark.parametrize("baud", [0, -1, 10**11, 10**30])
def test_baud_rates_that_no_line_has(terminal, baud):
    _, _, name = terminal
    with pytest.raises(LinkError, match=rf"{name}: .*baud") as error:
        Device(name, baud=baud, timeout=0.05, attempts=1)
    assert not isinstance(error.value, NotOurs)  # it was never asked
    assert "\n" not in str(error.value)


def test_a_port_that_goes_away_while_it_is_opened(terminal, monkeypatch):
    """What the terminal's own calls raise is no OSError."""
    _, _, name = terminal

    def gone(*_):
        raise termios.error(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(termios, "tcflush", gone)
    message = rf"{name}: cannot be used as a serial port: \[Errno 5\] Input/output error"
    with pytest.raises(PortError, match=message):
        Device(name)


def test_a_greeting_at_a_port_that_has_gone(terminal):
    host, slave, name = terminal
    answers = Port()

    def answer():
        while not answers.requests:
            answers.write(os.read(host, 100))
        os.write(host, answers.read(1))

    thread = threading.Thread(target=answer)
    thread.start()
    with Device(name, timeout=20) as device:
        thread.join()
        os.close(slave)
        os.close(host)
        with pytest.raises(PortError, match=f"{name}: the port went away: "):
            device.hello()
