"""The end of a query: its sums divided by their total, scaled, rounded once."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.divider import ReciprocalDivider
from ..arith.requantize import Requantizer, latency
from ..cells import shared
from ..stream import RowQueue, source_ports
from .leading import Normalise
from .scores import delayed
from .shape import Shape

__all__ = ["Normaliser", "scale_ports"]


def scale_ports(shape: Shape) -> dict:
    """The scale of results, held while a job runs."""
    return {
        "multiplier": In(shape.multiplier_bits),
        "shift": In(6),
        "zero_point": In(signed(17)),
    }


class Normaliser(wiring.Component):
    """``valid`` with ``total``, ``sums`` and ``final`` (of the job's last query) -> stream ``o``.

    One query at a time: the next may come ``Values.latency`` cycles after ``release``, a pulse, or
    later. Leading zeros of the total (a cycle), its reciprocal (``Shape.divide_cycles``), that
    times ``multiplier`` (one), then ``Shape.output_lanes`` elements per cycle through as many
    requantisers (three) into a queue, in which room for all of them is there before the first.

    With ``partial``, constant while a job runs: a beat with ``total`` and ``maximum`` (lanes 0 and
    1, the others 0), then the sums as they are, in the same cycles.
    """

    def __init__(self, *, shape: Shape):
        self.shape = shape
        super().__init__(
            {
                **scale_ports(shape),
                "valid": In(1),
                "total": In(shape.total_width),
                "sums": In(shape.dimension * shape.sum.width),
                "final": In(1),
                "maximum": In(signed(shape.maximum.width)),
                "partial": In(1),
                "release": Out(1),
                **source_ports("o", shape.o_width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        sums = Signal(len(self.sums), reset_less=True)
        total = Signal(len(self.total), reset_less=True)
        final = Signal(reset_less=True)
        # Steps follow each other at fixed distances up to the first element.
        counted = delayed(m, self.valid, 2, "counted", reset=True)
        divided = delayed(m, counted, shape.divide_cycles, "divided", reset=True)
        multiplier, shift = self._multiplier(m, total, counted)
        waiting = Signal()
        emit, last, beats, head = self._elements(m, waiting, divided)
        for_lanes = sums[: shape.output_lanes * shape.sum.width]
        with m.If(emit & ~head):
            m.d.sync += sums.eq(sums >> len(for_lanes))
        with m.If(self.valid):  # also while the last elements leave
            m.d.sync += [sums.eq(self.sums), total.eq(self.total), final.eq(self.final)]
        lanes = self._requantisers(m, for_lanes, multiplier, shift)
        if shape.partial:
            lanes = self._states(m, lanes, for_lanes, total, head)

        after = latency(multiplier_stages=1)
        partial = self.partial if shape.partial else 0
        m.submodules.queue = queue = shared(
            RowQueue, width=shape.o_width + 1, depth=self.shape.output_depth
        )
        m.d.comb += [
            self.release.eq(emit & (beats == shape.release + partial)),
            queue.i_valid.eq(delayed(m, emit, after, "emitted", reset=True)),
            queue.i_data.eq(
                Cat(
                    *(self._lane(m, n, value) for n, value in enumerate(lanes)),
                    delayed(m, last & final, after, "last"),
                )
            ),
            self.o_tdata.eq(queue.o_data[:-1]),
            self.o_tlast.eq(queue.o_data[-1]),
            self.o_tvalid.eq(queue.o_valid),
            queue.o_ready.eq(self.o_tready),
        ]
        return m

    def _multiplier(self, m, total, counted):
        """r times the multiplier, and the shift that goes with it; two ranks of registers."""
        shape = self.shape
        width = shape.total_width
        bits = Signal(range(width + 1), name="bits", reset_less=True)
        mantissa = Signal(width, name="mantissa", reset_less=True)
        m.submodules.leading = leading = shared(Normalise, width=width)
        m.d.comb += leading.i.eq(total)
        m.d.sync += [bits.eq(leading.bits), mantissa.eq(leading.mantissa)]
        m.submodules.divider = divider = shared(
            ReciprocalDivider, width=shape.total_width, precision=shape.reciprocal
        )
        m.d.comb += [divider.start.eq(counted), divider.i.eq(mantissa)]
        product = Signal(31, reset_less=True)
        divided = delayed(m, counted, shape.divide_cycles, "quotient", reset=True)
        with m.If(divided):
            m.d.sync += product.eq(divider.o * self.multiplier)
        shift = Signal(6, reset_less=True)
        m.d.sync += shift.eq(self.shift + bits + (shape.reciprocal - 1))
        return product, shift

    def _elements(self, m, waiting, divided):
        """Whether elements leave, whether they are the last, how many beats have left, and whether
        this one is a state's first."""
        shape = self.shape
        more = self.partial if shape.partial else 0
        beats = Signal(range(max(shape.output_beats + shape.partial, 2)))
        reserved = Signal(range(self.shape.output_depth + 1))
        popped = self.o_tvalid & self.o_tready
        emit = Signal()
        last = Signal()
        room = Signal()
        m.d.comb += [
            room.eq(reserved <= shape.output_depth - (shape.output_beats + shape.partial)),
            emit.eq(waiting & ((beats != 0) | room)),
            last.eq(beats == shape.output_beats - 1 + more),
        ]
        with m.If(divided):
            m.d.sync += waiting.eq(1)
        with m.Elif(emit & last):
            m.d.sync += waiting.eq(0)
        with m.If(emit):
            m.d.sync += beats.eq(Mux(last, 0, beats + 1))
        m.d.sync += reserved.eq(reserved + emit - popped)
        return emit, last, beats, (beats == 0) & more

    def _requantisers(self, m, sums, multiplier, shift):
        shape = self.shape
        lanes = []
        for lane in range(shape.output_lanes):
            m.submodules[f"lane_{lane}"] = scale = shared(
                Requantizer,
                in_format=shape.sum,
                out_format=shape.output,
                rounding=shape.rounding,
            )
            m.d.comb += [
                scale.en.eq(1),
                scale.i.eq(sums.word_select(lane, shape.sum.width)),
                scale.multiplier.eq(multiplier),
                scale.shift.eq(shift),
                scale.zero_point.eq(self.zero_point),
            ]
            lanes.append(scale.o)
        return lanes

    def _states(self, m, lanes, sums, total, head):
        """Lanes of the result, or with ``partial`` of the state, as late as those."""
        shape, after = self.shape, latency(multiplier_stages=1)
        maximum = Signal(shape.maximum.width, reset_less=True)
        with m.If(self.valid):
            m.d.sync += maximum.eq(self.maximum)
        chosen = []
        for lane, result in enumerate(lanes):
            first = (total, maximum.as_signed(), Const(0))[min(lane, 2)]
            state = Signal(signed(shape.o_lane), name=f"state_{lane}")
            m.d.comb += state.eq(
                Mux(head, first, sums.word_select(lane, shape.sum.width).as_signed())
            )
            state = delayed(m, state, after, f"late_state_{lane}")
            value = Signal(signed(shape.o_lane), name=f"chosen_{lane}")
            m.d.comb += value.eq(Mux(self.partial, state.as_signed(), result))
            chosen.append(value)
        return chosen

    def _lane(self, m, number: int, value):
        """``value`` extended to its lane of the stream."""
        lane = Signal(self.shape.o_lane, name=f"o_lane_{number}")
        m.d.comb += lane.eq(value)
        return lane
