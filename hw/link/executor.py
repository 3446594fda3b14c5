"""What a request asks for is done, and its response is written."""

import types

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..stream import axi_lite_ports, sink_ports, source_ports
from .accesses import Accesses
from .commands import (
    ANSWER,
    HEADER,
    IDENTITY_BYTES,
    MAGIC,
    NONCE_BYTES,
    VERSION,
    Command,
    Status,
)
from .transfers import Pulls, Pushes

RESET_CYCLES = 16
LEAST_LIMIT = 64
"""Bytes: room for the response to HELLO with five streams."""


class Executor(wiring.Component):
    """Executes one request at a time, each exactly once, however often it is repeated.

    Parameters: ``limit`` (most bytes of a request's or a response's contents, a power of two);
    ``address_width`` of the registers; ``sinks`` and ``sources`` ((name, bytes per beat) of the
    engine's input and output streams); ``identity`` (16 bytes); ``patience`` (cycles, a power of
    two, for which PUSH and PULL wait for a beat to cross).

    Ports: ``request``, a pulse with ``length``; ``r_addr`` and, in the cycle after it, ``r_data``:
    the memory with the request; ``w_en``, ``w_addr``, ``w_data``: the memory for the response;
    ``send``, a pulse with ``answer_length``; ``sending``, high from the cycle after it until the
    response is sent; ``busy``, while the request must stay as it is. Then ``m_axil_*``,
    ``m_axis_NAME_*`` per sink, ``s_axis_NAME_*`` per source, and ``engine_rst``.
    """

    def __init__(
        self,
        *,
        limit: int,
        address_width: int,
        sinks: tuple,
        sources: tuple,
        identity: bytes,
        patience: int,
    ):
        check(limit=limit, sinks=sinks, sources=sources, identity=identity, patience=patience)
        self.limit, self.address_width, self.patience = limit, address_width, patience
        self.sinks, self.sources, self.identity = tuple(sinks), tuple(sources), bytes(identity)
        super().__init__(
            {
                "request": In(1),
                "length": In(range(limit + 1)),
                "r_addr": Out(range(limit)),
                "r_data": In(8),
                "w_en": Out(1),
                "w_addr": Out(range(limit)),
                "w_data": Out(8),
                "send": Out(1),
                "answer_length": Out(range(limit + 1)),
                "sending": In(1),
                "busy": Out(1),
                **engine_ports(address_width, self.sinks, self.sources),
            }
        )

    @property
    def facts(self) -> bytes:
        """What HELLO tells after the nonce."""
        sizes = [n_bytes for _, n_bytes in (*self.sinks, *self.sources)]
        return b"".join(
            (
                MAGIC,
                bytes([VERSION]),
                self.limit.to_bytes(2, "little"),
                bytes([len(self.sinks), len(self.sources)]),
                *(size.to_bytes(2, "little") for size in sizes),
                self.identity,
            )
        )

    def elaborate(self, platform):
        m = Module()
        x = self._registers(m)
        commands = [part(m, self, x) for part in (Accesses, Pushes, Pulls)]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            m.d.comb += self.engine_rst.eq(fsm.ongoing("RESET"))
            self._understand(m, x)
            self._hello(m, x)
            with m.State("RESET"):
                m.d.sync += x.index.eq(x.index + 1)
                with m.If(x.index == RESET_CYCLES - 1):
                    m.next = "ANSWER"
            for command in commands:
                command.states()
            self._answer(m, x)
        return m

    def _registers(self, m):
        """The state beside the FSM's; ``fetch()`` takes a byte of the request, ``emit(byte)``
        appends one to the response."""
        longest = max(n_bytes for _, n_bytes in (*self.sinks, *self.sources, ("", 32)))
        x = types.SimpleNamespace()
        # The byte at `at` is r_data; the memory is given the next address.
        x.at = Signal(range(self.limit + longest + 1))
        x.step = Signal(range(longest + 1))
        x.rewind = Signal()
        x.target = Signal(range(4))
        x.following = Signal.like(x.at)
        x.at_end = Signal()
        x.index = Signal(range(longest + 1))
        x.count = Signal(range(self.limit))
        x.word = Signal(32)
        # What comes out of a memory comes late: it goes into a register before anything else.
        x.shifted = Cat(x.word, self.r_data)[8:]
        x.trailer = Signal(2)
        x.status = Signal(Status)
        x.command = Signal(8)
        x.number = Signal(8)
        x.last_number = Signal(8)
        x.session = Signal()
        x.stream = Signal(7)
        x.last = Signal()
        x.waited = Signal(range(self.patience + 1))
        x.out_of_patience = Signal()
        x.byte = Signal(8, name="emitted")
        x.emitting = Signal()
        x.pointer = Signal(range(self.limit + 1))
        x.fetch = lambda: x.step.eq(1)
        x.emit = lambda byte: [x.emitting.eq(1), x.byte.eq(byte)]
        m.d.comb += [
            x.following.eq(Mux(x.rewind, x.target, x.at + x.step)),
            self.r_addr.eq(x.following),
            x.at_end.eq(x.at == self.length),
            x.out_of_patience.eq(x.waited[-1]),
        ]
        m.d.sync += [
            x.at.eq(x.following),
            # Registered, so that the way from a stream to the memory is short.
            self.w_en.eq(x.emitting),
            self.w_addr.eq(x.pointer),
            self.w_data.eq(x.byte),
        ]
        with m.If(x.emitting):
            m.d.sync += x.pointer.eq(x.pointer + 1)
        return x

    def _understand(self, m, x):
        """From the pulse to the first state of the command, nothing having been done yet."""
        with m.State("IDLE"):
            m.d.comb += x.rewind.eq(1)
            with m.If(self.request):
                m.next = "NUMBER"
        with m.State("NUMBER"):
            m.d.comb += x.fetch()
            m.d.sync += x.number.eq(self.r_data)
            m.next = "COMMAND"
        with m.State("COMMAND"):
            m.d.comb += x.fetch()
            m.d.sync += [x.command.eq(self.r_data), x.index.eq(0), x.count.eq(0)]
            m.d.sync += [x.trailer.eq(0), x.waited.eq(0), x.status.eq(Status.OK)]
            m.next = "DECIDE"
        hello = x.command == Command.HELLO
        with m.State("DECIDE"):
            with m.If(~hello & x.session & (x.number == x.last_number)):
                m.next = "SEND"  # again
            with m.Else():
                m.d.sync += [x.pointer.eq(HEADER), x.last_number.eq(x.number)]
                with m.If(~hello & ~x.session):
                    m.d.sync += x.status.eq(Status.NO_SESSION)
                    m.next = "ANSWER"
                with m.Else():
                    self._dispatch(m, x)

    def _dispatch(self, m, x):
        length = self.length
        rules = {
            Command.HELLO: (length == 2 + NONCE_BYTES, "NONCE"),
            Command.WRITE: (length[:3] == 2, "ACCESS"),
            # The response is two bytes longer; with such a length, there is room for it.
            Command.READ: (length[:2] == 2, "ACCESS"),
            Command.PUSH: (length >= 3, "STREAM"),
            Command.PULL: (length == 5, "STREAM"),
            Command.RESET: (length == 2, "RESET"),
        }
        with m.Switch(x.command):
            for command, (right, state) in rules.items():
                with m.Case(command):
                    m.next = state
                    with m.If(~right):
                        m.d.sync += x.status.eq(Status.WRONG_LENGTH)
                        m.next = "ANSWER"
            with m.Default():
                m.d.sync += x.status.eq(Status.UNKNOWN_COMMAND)
                m.next = "ANSWER"

    def _hello(self, m, x):
        with m.State("NONCE"):
            m.d.comb += x.fetch()
            m.d.sync += [x.word.eq(x.shifted), x.session.eq(1)]
            m.next = "NONCE_COPY"
        with m.State("NONCE_COPY"):
            m.d.comb += x.emit(x.word[24:])
            m.d.sync += x.index.eq(x.index + 1)
            m.next = "NONCE"
            with m.If(x.index == NONCE_BYTES - 1):
                m.d.sync += x.index.eq(0)
                m.next = "FACTS"
        with m.State("FACTS"):
            byte = Signal(8, name="fact")
            with m.Switch(x.index):
                for index, fact in enumerate(self.facts):
                    with m.Case(index):
                        m.d.comb += byte.eq(fact)
            m.d.comb += x.emit(byte)
            m.d.sync += x.index.eq(x.index + 1)
            with m.If(x.index == len(self.facts) - 1):
                m.next = "ANSWER"

    def _answer(self, m, x):
        """The end of the results, then, before them, the header; and off it goes."""
        with m.State("COUNT"):
            m.d.comb += x.emit(x.count[:8])
            m.next = "COUNT_HIGH"
        with m.State("COUNT_HIGH"):
            m.d.comb += x.emit(x.count[8:])
            with m.If(x.command == Command.PUSH):
                m.next = "ANSWER"
            with m.Else():
                m.next = "TRAILER"
        with m.State("TRAILER"):
            m.d.comb += x.emit(x.trailer)
            m.next = "ANSWER"
        with m.State("ANSWER"):
            m.d.sync += [self.answer_length.eq(x.pointer), x.pointer.eq(0), x.index.eq(0)]
            m.next = "HEADER"
        with m.State("HEADER"):
            with m.Switch(x.index):
                with m.Case(0):
                    m.d.comb += x.emit(x.number)
                with m.Case(1):
                    m.d.comb += x.emit(x.command | ANSWER)
                with m.Default():
                    m.d.comb += x.emit(x.status)
            m.d.sync += x.index.eq(x.index + 1)
            with m.If(x.index == HEADER - 1):
                m.next = "SEND"
        with m.State("SEND"):
            m.d.comb += self.send.eq(1)
            m.next = "SENDING"
        with m.State("SENDING"), m.If(~self.sending):
            m.next = "IDLE"


