"""The simulated board: any names of pins, any rate, and the pseudo-terminal at its end."""

import os
import random
import select
import time

import pytest

from matweave.sim.serial_board import Pins, SerialBoard, SerialModule

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

WIRE = """
module wire_(input clk25_0__io, input a__1, output b);
  reg [2:0] delay = 7;
  always @(posedge clk25_0__io) delay <= {delay[1:0], a__1};
  assign b = delay[2];
endmodule
"""
PINS = Pins(clk="clk25_0__io", rst=None, rx="a__1", tx="b")

COUNTER = """
module counter(input clk, input rst, input rx, output tx);
  // Sends 0x55 without end, from the reset on.
  reg [3:0] count = 0;
  always @(posedge clk) count <= rst ? 0 : count + 1;
  assign tx = rst | count[3];
endmodule
"""


@pytest.mark.parametrize("cycles", [4, 8, 25 / 3, 104.17])
def test_bytes_come_back_over_a_wire(cycles, seed):
    data = bytes(range(256)) + random.Random(seed).randbytes(100)
    with SerialModule(WIRE, "wire_", cycles_per_bit=cycles, pins=PINS) as module:
        module.send(data)
        assert module.unsent == len(data)
        module.run(int(10 * cycles * len(data)) + 20)
        assert module.unsent == 0
        assert module.receive() == data
        assert module.receive() == b""
        assert module.framing_errors == 0
        before = module.quiet
        module.run(50)
        assert module.quiet == before + 50
        module.hold_low(True)
        module.run(int(30 * cycles))
        assert module.receive() == b"" and module.framing_errors == 1
        module.hold_low(False)
        module.run(20)
        module.send(b"again")
        module.run(int(60 * cycles))
        assert module.receive() == b"again"


def test_a_reset_reaches_the_module():
    with SerialModule(COUNTER, "counter", cycles_per_bit=8) as module:
        module.receive()
        module.reset(100)
        module.receive()
        module.run(1000)
        assert set(module.receive()) == {0x55}
        module.reset(1000)
        assert len(module.receive()) <= 1


def test_the_terminal_gives_what_it_is_given(seed):
    """More than its buffer holds, while nobody reads; and again after a time of rest."""
    data = random.Random(seed).randbytes(30_000)
    flipped = bytes(byte ^ 0xFF for byte in data)

    def flip(piece):
        return bytes(byte ^ 0xFF for byte in piece)

    with SerialBoard(WIRE, "wire_", cycles_per_bit=8, pins=PINS, to_device=flip) as board:
        port = os.open(board.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            for _ in range(2):
                came, left, end = b"", data, time.monotonic() + 60
                while len(came) < len(data) and time.monotonic() < end:
                    readable, writable, _ = select.select([port], [port] if left else [], [], 1)
                    if writable:
                        left = left[os.write(port, left[:1000]) :]
                    if readable and len(data) - len(left) > 3000:
                        came += os.read(port, 1000)
                assert came == flipped
                while board.quiet < 100_000:
                    time.sleep(0.01)
                time.sleep(0.1)
                cycles = board.cycles
                time.sleep(0.1)
                assert board.cycles == cycles  # the clock stands still
        finally:
            os.close(port)
        assert board.failure is None


def test_what_ends_the_thread_is_kept_and_ends_the_terminal():
    """Whoever waits for an answer is told at once."""

    def fail(_):
        raise RuntimeError("meant")

    with SerialBoard(WIRE, "wire_", cycles_per_bit=8, pins=PINS, to_device=fail) as board:
        port = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        try:
            os.write(port, b"x")
            ready, _, _ = select.select([port], [], [], 30)
            assert ready
            assert str(board.failure) == "meant"
            with pytest.raises(OSError):
                os.write(port, b"y")
        finally:
            os.close(port)
        with pytest.raises(OSError):
            os.open(board.port, os.O_RDWR | os.O_NOCTTY)
