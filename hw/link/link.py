"""A host link: a serial line on one side, registers and streams of an engine on the other."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..cells import shared
from ..stream import HeldMemory
from .executor import Executor, engine_ports
from .framing import FrameReceiver, FrameSender
from .uart import UartReceiver, UartSender

LIMIT = 512
"""Bytes of a request or response: one block RAM of the smallest devices."""
PATIENCE = 1024


class HostLink(wiring.Component):
    """Answers the requests of ``docs/reference/host-link.md``.

    Parameters: ``clock_frequency`` in Hz, ``baud`` (at most an eighth of it), ``address_width``,
    ``sinks``, ``sources``, ``identity``, ``limit`` and ``patience`` as :class:`.Executor` has them.

    Ports: ``rx`` and ``tx``, the line; ``busy``, while a request is being executed and answered;
    those towards the engine as :class:`.Executor` has them. ``engine_rst`` resets the engine, in
    addition to its own reset.
    """

    def __init__(
        self,
        *,
        clock_frequency: float,
        baud: float,
        address_width: int,
        sinks: tuple,
        sources: tuple,
        identity: bytes,
        limit: int = LIMIT,
        patience: int = PATIENCE,
    ):
        self.line = {"clock_frequency": clock_frequency, "baud": baud}
        self.limit = limit
        self.executor = Executor(
            limit=limit,
            address_width=address_width,
            sinks=sinks,
            sources=sources,
            identity=identity,
            patience=patience,
        )
        self.receiver = UartReceiver(**self.line)
        self.sender = UartSender(**self.line)
        self._engine_ports = engine_ports(address_width, sinks, sources)
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1), **self._engine_ports})

    def elaborate(self, platform):
        m = Module()
        m.submodules.uart_receiver = uart_receiver = self.receiver
        m.submodules.uart_sender = uart_sender = self.sender
        m.submodules.receiver = receiver = FrameReceiver(limit=self.limit)
        m.submodules.sender = sender = FrameSender(limit=self.limit)
        m.submodules.executor = executor = self.executor
        m.submodules.requests = requests = shared(HeldMemory, width=8, depth=self.limit)
        m.submodules.responses = responses = shared(HeldMemory, width=8, depth=self.limit)
        m.d.comb += [
            uart_receiver.rx.eq(self.rx),
            self.tx.eq(uart_sender.tx),
            self.busy.eq(executor.busy),
            receiver.i_data.eq(uart_receiver.data),
            receiver.i_valid.eq(uart_receiver.valid),
            receiver.hold.eq(executor.busy),
            executor.request.eq(receiver.done),
            executor.sending.eq(sender.busy),
            sender.start.eq(executor.send),
            sender.length.eq(executor.answer_length),
            uart_sender.data.eq(sender.o_data),
            uart_sender.valid.eq(sender.o_valid),
            sender.o_ready.eq(uart_sender.ready),
        ]
        with m.If(receiver.done):
            m.d.sync += executor.length.eq(receiver.length)
        for memory, writer, reader in (
            (requests, receiver, executor),
            (responses, executor, sender),
        ):
            m.d.comb += [
                memory.w_en.eq(writer.w_en),
                memory.w_addr.eq(writer.w_addr),
                memory.w_data.eq(writer.w_data),
                # Never both at once, which small devices' block RAMs could do with logic beside
                # them only; nobody reads what is just being written.
                memory.r_en.eq(~writer.w_en),
                memory.r_addr.eq(reader.r_addr),
                reader.r_data.eq(memory.r_data),
            ]
        for name, member in self._engine_ports.items():
            outer, inner = getattr(self, name), getattr(executor, name)
            m.d.comb += outer.eq(inner) if member.flow == wiring.Out else inner.eq(outer)
        return m
