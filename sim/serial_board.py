"""A board at a serial port that is not there: a module with a serial line, and a pseudo-terminal.

:class:`SerialModule` is any Verilog with a clock, a reset and two pins, compiled; it takes and
gives bytes. :class:`SerialBoard` lets it run by itself, at a pseudo-terminal that any program opens
as a serial port::

    with SerialBoard(verilog, "tiny_os_linked", cycles_per_bit=8) as board:
        device = Device(board.port)
"""

import contextlib
import ctypes
import os
import select
import threading
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import verilate

DRIVER = Path(__file__).with_name("serial_board.cpp")
CHUNK = 2_000
"""Cycles between two looks at the pseudo-terminal while there is something to do."""
IDLE_CHUNKS = 50
"""Chunks without a change on the line after which the clock stands still until a byte comes: what
an engine does by itself does not take longer."""
POWER_UP = 10_000
"""Cycles before any program can open the port, as a board has them: until then it is in reset."""
ROOM = 1 << 14

Mangle = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Pins:
    """The names of a top module's ports; ``rst`` (active high) may be missing."""

    clk: str = "clk"
    rst: str | None = "rst"
    rx: str = "rx"
    tx: str = "tx"

    def header(self) -> str:
        """``ports.h``, with the names as Verilator spells them in C++."""
        lines = []
        for macro in ("clk", "rst", "rx", "tx"):
            if name := getattr(self, macro):
                lines.append(f"#define {macro.upper()} {name.replace('__', '___05F')}")
        return "\n".join(lines) + "\n"


class SerialModule:
    """Module ``top`` of ``verilog``, out of reset; bytes travel at ``cycles_per_bit`` of its clock,
    which need not be a whole number (a host's clock is its own) but should be 8 or more: edges are
    seen at whole cycles."""

    def __init__(
        self,
        verilog: str,
        top: str,
        *,
        cycles_per_bit: float,
        pins: Pins = Pins(),
        seed: int = 1,
    ):
        path = verilate.compiled(verilog, top, DRIVER, pins.header())
        self._library = _load(path)
        self._board = self._library.board_new(seed, round(cycles_per_bit * 2**32))
        self._buffer = ctypes.create_string_buffer(ROOM)
        self.cycles_per_bit = cycles_per_bit
        self.reset()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        if self._board:
            self._library.board_delete(self._board)
            self._board = None

    def reset(self, cycles: int = 4) -> None:
        """Hold the reset for ``cycles``; does nothing to a module without one."""
        self._library.board_reset(self._board, cycles)

    def send(self, data: bytes) -> None:
        """Put ``data`` on the line, after what is still to be sent; :meth:`run` does it."""
        self._library.board_send(self._board, data, len(data))

    def run(self, cycles: int) -> None:
        self._library.board_run(self._board, cycles)

    def receive(self) -> bytes:
        """What has come since the last time."""
        parts = []
        while size := self._library.board_receive(self._board, self._buffer, ROOM):
            parts.append(self._buffer.raw[:size])
        return b"".join(parts)

    def hold_low(self, low: bool) -> None:
        """Hold the line to the device low, as a cable that is pulled out may; or no longer."""
        self._library.board_break(self._board, low)

    @property
    def unsent(self) -> int:
        """Bytes that are still to be sent."""
        return self._library.board_unsent(self._board)

    @property
    def quiet(self) -> int:
        """Cycles since anything happened on the line."""
        return self._library.board_quiet(self._board)

    @property
    def cycles(self) -> int:
        return self._library.board_cycles(self._board)

    @property
    def framing_errors(self) -> int:
        """Bytes from the module without a stop bit."""
        return self._library.board_framing_errors(self._board)


class SerialBoard(SerialModule):
    """A :class:`SerialModule` that runs in a thread, with a pseudo-terminal at the end of its line.

    ``port``: the terminal's name; it goes away with the thread, also when that fails. ``to_device``
    and ``to_host`` change the bytes on their way, as a bad line would. The other methods of
    :class:`SerialModule` but ``reset`` and ``hold_low`` are the thread's.
    """

    def __init__(
        self,
        verilog: str,
        top: str,
        *,
        to_device: Mangle = bytes,
        to_host: Mangle = bytes,
        **parameters,
    ):
        super().__init__(verilog, top, **parameters)
        super().run(POWER_UP)
        self.to_device, self.to_host = to_device, to_host
        self.failure: BaseException | None = None
        """What ended the thread, if not :meth:`close`; set before the terminal goes away."""
        self._host, self._slave = os.openpty()
        # Open here as well, so that the terminal stays when a program closes it; raw, so that it
        # is so from the first byte.
        tty.setraw(self._slave)
        os.set_blocking(self._host, False)
        self.port = os.ttyname(self._slave)
        self._lock = threading.Lock()
        self._stop, self._stopper = os.pipe()
        self._thread = threading.Thread(target=self._work, daemon=True, name=f"board {top}")
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and take the terminal away."""
        if self._board:
            os.write(self._stopper, b".")
            self._thread.join()
            os.close(self._stop)
            os.close(self._stopper)
        super().close()

    def reset(self, cycles: int = 4) -> None:
        # Called by the base class as well, before there is a thread.
        with getattr(self, "_lock", contextlib.nullcontext()):
            super().reset(cycles)

    def hold_low(self, low: bool) -> None:
        with self._lock:
            super().hold_low(low)
            # Time passes at both ends of the cable, also where the clock stands still meanwhile.
            self.run(round(20 * self.cycles_per_bit))

    def _work(self) -> None:
        try:
            pending = b""
            while True:
                with self._lock:
                    asleep = not pending and self.quiet > IDLE_CHUNKS * CHUNK
                writable = [self._host] if pending else []
                timeout = None if asleep else 0
                ready, _, _ = select.select([self._host, self._stop], writable, [], timeout)
                if self._stop in ready:
                    return
                with self._lock:
                    if self._host in ready:
                        self.send(self.to_device(os.read(self._host, ROOM)))
                    self.run(CHUNK)
                    pending += self.to_host(self.receive())
                if pending:
                    with contextlib.suppress(BlockingIOError):
                        pending = pending[os.write(self._host, pending) :]
        except BaseException as error:
            self.failure = error
        finally:
            # Whoever has it open must not wait for a board that is not there any more.
            os.close(self._host)
            os.close(self._slave)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    for name, result, arguments in (
        ("new", pointer, [u64, ctypes.c_int64]),
        ("delete", None, [pointer]),
        ("reset", None, [pointer, u64]),
        ("send", None, [pointer, ctypes.c_char_p, u64]),
        ("break", None, [pointer, u64]),
        ("run", None, [pointer, u64]),
        ("receive", u64, [pointer, ctypes.c_char_p, u64]),
        ("unsent", u64, [pointer]),
        ("quiet", u64, [pointer]),
        ("cycles", u64, [pointer]),
        ("framing_errors", u64, [pointer]),
    ):
        function = getattr(library, f"board_{name}")
        function.restype, function.argtypes = result, arguments
    return library
