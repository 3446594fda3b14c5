"""Frames on a byte stream: asynchronous HDLC with a 32-bit frame check sequence (RFC 1662).

A frame is a flag, the contents and their FCS-32 (low byte first) with flags and escapes stuffed,
and a flag.
"""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

FLAG, ESCAPE, FLIP = 0x7E, 0x7D, 0x20
FCS_BYTES = 4
LEAST = 2
"""Fewest bytes of contents."""


def _crc(m, restart):
    """A byte-wide CRC-32 that starts anew after a cycle with ``restart``."""
    crc = CRC32_ISO_HDLC(data_width=8).create()
    # Not its own `start`, which would take a multiplexer before every XOR.
    m.submodules.check = ResetInserter(restart)(crc)
    return crc


class FrameReceiver(wiring.Component):
    """The contents of frames that are right, written to a memory of ``limit`` bytes.

    Ports: ``i_data`` with ``i_valid`` (bytes as they come); ``w_en``, ``w_addr``, ``w_data`` (the
    memory); ``done``, a pulse with ``length`` once a frame of 2 to ``limit`` bytes of contents is
    there whole and its FCS is right; ``dropped``, a pulse for one that is not. While ``hold`` is
    high nothing is written, and what comes is lost; then the next flag begins a frame.
    """

    def __init__(self, *, limit: int):
        self.limit = limit
        super().__init__(
            {
                "i_data": In(8),
                "i_valid": In(1),
                "hold": In(1),
                "w_en": Out(1),
                "w_addr": Out(range(limit)),
                "w_data": Out(8),
                "done": Out(1),
                "dropped": Out(1),
                "length": Out(range(limit + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        restart = Signal()
        crc = _crc(m, restart)
        hunting = Signal(init=1)
        escaped = Signal()
        count = Signal(range(self.limit + FCS_BYTES + 1))
        m.d.comb += [
            self.w_addr.eq(count),
            self.w_data.eq(Mux(escaped, self.i_data ^ FLIP, self.i_data)),
            self.length.eq(count - FCS_BYTES),
            crc.data.eq(self.w_data),
        ]
        with m.If(self.hold):
            m.d.sync += hunting.eq(1)
        with m.Elif(self.i_valid & (self.i_data == FLAG)):
            right = crc.match_detected & ~escaped & (count >= LEAST + FCS_BYTES)
            m.d.comb += [
                restart.eq(1),
                self.done.eq(~hunting & right),
                # Two flags in a row are no frame.
                self.dropped.eq(~hunting & ~right & (escaped | (count != 0))),
            ]
            m.d.sync += [hunting.eq(0), escaped.eq(0), count.eq(0)]
        with m.Elif(self.i_valid & ~hunting):
            with m.If(~escaped & (self.i_data == ESCAPE)):
                m.d.sync += escaped.eq(1)
            with m.Elif(count == self.limit + FCS_BYTES):
                m.d.comb += self.dropped.eq(1)
                m.d.sync += hunting.eq(1)
            with m.Else():
                m.d.comb += [crc.valid.eq(1), self.w_en.eq(count < self.limit)]
                m.d.sync += [count.eq(count + 1), escaped.eq(0)]
        return m


class FrameSender(wiring.Component):
    """One frame with the first ``length`` bytes of a memory of ``limit`` bytes as contents.

    Ports: ``start``, a pulse with ``length`` while ``busy`` is low; ``r_addr`` and, in the cycle
    after it, ``r_data`` (the memory); ``o_data``, ``o_valid``, ``o_ready`` (bytes). ``busy`` falls
    when the last byte has been taken.
    """

    def __init__(self, *, limit: int):
        self.limit = limit
        super().__init__(
            {
                "start": In(1),
                "length": In(range(limit + 1)),
                "busy": Out(1),
                "r_addr": Out(range(limit)),
                "r_data": In(8),
                "o_data": Out(8),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        restart = Signal()
        crc = _crc(m, restart)
        address = Signal(range(self.limit + 1))
        fcs_byte = Signal(range(FCS_BYTES))
        # A register, for what comes out of a memory comes late.
        byte = Signal(8, name="unstuffed")
        flag = Signal()
        taken = self._stuff(m, byte, flag)
        m.d.comb += [self.r_addr.eq(address), crc.data.eq(byte)]
        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += address.eq(0)
                with m.If(self.start):
                    m.next = "OPEN"
            with m.State("OPEN"):
                m.d.comb += [self.o_valid.eq(1), flag.eq(1), restart.eq(1)]
                with m.If(taken):
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.sync += byte.eq(self.r_data)
                m.next = "CONTENTS"
            with m.State("CONTENTS"):
                m.d.comb += self.o_valid.eq(1)
                with m.If(taken):
                    m.d.comb += crc.valid.eq(1)
                    m.d.sync += address.eq(address + 1)
                    m.next = "MORE"
            with m.State("MORE"):  # the memory's latency
                m.next = "FETCH"
                with m.If(address == self.length):
                    m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += byte.eq(crc.crc.word_select(fcs_byte, 8))
                m.next = "FCS"
            with m.State("FCS"):
                m.d.comb += self.o_valid.eq(1)
                with m.If(taken):
                    m.d.sync += fcs_byte.eq(fcs_byte + 1)
                    m.next = "CHECK"
                    with m.If(fcs_byte == FCS_BYTES - 1):
                        m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += [self.o_valid.eq(1), flag.eq(1)]
                with m.If(taken):
                    m.next = "IDLE"
        return m

    def _stuff(self, m, byte, flag):
        """Offer ``byte``, after an escape where it needs one, or a flag; returns whether that is
        being taken."""
        escaped = Signal()
        special = Signal()
        taken = Signal()
        m.d.comb += [
            special.eq(((byte == FLAG) | (byte == ESCAPE)) & ~escaped & ~flag),
            self.o_data.eq(Mux(flag, FLAG, Mux(special, ESCAPE, Mux(escaped, byte ^ FLIP, byte)))),
            taken.eq(self.o_valid & self.o_ready & ~special),
        ]
        with m.If(self.o_valid & self.o_ready):
            m.d.sync += escaped.eq(special)
        return taken
