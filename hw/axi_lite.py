"""AXI4-Lite slave front end: the five channels become one write and one read at a time."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .stream import axi_lite_ports

OKAY, SLVERR, DECERR = 0, 2, 3
"""AXI responses: done; refused; nothing there (AMBA IHI 0022, A3.4.4)."""


class AxiLiteSlave(wiring.Component):
    """Ports ``s_axil_*``, and towards the registers, in 32-bit words:

    ``write`` (a pulse) with ``w_word`` (word address), ``w_data`` and ``w_strobe``, answered in the
    same cycle by ``w_response``; ``read`` (a pulse) with ``r_word``, answered in the same cycle by
    ``r_data`` and ``r_response``. The low two address bits are ignored: strobes select bytes.

    A write is answered 1 cycle after the later of address and data, a read 1 cycle after its
    address. Neither channel waits for the other; responses are held until taken.
    """

    def __init__(self, *, address_width: int):
        self.address_width = address_width
        word = address_width - 2
        super().__init__(
            {
                **axi_lite_ports("s_axil", address_width),
                "write": Out(1),
                "w_word": Out(word),
                "w_data": Out(32),
                "w_strobe": Out(4),
                "w_response": In(2),
                "read": Out(1),
                "r_word": Out(word),
                "r_data": In(32),
                "r_response": In(2),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._write_channels(m)
        self._read_channels(m)
        return m

    def _write_channels(self, m):
        have_address = Signal()
        have_data = Signal()
        respond = Signal()
        # Payload needs no reset.
        word = Signal.like(self.w_word, name="w_word_register", reset_less=True)
        data = Signal.like(self.w_data, name="w_data_register", reset_less=True)
        strobe = Signal.like(self.w_strobe, name="w_strobe_register", reset_less=True)
        response = Signal.like(self.s_axil_bresp, name="bresp_register", reset_less=True)
        m.d.comb += [
            self.w_word.eq(word),
            self.w_data.eq(data),
            self.w_strobe.eq(strobe),
            self.s_axil_bresp.eq(response),
            self.s_axil_awready.eq(~have_address),
            self.s_axil_wready.eq(~have_data),
            self.s_axil_bvalid.eq(respond),
            # One write at a time: the response of the one before has been taken.
            self.write.eq(have_address & have_data & ~respond),
        ]
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [word.eq(self.s_axil_awaddr[2:]), have_address.eq(1)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [
                data.eq(self.s_axil_wdata),
                strobe.eq(self.s_axil_wstrb),
                have_data.eq(1),
            ]
        with m.If(self.write):
            m.d.sync += [
                response.eq(self.w_response),
                have_address.eq(0),
                have_data.eq(0),
                respond.eq(1),
            ]
        with m.Elif(respond & self.s_axil_bready):
            m.d.sync += respond.eq(0)

    def _read_channels(self, m):
        respond = Signal()
        data = Signal.like(self.s_axil_rdata, name="rdata_register", reset_less=True)
        response = Signal.like(self.s_axil_rresp, name="rresp_register", reset_less=True)
        m.d.comb += [
            self.s_axil_rdata.eq(data),
            self.s_axil_rresp.eq(response),
            self.s_axil_arready.eq(~respond),
            self.s_axil_rvalid.eq(respond),
            self.read.eq(self.s_axil_arvalid & self.s_axil_arready),
            self.r_word.eq(self.s_axil_araddr[2:]),
        ]
        with m.If(self.read):
            m.d.sync += [
                data.eq(self.r_data),
                response.eq(self.r_response),
                respond.eq(1),
            ]
        with m.Elif(self.s_axil_rready):
            m.d.sync += respond.eq(0)
