"""A small engine behind a link, and what both must answer, written from the protocol's page.

The engine: four registers; register 0 counts the writes to register 1, so that a request that is
executed twice shows; register 3 refuses. Stream x (3 bytes) comes back on y with its tlast; what
comes on z (1 byte) is added up in register 2.
"""

import functools

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from matweave.fpga.host import protocol
from matweave.fpga.host.protocol import Command, Status
from matweave.hw.axi_lite import AxiLiteSlave
from matweave.hw.emit import verilog
from matweave.hw.link.linked import LinkedEngine
from matweave.hw.stream import SkidBuffer, axi_lite_ports, sink_ports, source_ports

ADDRESS_WIDTH = 6
IDENTITY = bytes(range(0x70, 0x80))  # flag and escape are among them
LIMIT = 64
PATIENCE = 64
X_BYTES, Z_BYTES = 3, 1
X_DEPTH = 3
"""Beats of x that are taken while none of y is: two in the buffer, one in the link."""
SLVERR, DECERR = 2, 3


class Toy(wiring.Component):
    def __init__(self):
        super().__init__(
            {
                **axi_lite_ports("s_axil", ADDRESS_WIDTH),
                **sink_ports("s_axis_x", 8 * X_BYTES),
                **sink_ports("s_axis_z", 8 * Z_BYTES),
                **source_ports("m_axis_y", 8 * X_BYTES),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.lite = lite = AxiLiteSlave(address_width=ADDRESS_WIDTH)
        m.submodules.queue = queue = SkidBuffer(width=8 * X_BYTES + 1)
        for name, member in axi_lite_ports("s_axil", ADDRESS_WIDTH).items():
            inner, outer = getattr(lite, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        bumps, value, total = Signal(32), Signal(32), Signal(32)
        for word, response, index in (
            (lite.w_word, lite.w_response, 1),
            (lite.r_word, lite.r_response, None),
        ):
            with m.If(word >= 4):
                m.d.comb += response.eq(DECERR)
            with m.Elif((word == 3) | (False if index is None else word != index)):
                m.d.comb += response.eq(SLVERR)
        with m.If(lite.write & (lite.w_word == 1)):
            m.d.sync += [bumps.eq(bumps + 1), value.eq(lite.w_data)]
        with m.Switch(lite.r_word):
            for word, register in enumerate((bumps, value, total)):
                with m.Case(word):
                    m.d.comb += lite.r_data.eq(register)
        m.d.comb += [
            queue.i_data[:-1].eq(self.s_axis_x_tdata),
            queue.i_data[-1].eq(self.s_axis_x_tlast),
            queue.i_valid.eq(self.s_axis_x_tvalid),
            self.s_axis_x_tready.eq(queue.i_ready),
            self.m_axis_y_tdata.eq(queue.o_data[:-1]),
            self.m_axis_y_tlast.eq(queue.o_data[-1]),
            self.m_axis_y_tvalid.eq(queue.o_valid),
            queue.o_ready.eq(self.m_axis_y_tready),
            self.s_axis_z_tready.eq(1),
        ]
        with m.If(self.s_axis_z_tvalid):
            m.d.sync += total.eq(total + self.s_axis_z_tdata)
        return m


class Endless(wiring.Component):
    """A stream of beats 0, 1, 2, … (in every byte), and one whose beats are added up in the only
    register."""

    def __init__(self, n_bytes: int):
        super().__init__(
            {
                **axi_lite_ports("s_axil", ADDRESS_WIDTH),
                **sink_ports("s_axis_x", 8 * n_bytes),
                **source_ports("m_axis_y", 8 * n_bytes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.lite = lite = AxiLiteSlave(address_width=ADDRESS_WIDTH)
        for name, member in axi_lite_ports("s_axil", ADDRESS_WIDTH).items():
            inner, outer = getattr(lite, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        count, total = Signal(8), Signal(32)
        m.d.comb += [
            lite.r_data.eq(total),
            self.m_axis_y_tdata.eq(count.replicate(len(self.m_axis_y_tdata) // 8)),
            self.m_axis_y_tvalid.eq(1),
            self.s_axis_x_tready.eq(1),
        ]
        with m.If(self.m_axis_y_tready):
            m.d.sync += count.eq(count + 1)
        with m.If(self.s_axis_x_tvalid):
            m.d.sync += total.eq(total + self.s_axis_x_tdata)
        return m


def endless_verilog(n_bytes: int) -> str:
    component = LinkedEngine(
        engine=Endless,
        parameters={"n_bytes": n_bytes},
        clock_frequency=8,
        baud=1,
        identity=IDENTITY,
        limit=LIMIT,
        patience=PATIENCE,
    )
    return verilog(component, "endless")


def linked(*, cycles_per_bit: float = 8) -> LinkedEngine:
    return LinkedEngine(
        engine=Toy,
        parameters={},
        clock_frequency=cycles_per_bit,
        baud=1,
        identity=IDENTITY,
        limit=LIMIT,
        patience=PATIENCE,
    )


@functools.lru_cache
def linked_verilog(cycles_per_bit: float = 8) -> str:
    return verilog(linked(cycles_per_bit=cycles_per_bit), "toy_linked")


class Golden:
    """The device, executing requests as the page says; registers and streams of the toy."""

    def __init__(self):
        self.session = False
        self.last: tuple[int, bytes] | None = None
        self.reset()

    def reset(self):
        self.registers = [0, 0, 0, 0]
        self.queue = []  # (beat, tlast)

    def execute(self, command, arguments):
        if command == Command.RESET:
            if arguments:
                return Status.WRONG_LENGTH, b""
            self.reset()
            return Status.OK, b""
        return getattr(self, command.name.lower())(arguments)

    def answer(self, request: bytes) -> bytes:
        """The contents of the response to the contents of a request of at least two bytes."""
        number, command, arguments = request[0], request[1], request[2:]
        if command != Command.HELLO and self.session and self.last and self.last[0] == number:
            return self.last[1]
        if command != Command.HELLO and not self.session:
            status, results = Status.NO_SESSION, b""
        elif command not in list(Command):
            status, results = Status.UNKNOWN_COMMAND, b""
        else:
            status, results = self.execute(Command(command), arguments)
        response = bytes([number, command | 0x80, status]) + results
        self.last = (number, response)
        return response

    def hello(self, arguments):
        if len(arguments) != 8:
            return Status.WRONG_LENGTH, b""
        self.session = True
        sizes = (X_BYTES, Z_BYTES, X_BYTES)
        facts = b"mtwv\x01" + LIMIT.to_bytes(2, "little") + b"\x02\x01"
        facts += b"".join(size.to_bytes(2, "little") for size in sizes)
        return Status.OK, arguments + facts + IDENTITY

    def write(self, arguments):
        if len(arguments) % 8:
            return Status.WRONG_LENGTH, b""
        done = response = 0
        for at in range(0, len(arguments), 8):
            address = int.from_bytes(arguments[at : at + 4], "little")
            response = self._response(address, writing=True)
            if response:
                break
            self.registers[0] += 1
            self.registers[1] = int.from_bytes(arguments[at + 4 : at + 8], "little")
            done += 1
        return Status.OK, done.to_bytes(2, "little") + bytes([response])

    def read(self, arguments):
        if len(arguments) % 4 or 2 + len(arguments) > LIMIT - 2:
            return Status.WRONG_LENGTH, b""
        words, response = b"", 0
        for at in range(0, len(arguments), 4):
            address = int.from_bytes(arguments[at : at + 4], "little")
            response = self._response(address, writing=False)
            if response:
                break
            words += self.registers[address // 4].to_bytes(4, "little")
        return Status.OK, words + bytes([response])

    def _response(self, address, writing):
        if address >= 16:
            return DECERR
        word = address // 4
        return SLVERR if word == 3 or (writing and word != 1) else 0

    def push(self, arguments):
        if not arguments:
            return Status.WRONG_LENGTH, b""
        stream, last = arguments[0] & 0x7F, arguments[0] >> 7
        if stream > 1:
            return Status.UNKNOWN_STREAM, b""
        size, data = (X_BYTES, Z_BYTES)[stream], arguments[1:]
        if len(data) % size:
            return Status.WRONG_LENGTH, b""
        beats = [data[at : at + size] for at in range(0, len(data), size)]
        if stream == 1:
            self.registers[2] = (self.registers[2] + sum(data)) % 2**32
            taken = len(beats)
        else:
            taken = min(len(beats), X_DEPTH - len(self.queue))
            for index, beat in enumerate(beats[:taken]):
                self.queue.append((beat, bool(last and index == len(beats) - 1)))
        return Status.OK, taken.to_bytes(2, "little")

    def pull(self, arguments):
        if len(arguments) != 3:
            return Status.WRONG_LENGTH, b""
        if arguments[0] & 0x7F:
            return Status.UNKNOWN_STREAM, b""
        most = min(int.from_bytes(arguments[1:], "little"), (LIMIT - 4) // X_BYTES)
        results, last = b"", False
        while self.queue and len(results) < X_BYTES * most and not last:
            beat, last = self.queue.pop(0)
            results += beat
        return Status.OK, results + bytes([last])


def ask(module, request: bytes, cycles: int = 100_000) -> list[bytes]:
    """Send bytes to a :class:`~matweave.sim.serial_board.SerialModule` as they are; the contents
    of the frames that come back until the line is quiet."""
    decoder = protocol.FrameDecoder()
    found = []
    module.send(request)
    for _ in range(cycles // 500):
        module.run(500)
        found += decoder.feed(module.receive())
        if module.quiet > 4 * PATIENCE + 500:
            assert decoder.dropped == 0 and module.framing_errors == 0
            return found
    raise AssertionError("the line is never quiet")
