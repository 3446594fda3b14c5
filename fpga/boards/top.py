"""What is on a board: the engine with its link, the PLL that clocks it, the pins."""

import math
from fractions import Fraction

from amaranth._toolchain.yosys import find_yosys
from amaranth.build import Attrs, Pins, Resource, Subsignal
from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from . import Board

LEAST_HOLD = 255
"""Cycles for which the engine's reset is held at least after the PLL has locked."""
HOLD_US = 3
"""µs for which it is held at least: block RAM of an iCE40 needs them after configuration."""


def hold_cycles(mhz: Fraction) -> int:
    """Cycles of a clock of ``mhz`` for which the reset is held."""
    return max(LEAST_HOLD, math.ceil(HOLD_US * mhz))


class BoardTop(Elaboratable):
    """Module ``module`` (ports ``clk``, ``rst``, ``rx``, ``tx``, ``busy``) as an instance named
    ``core``, clocked by ``clock``, which has the signals ``o`` and ``locked``, and
    ``mhz``."""

    def __init__(self, *, board: Board, clock, module: str):
        self.board, self.clock, self.module = board, clock, module

    def elaborate(self, platform):
        m = Module()
        m.domains.engine = ClockDomain("engine", local=True)
        m.submodules.clock = clock = self.clock
        m.d.comb += ClockSignal("engine").eq(clock.o)
        m.submodules.locked = ResetSynchronizer(~clock.locked, domain="engine")
        cycles = hold_cycles(self.clock.mhz)
        hold = Signal(range(cycles + 1), init=cycles)
        reset = Signal(init=1)
        m.d.engine += reset.eq(hold != 0)
        with m.If(hold != 0):
            m.d.engine += hold.eq(hold - 1)
        rx, tx, led = self._pins(platform)
        m.submodules.rx = rx = io.Buffer("i", rx)
        m.submodules.tx = tx = io.Buffer("o", tx)
        m.submodules.led = led = io.Buffer("o", led)
        m.submodules.core = Instance(
            self.module,
            i_clk=ClockSignal("engine"),
            i_rst=reset,
            i_rx=rx.i,
            o_tx=tx.o,
            o_busy=led.o,
        )
        return m

    def _pins(self, platform):
        """The ports of receiver, sender and LED; further signals of the line stay unconnected."""
        if self.board.uart is not None:
            platform.add_resources([_uart_resource(self.board.uart)])
        line = platform.request("uart" if self.board.uart is None else "link", 0, dir="-")
        resource, _, pin = self.board.led.partition(".")
        led = platform.request(resource, 0, dir="-")
        return line.rx, line.tx, getattr(led, pin) if pin else led


def _uart_resource(uart) -> Resource:
    return Resource(
        "link",
        0,
        Subsignal("rx", Pins(uart["rx"], dir="i", conn=uart.get("conn"))),
        Subsignal("tx", Pins(uart["tx"], dir="o", conn=uart.get("conn"))),
        Attrs(**uart.get("attrs", {})),
    )


def to_verilog(rtlil: str) -> str:
    """The top as Verilog, from what Amaranth's platform made of it. Attributes of the instances,
    such as a PLL's loop filter, stay."""
    script = f"read_rtlil <<rtlil\n{rtlil}\nrtlil\nproc\nattrmap -remove src -remove generator\n"
    yosys = find_yosys(lambda version: version >= (0, 40))
    return yosys.run(["-q", "-"], script + "write_verilog -norename", ignore_warnings=True)
