"""Beats of a stream from bytes."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..stream import source_ports


class BeatSender(wiring.Component):
    """One beat of ``n_bytes``, shifted in byte by byte, the lowest first, then offered.

    Ports: ``shift`` with ``i_byte``; ``offer`` (with the last byte, and ``last``, the beat's
    ``tlast``); ``full`` from then until the beat has been accepted, while which neither may be
    given; ``clear`` takes an offer back, for a stream whose sink is being reset; ``o_*``, the
    stream.
    """

    def __init__(self, *, n_bytes: int):
        self.n_bytes = n_bytes
        super().__init__(
            {
                "shift": In(1),
                "i_byte": In(8),
                "offer": In(1),
                "last": In(1),
                "full": Out(1),
                "clear": In(1),
                **source_ports("o", 8 * n_bytes),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Payload needs no reset.
        data = Signal.like(self.o_tdata, name="data", reset_less=True)
        last = Signal(reset_less=True)
        full = Signal()
        m.d.comb += [
            self.full.eq(full),
            self.o_tdata.eq(data),
            self.o_tvalid.eq(full),
            self.o_tlast.eq(last),
        ]
        with m.If(self.shift):
            m.d.sync += data.eq(Cat(data, self.i_byte)[8:])
        with m.If(self.offer):
            m.d.sync += last.eq(self.last)
        with m.If(self.clear):
            m.d.sync += full.eq(0)
        with m.Elif(self.offer):
            m.d.sync += full.eq(1)
        with m.Elif(self.o_tready):
            m.d.sync += full.eq(0)
        return m
