"""Asynchronous serial line, 8 data bits, no parity, 1 stop bit (8N1)."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

LEAST_CYCLES = 8
"""Fewest clock cycles per bit: the receiver finds a bit's edge to within one of them."""
MOST_ERROR = 1 / 2000
"""Of the rate that a line runs at, by rounding; ten bits then drift by 1/200 of a bit."""


@dataclass(frozen=True)
class BitRate:
    """A phase accumulator of ``width`` bits that overflows once a bit: it grows by ``step`` per
    clock cycle."""

    width: int
    step: int

    @classmethod
    def of(cls, *, clock_frequency: float, baud: float) -> "BitRate":
        """The narrowest that meets ``baud`` within :data:`MOST_ERROR`; frequencies in Hz."""
        if not (baud > 0 and clock_frequency >= LEAST_CYCLES * baud):
            raise ValueError(
                f"baud must be at most 1/{LEAST_CYCLES} of the clock frequency "
                f"{clock_frequency:g} Hz, not {baud:g}"
            )
        width = 3
        while True:
            exact = baud / clock_frequency * 2**width
            if abs(round(exact) / exact - 1) <= MOST_ERROR:
                return cls(width, round(exact))
            width += 1


class UartReceiver(wiring.Component):
    """Bytes from the pin ``rx``: ``valid`` is a pulse with ``data``, in the middle of the stop bit.

    A start bit is looked at again at its middle, so that a shorter pulse is none. A byte without
    stop bit is dropped, and the line must be high before the next. ``rx`` may change at any time.
    """

    def __init__(self, *, clock_frequency: float, baud: float):
        self.rate = BitRate.of(clock_frequency=clock_frequency, baud=baud)
        super().__init__({"rx": In(1), "data": Out(8), "valid": Out(1)})

    def elaborate(self, platform):
        m = Module()
        rate = self.rate
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        phase = Signal(rate.width)
        middle = Signal()
        after = Signal(rate.width + 1)
        m.d.comb += [after.eq(phase + rate.step), middle.eq(after[-1])]
        m.d.sync += phase.eq(after)
        # A one that reaches the lowest bit says that start bit and data are all there.
        shift = Signal(9)
        m.d.comb += [self.data.eq(shift[1:]), self.valid.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                # Half a bit short of the next overflow, less the cycle that seeing the edge takes.
                m.d.sync += phase.eq((1 << (rate.width - 1)) + rate.step)
                m.d.sync += shift.eq(1 << 8)
                with m.If(~line):
                    m.next = "START"
            with m.State("START"), m.If(middle):
                with m.If(line):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "DATA"
            with m.State("DATA"), m.If(middle):
                m.d.sync += shift.eq(Cat(shift[1:], line))
                with m.If(shift[1]):
                    m.next = "STOP"
            with m.State("STOP"), m.If(middle):
                m.d.comb += self.valid.eq(line)
                m.next = "IDLE"
                with m.If(~line):
                    m.next = "BREAK"
            with m.State("BREAK"), m.If(line):
                m.next = "IDLE"
        return m


class UartSender(wiring.Component):
    """Bytes to the pin ``tx``: ``data`` is taken in a cycle with ``valid`` and ``ready``.

    ``tx`` is high between bytes; bytes follow each other without a gap.
    """

    def __init__(self, *, clock_frequency: float, baud: float):
        self.rate = BitRate.of(clock_frequency=clock_frequency, baud=baud)
        super().__init__({"data": In(8), "valid": In(1), "ready": Out(1), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        rate = self.rate
        phase = Signal(rate.width)
        after = Signal(rate.width + 1)
        # The bit on the line, then those to come; a one that is the last of all ends the byte.
        shift = Signal(10, init=1)
        line = Signal(init=1)
        busy = Signal()
        m.d.comb += [after.eq(phase + rate.step), self.ready.eq(~busy), self.tx.eq(line)]
        with m.If(busy):
            m.d.sync += phase.eq(after)
            with m.If(after[-1]):
                m.d.sync += [shift.eq(shift[1:]), line.eq(shift[0])]
                with m.If(shift == 1):
                    m.d.sync += [busy.eq(0), line.eq(1)]
        with m.Elif(self.valid):
            m.d.sync += [shift.eq(Cat(self.data, 1, 1)), line.eq(0), phase.eq(0), busy.eq(1)]
        return m