def engine_ports(address_width: int, sinks: tuple, sources: tuple) -> dict:
    """The ports of a link towards an engine, the mirror image of the engine's own."""
    lite = axi_lite_ports("m_axil", address_width)
    ports = {name: member.flip() for name, member in lite.items()}
    for name, n_bytes in sinks:
        ports |= source_ports(f"m_axis_{name}", 8 * n_bytes)
    for name, n_bytes in sources:
        ports |= sink_ports(f"s_axis_{name}", 8 * n_bytes)
    return ports | {"engine_rst": Out(1)}


def check(*, limit, sinks, sources, identity, patience) -> None:
    """Raises :class:`ValueError` where a link cannot have these numbers."""
    for name, value, least in (("limit", limit, LEAST_LIMIT), ("patience", patience, 1)):
        if value < least or value & (value - 1):
            raise ValueError(f"{name} must be a power of two of at least {least}, not {value}")
    if limit > 1 << 15:
        raise ValueError(f"limit must be at most {1 << 15}, not {limit}")
    if len(identity) != IDENTITY_BYTES:
        raise ValueError(f"identity must be {IDENTITY_BYTES} bytes, not {len(identity)}")
    for name, n_bytes in (*sinks, *sources):
        # A beat in a response comes with a header and tlast.
        if not 1 <= n_bytes <= limit - HEADER - 1:
            raise ValueError(
                f"a beat of {name} must have 1 to {limit - HEADER - 1} bytes, not {n_bytes}; "
                f"limit is {limit}"
            )
