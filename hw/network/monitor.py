"""A network's engine with registers: what a host link talks to."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from ..axi_lite import DECERR, OKAY, SLVERR, AxiLiteSlave
from ..cells import describe, shared
from ..stream import axi_lite_ports
from .regmap import ADDRESS, ADDRESS_WIDTH, ID, VERSION

__all__ = ["Monitored"]


class Monitored(wiring.Component):
    """A streaming engine, and counters that watch its two streams.

    Parameters
    ----------
    engine : type
        A component with the streams ``s_axis_x`` and ``m_axis_y``, one result per sample and in
        their order, at least one cycle later, and ``depth``: how many samples may be in it.
    parameters : tuple of (name, value)
        What the class takes; hashable.
    clock_frequency : float
        In Hz, for register CLOCK_HZ.

    Attributes
    ----------
    s_axil_* : AXI4-Lite slave
        The registers of :mod:`.regmap`, all read only: writes are answered SLVERR, addresses that
        are none DECERR. The streams are the engine's own, and take no cycle more.
    """

    def __init__(self, *, engine: type, parameters: tuple, clock_frequency: float):
        self.engine, self.parameters = engine, dict(parameters)
        self.clock_frequency = clock_frequency
        about = describe(engine, **self.parameters)
        self.depth, self._streams = about.depth, dict(about.signature.members)
        self._lite = axi_lite_ports("s_axil", ADDRESS_WIDTH)
        super().__init__({**self._streams, **self._lite})

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = engine = shared(self.engine, **self.parameters)
        m.submodules.registers = registers = NetworkRegisters(
            depth=self.depth, clock_frequency=self.clock_frequency
        )
        for part, members in ((engine, self._streams), (registers, self._lite)):
            for name, member in members.items():
                outer, inner = getattr(self, name), getattr(part, name)
                m.d.comb += outer.eq(inner) if member.flow == wiring.Out else inner.eq(outer)
        m.d.comb += [
            registers.taken.eq(self.s_axis_x_tvalid & self.s_axis_x_tready),
            registers.offered.eq(self.m_axis_y_tvalid),
            registers.given.eq(self.m_axis_y_tvalid & self.m_axis_y_tready),
        ]
        return m


class NetworkRegisters(wiring.Component):
    """The registers of :mod:`.regmap`, and the counters behind them.

    ``taken``, ``given``: a sample is accepted, a result is, in this cycle; ``offered``: there is a
    result. ``depth``: how many samples may be between the two.
    """

    def __init__(self, *, depth: int, clock_frequency: float):
        self.depth, self.clock_frequency = depth, clock_frequency
        super().__init__(
            {
                "taken": In(1),
                "offered": In(1),
                "given": In(1),
                **axi_lite_ports("s_axil", ADDRESS_WIDTH),
            }
        )

    def elaborate(self, platform):
        m = Module()
        samples, latency = self._counters(m)
        values = {
            "ID": ID,
            "VERSION": VERSION,
            "CLOCK_HZ": round(self.clock_frequency),
            "SAMPLES": samples,
            "LATENCY": latency,
        }
        m.submodules.slave = slave = shared(AxiLiteSlave, address_width=ADDRESS_WIDTH)
        for name, member in axi_lite_ports("s_axil", ADDRESS_WIDTH).items():
            outer, inner = getattr(self, name), getattr(slave, name)
            m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        m.d.comb += [slave.r_response.eq(DECERR), slave.w_response.eq(DECERR)]
        with m.Switch(slave.r_word):
            for name, value in values.items():
                with m.Case(ADDRESS[name] >> 2):
                    m.d.comb += [slave.r_data.eq(value), slave.r_response.eq(OKAY)]
        with m.Switch(slave.w_word), m.Case(*(ADDRESS[name] >> 2 for name in values)):
            m.d.comb += slave.w_response.eq(SLVERR)
        return m

    def _counters(self, m):
        """SAMPLES, and LATENCY, which a sample starts that finds nothing before it."""
        inside = Signal(range(self.depth + 1))
        samples, latency, timer = (Signal(32, name=n) for n in ("samples", "latency", "timer"))
        running = Signal()
        m.d.sync += [
            inside.eq(inside + self.taken - self.given),
            samples.eq(samples + self.given),
            timer.eq(timer + 1),
        ]
        with m.If(self.taken & (inside == 0)):
            m.d.sync += [timer.eq(1), running.eq(1)]
        with m.Elif(running & self.offered):
            m.d.sync += [latency.eq(timer), running.eq(0)]
        return samples, latency
