"""One device at a serial port: its registers and streams."""

import contextlib
import errno
import secrets
import time
from collections.abc import Iterable

import numpy as np
import serial
from serial.tools import list_ports

from matweave.hw.errors import plain, shown
from matweave.sim.registers import Response as AxiResponse

from . import protocol
from .errors import DeviceReset, LinkError, NoAnswer, NotOurs, PortError, Refused
from .protocol import Command, Facts, FrameDecoder, ProtocolError, Response, Status

try:
    import termios
except ModuleNotFoundError:  # Windows
    TerminalError = OSError
else:
    TerminalError = termios.error

BAUD = 1_000_000
TIMEOUT = 1.0
ATTEMPTS = 5
GREETING_LIMIT = 2 + protocol.NONCE_BYTES
_POLL = 0.02
"""Seconds for which a read may hold on to Ctrl-C and the clock."""


class Device:
    """The device at ``port``, greeted: a name such as ``/dev/ttyUSB0`` or ``COM3``, or an open port
    (``serial.Serial``, or what works like it) whose reads end after a fraction of a second.

    A request that is not answered within ``timeout`` seconds, beyond the time that the bytes take
    on the line, is repeated; after ``attempts`` in all :class:`NoAnswer` is raised, or
    :class:`NotOurs` where no answer has come ever. What comes that is no response, such as an
    adapter's echo, is passed over. However often a request is repeated, the device
    executes it once.

    ``facts`` is what the device says of itself; ``retries`` counts repeated requests, ``strays``
    answers to other requests than the one that was waited for.
    """

    def __init__(
        self,
        port: "str | serial.Serial",
        *,
        baud: int = BAUD,
        timeout: float = TIMEOUT,
        attempts: int = ATTEMPTS,
    ):
        self.port = port if isinstance(port, str) else str(getattr(port, "name", None) or "line")
        self.baud, self.timeout, self.attempts = baud, timeout, attempts
        if baud < 1:
            raise LinkError(f"{self._name}: {shown(baud)} baud: allowed are 1 and more")
        self.retries = self.strays = 0
        self._number = secrets.randbelow(256)
        self._serial = _open(port, baud, timeout) if isinstance(port, str) else port
        self._decoder, self._waiting = FrameDecoder(), []
        try:
            self.facts = self.hello()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self._serial.close()

    def hello(self) -> Facts:
        """Begin a session: what is left of an earlier one, here and there, is forgotten.

        The nonce tells the answer from an answer to somebody else's greeting.
        """
        # SerialException is an OSError. Whether the port is still there, the request will tell.
        with contextlib.suppress(OSError, TerminalError):
            self._serial.reset_input_buffer()
        self._decoder, self._waiting = FrameDecoder(), []
        nonce = secrets.token_bytes(protocol.NONCE_BYTES)
        try:
            results = self._ask(Command.HELLO, nonce, begins=nonce)
        except NoAnswer:
            raise NotOurs(self._silence()) from None
        except Refused as error:
            raise NotOurs(str(error)) from None
        try:
            self.facts = Facts.parse(results[len(nonce) :])
        except ProtocolError as error:
            raise NotOurs(f"{self._name}: {error}") from None
        return self.facts

    def write(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Write registers: (byte address, data) one after another, up to the first refused."""
        pairs = list(pairs)
        most = (self.facts.limit - 2) // 8
        for part in _parts(pairs, most):
            results = self._ask(Command.WRITE, protocol.write_arguments(part))
            done, response = self._parsed(protocol.write_results, results)
            if done > len(part) or (done < len(part)) != (response != 0):
                raise LinkError(f"{self._name}: {done} of {len(part)} registers written")
            if done < len(part):
                address, data = part[done]
                raise Refused(
                    f"{self._name}: write of {data:#x} to {address:#x} was answered "
                    f"{AxiResponse(response).name}"
                )

    def read(self, addresses: Iterable[int]) -> list[int]:
        """The registers at these byte addresses."""
        words = []
        most = (self.facts.limit - 4) // 4
        for part in _parts(list(addresses), most):
            results = self._ask(Command.READ, protocol.read_arguments(part))
            found, response = self._parsed(protocol.read_results, results)
            if len(found) > len(part) or (len(found) < len(part)) != (response != 0):
                raise LinkError(f"{self._name}: {len(found)} of {len(part)} registers read")
            if len(found) < len(part):
                raise Refused(
                    f"{self._name}: read of {part[len(found)]:#x} was answered "
                    f"{AxiResponse(response).name}"
                )
            words += found
        return words

    def push(self, stream: int, beats: np.ndarray, *, last: bool = False) -> int:
        """Offer ``beats`` (one per row of bytes), as many as one request holds; how many of them
        the device took. ``last``: the last row has ``tlast``, if it is among them."""
        n_bytes = self.facts.sinks[stream]
        beats = np.ascontiguousarray(beats, np.uint8)
        if beats.ndim != 2 or beats.shape[1] != n_bytes:
            raise ValueError(f"beats must be rows of {n_bytes} bytes, not {beats.shape}")
        part = beats[: self.push_limit(stream)]
        last = last and len(part) == len(beats)
        arguments = protocol.push_arguments(stream, part.tobytes(), last)
        taken = self._parsed(protocol.push_results, self._ask(Command.PUSH, arguments))
        if taken > len(part):
            raise LinkError(f"{self._name}: {taken} of {len(part)} beats taken")
        return taken

    def pull(self, stream: int, most: int = 0xFFFF) -> tuple[np.ndarray, bool]:
        """Beats that there are, up to ``most``, up to one with ``tlast``, and as many as one
        response holds; whether the last one had ``tlast``."""
        n_bytes, most = self.facts.sources[stream], min(most, 0xFFFF)
        results = self._ask(Command.PULL, protocol.pull_arguments(stream, most))
        beats, last = self._parsed(lambda data: protocol.pull_results(data, n_bytes), results)
        if len(beats) > most:
            raise LinkError(f"{self._name}: {len(beats)} beats came, asked for {most}")
        return beats, last

    def push_limit(self, stream: int) -> int:
        """Beats that one request holds."""
        return (self.facts.limit - 3) // self.facts.sinks[stream]

    def pull_limit(self, stream: int) -> int:
        """Beats that one response holds."""
        return (self.facts.limit - 4) // self.facts.sources[stream]

    def reset(self) -> None:
        """Reset the engine, and forget beats that it has not yet accepted."""
        self._ask(Command.RESET, b"")

    @property
    def _name(self) -> str:
        return plain(self.port)

    def _ask(self, command: Command, arguments: bytes, begins: bytes = b"") -> bytes:
        """The results of one request; answers that do not begin like that are somebody else's."""
        self._number = (self._number + 1) % 256
        request = protocol.frame(bytes([self._number, command]) + arguments)
        for attempt in range(self.attempts):
            self.retries += attempt > 0
            deadline = self._send(request)
            while (response := self._response(deadline)) is not None:
                if (response.number, response.command) != (self._number, command) or (
                    response.status == Status.OK and not response.results.startswith(begins)
                ):
                    self.strays += 1
                    continue
                self._check(response)
                return response.results
        raise NoAnswer(
            f"{self._name}: no answer to {command.name} in {self.attempts} attempts of "
            f"{self.timeout:g} s: is the board still connected and powered?"
        )

    def _check(self, response: Response) -> None:
        if response.status == Status.NO_SESSION:
            raise DeviceReset(f"{self._name}: the device was reset in the middle of its work")
        if response.status != Status.OK:
            known = response.status in list(Status)
            name = Status(response.status).name if known else f"status {response.status}"
            raise Refused(f"{self._name}: {Command(response.command).name} was answered {name}")

    def _parsed(self, parse, results: bytes):
        try:
            return parse(results)
        except ProtocolError as error:
            raise LinkError(f"{self._name}: {error}") from None

    def _send(self, request: bytes) -> float:
        """Send; the time until which to wait for the answer."""
        try:
            self._serial.write(request)
        except serial.SerialTimeoutException:
            pass  # nobody takes it: as if there was no answer
        except (OSError, TerminalError) as error:
            raise self._gone(error) from None
        longest = self.facts.limit if hasattr(self, "facts") else GREETING_LIMIT
        on_the_line = 10 * (len(request) + 2 * longest) / self.baud
        return time.monotonic() + on_the_line + self.timeout

    def _response(self, deadline: float) -> Response | None:
        """The next response, to whatever request, or ``None`` after the deadline."""
        while True:
            while self._waiting:
                with contextlib.suppress(ProtocolError):
                    return Response.parse(self._waiting.pop(0))
            if time.monotonic() >= deadline:
                return None
            try:
                data = self._serial.read(max(1, self._serial.in_waiting))
            except (OSError, TerminalError) as error:
                raise self._gone(error) from None
            self._waiting += self._decoder.feed(data)

    def _gone(self, error: Exception) -> PortError:
        return PortError(f"{self._name}: the port went away: {plain(error)}")

    def _silence(self) -> str:
        """Why there may have been no answer to a greeting."""
        tried = f"no answer to HELLO at {self.baud} baud in {self.attempts} attempts"
        if not self._decoder.bytes:
            return (
                f"{self._name}: {tried}: is the board powered and programmed with a matweave "
                "design, and is this its port?"
            )
        return (
            f"{self._name}: {tried}, but {self._decoder.bytes} bytes of something else: is the "
            "design built for this baud rate, and is this its port?"
        )


def _open(port: str, baud: int, timeout: float) -> serial.Serial:
    """The port, for this process alone. Raises :class:`PortError`."""
    try:
        return serial.Serial(port, baud, timeout=_POLL, write_timeout=timeout, exclusive=True)
    except OverflowError:
        raise PortError(f"{plain(port)}: {shown(baud)} baud are more than any port has") from None
    except (OSError, TerminalError, ValueError) as error:
        raise PortError(f"{plain(port)}: {_why_not(error)}") from None


def _why_not(error: Exception) -> str:
    if type(error) is TerminalError:
        error = OSError(*error.args)
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        found = ", ".join(sorted(item.device for item in list_ports.comports())) or "none"
        return f"there is no such port; serial ports here: {plain(found)}"
    if number in (errno.EACCES, errno.EPERM):
        return "no permission: on Linux, join the group that the port belongs to (often dialout)"
    if number in (errno.EBUSY, errno.EAGAIN):
        return "another program uses the port"
    return f"cannot be used as a serial port: {plain(error)}"


def _parts(items: list, most: int):
    for start in range(0, len(items), most):
        yield items[start : start + most]
