"""Two states of the same queries over different keys -> that over all of them."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring

from ..cells import shared
from ..stream import SkidBuffer, sink_ports, source_ports
from .shape import Shape

__all__ = ["StateMerge"]


class StateMerge(wiring.Component):
    """Streams of states ``a`` and ``b``, as an engine of ``shape`` gives them -> one like them.

    Split-K decoding: several engines take parts of the keys, and a tree of these what they give.
    O = (O_a >> (M − M_a)) + (O_b >> (M − M_b)) with M the larger maximum, and the total alike:
    floors, as in the engine. It is for whoever splits the keys to keep their number within
    ``limits.keys``: sums and total then fit. A state of no keys changes nothing.

    A state is a beat with total and maximum, and one for every ``output_lanes`` sums. One beat per
    cycle; latency 1; ``tlast`` is that of ``a``. Golden model: ``streaming.merge``.
    """

    def __init__(self, *, shape: Shape):
        if not shape.partial:
            raise ValueError("the engine of this shape gives no states")
        self.shape = shape
        super().__init__(
            {
                **sink_ports("a", shape.o_width),
                **sink_ports("b", shape.o_width),
                **source_ports("o", shape.o_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        m.submodules.out = out = shared(SkidBuffer, width=shape.o_width + 1)
        beats = Signal(range(shape.output_beats + 1))
        head = Signal()
        take = Signal()
        m.d.comb += [
            head.eq(beats == 0),
            take.eq(self.a_tvalid & self.b_tvalid & out.i_ready),
            self.a_tready.eq(self.b_tvalid & out.i_ready),
            self.b_tready.eq(self.a_tvalid & out.i_ready),
        ]
        with m.If(take):
            m.d.sync += beats.eq(Mux(beats == shape.output_beats, 0, beats + 1))
        a, b = (
            [data.word_select(n, shape.o_lane).as_signed() for n in range(shape.output_lanes)]
            for data in (self.a_tdata, self.b_tdata)
        )
        shifts, maximum = self._shifts(m, a[1], b[1], head, take)
        lanes = []
        for lane, (of_a, of_b) in enumerate(zip(a, b, strict=True)):
            total = Signal(signed(shape.o_lane), name=f"sum_{lane}")
            m.d.comb += total.eq((of_a >> shifts[0]) + (of_b >> shifts[1]))
            lanes.append(Mux(head, maximum, total)[: shape.o_lane] if lane == 1 else total)
        m.d.comb += [
            out.i_valid.eq(take),
            out.i_data.eq(Cat(*lanes, self.a_tlast)),
            self.o_tvalid.eq(out.o_valid),
            self.o_tdata.eq(out.o_data[:-1]),
            self.o_tlast.eq(out.o_data[-1]),
            out.o_ready.eq(self.o_tready),
        ]
        return m

    def _shifts(self, m, of_a, of_b, head, take):
        """By how much a's numbers shrink, and b's; and the maximum. All follow from the first beat
        and are kept for the others."""
        shape = self.shape
        bits = shape.rescale_bits
        most = (1 << bits) - 1
        maxima = [Signal(signed(shape.maximum.width), name=f"maximum_{x}") for x in "ab"]
        maximum = Signal(signed(shape.o_lane), name="maximum")
        m.d.comb += [
            maxima[0].eq(of_a),
            maxima[1].eq(of_b),
            maximum.eq(Mux(maxima[0] > maxima[1], maxima[0], maxima[1])),
        ]
        shifts = []
        for name, own in zip("ab", maxima, strict=True):
            rises = Signal(shape.maximum.width, name=f"rises_{name}")
            kept = Signal(bits, name=f"kept_{name}", reset_less=True)
            shift = Signal(bits, name=f"shift_{name}")
            m.d.comb += [
                rises.eq(maximum - own),
                shift.eq(Mux(head, Mux(rises > most, most, rises), kept)),
            ]
            with m.If(take & head):
                m.d.sync += kept.eq(shift)
            shifts.append(shift)
        return shifts, maximum
