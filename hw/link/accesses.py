"""The executor's states for WRITE and READ: an AXI4-Lite master, one access at a time."""

from amaranth.hdl import Signal

from ..axi_lite import DECERR, OKAY
from .commands import Command


class Accesses:
    """The port's signals; then :meth:`states`, inside the executor's FSM.

    The states go from ACCESS, which comes before every access, to COUNT or TRAILER. The first
    access that is not answered OKAY ends the command. An address that is wider than the port is
    answered DECERR here.
    """

    def __init__(self, m, executor, x):
        self.m, self.executor, self.x = m, executor, x
        self.address = Signal(executor.address_width)
        self.outside = Signal()
        self.write = x.command == Command.WRITE
        m.d.comb += [
            executor.m_axil_awaddr.eq(self.address),
            executor.m_axil_araddr.eq(self.address),
            executor.m_axil_wdata.eq(x.word),
            executor.m_axil_wstrb.eq(0xF),
        ]
        for channel in ("aw", "w", "ar"):
            valid = getattr(executor, f"m_axil_{channel}valid")
            with m.If(valid & getattr(executor, f"m_axil_{channel}ready")):
                m.d.sync += valid.eq(0)

    def states(self):
        m, executor, x = self.m, self.executor, self.x
        with m.State("ACCESS"):
            m.d.sync += x.index.eq(0)
            with m.If(x.at_end):
                self._end()
            with m.Else():
                m.next = "ADDRESS"
        self._fetch("ADDRESS", "TAKE")
        with m.State("TAKE"):
            width = len(self.address)
            m.d.sync += [self.address.eq(x.word), self.outside.eq(x.word[width:].any())]
            m.next = "START"
            with m.If(self.write):
                m.next = "DATA"
        self._fetch("DATA", "START")
        with m.State("START"):
            m.d.sync += x.index.eq(0)
            with m.If(self.outside):
                m.d.sync += x.trailer.eq(DECERR)
                self._end()
            with m.Elif(self.write):
                m.d.sync += [executor.m_axil_awvalid.eq(1), executor.m_axil_wvalid.eq(1)]
                m.next = "WRITE"
            with m.Else():
                m.d.sync += executor.m_axil_arvalid.eq(1)
                m.next = "READ"
        self._responses()

    def _fetch(self, state, following):
        """Four bytes of the request, low byte first."""
        m, x = self.m, self.x
        with m.State(state):
            m.d.comb += x.fetch()
            m.d.sync += [x.word.eq(x.shifted), x.index.eq(x.index + 1)]
            with m.If(x.index[:2] == 3):
                m.next = following

    def _responses(self):
        m, executor, x = self.m, self.executor, self.x
        with m.State("WRITE"):
            m.d.comb += executor.m_axil_bready.eq(1)
            with m.If(executor.m_axil_bvalid):
                m.d.sync += x.trailer.eq(executor.m_axil_bresp)
                m.next = "COUNT"
                with m.If(executor.m_axil_bresp == OKAY):
                    m.d.sync += x.count.eq(x.count + 1)
                    m.next = "ACCESS"
        with m.State("READ"):
            m.d.comb += executor.m_axil_rready.eq(1)
            with m.If(executor.m_axil_rvalid):
                m.d.sync += [x.trailer.eq(executor.m_axil_rresp), x.word.eq(executor.m_axil_rdata)]
                m.next = "TRAILER"
                with m.If(executor.m_axil_rresp == OKAY):
                    m.next = "READ_DATA"
        with m.State("READ_DATA"):
            m.d.comb += x.emit(x.word[:8])
            m.d.sync += [x.word.eq(x.word >> 8), x.index.eq(x.index + 1)]
            with m.If(x.index[:2] == 3):
                m.next = "ACCESS"

    def _end(self):
        self.m.next = "TRAILER"
        with self.m.If(self.write):
            self.m.next = "COUNT"
