"""The end of a query: its sums divided by their total, scaled, rounded once."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.divider import PipelinedReciprocal
from ..arith.requantize import Requantizer, latency
from ..cells import shared
from ..stream import RowQueue, source_ports
from .leading import Normalise
from .scores import delayed
from .shape import GUARD, Shape

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

    Queries wait in a queue, at most ``Shape.states`` from the issue of their last beat until
    ``release``, a pulse, as their elements begin to leave: it is for the producer to count them.
    Leading zeros of the total (a cycle), its reciprocal (``Shape.divide_cycles``, pipelined), that
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
        m.submodules.waiting = waiting = shared(RowQueue, width=len(self.sums), depth=shape.states)
        m.d.comb += [waiting.i_data.eq(self.sums), waiting.i_valid.eq(self.valid)]
        divided = self._divided(m)
        load = Signal()
        emit, last, head = self._elements(m, load, divided.o_valid)
        sums = Signal(len(self.sums), reset_less=True)
        for_lanes = sums[: shape.output_lanes * shape.sum.width]
        of_query = Signal(len(divided.o_data), name="of_query", reset_less=True)
        with m.If(load):
            m.d.sync += [sums.eq(waiting.o_data), of_query.eq(divided.o_data)]
        if shape.output_beats > 1:
            with m.Elif(emit & ~head):
                m.d.sync += sums.eq(sums >> len(for_lanes))
        product, rest = of_query[: shape.product_bits], of_query[shape.product_bits :]
        shift, final, of_state = rest[:6], rest[6], rest[7:]
        lanes = self._requantisers(m, for_lanes, product, shift)
        if shape.partial:
            lanes = self._states(m, lanes, for_lanes, of_state, head)

        after = latency(multiplier_stages=1)
        m.submodules.queue = queue = shared(
            RowQueue, width=shape.o_width + 1, depth=shape.output_depth
        )
        m.d.comb += [
            self.release.eq(load),
            waiting.o_ready.eq(load),
            divided.o_ready.eq(load),
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

    def _divided(self, m):
        """A queue of what belongs to the sums that wait, in their order: r times the multiplier,
        the shift that goes with it, beyond the least, ``final``, and for states the total and the
        maximum. Without a key the sums are 0, and nothing else matters."""
        shape = self.shape
        width, least = shape.total_width, shape.least_result_shift
        m.submodules.leading = leading = shared(
            Normalise, width=width, least=shape.least_total_bits
        )
        m.submodules.divider = divider = shared(
            PipelinedReciprocal, width=width, precision=shape.reciprocal
        )
        mantissa = Signal(width, name="mantissa", reset_less=True)
        beside = Cat(leading.bits, self.final)
        bits = len(leading.bits)
        if shape.partial:
            beside = Cat(beside, self.total, self.maximum)
        beside = delayed(m, beside, 1 + shape.divide_cycles, "beside")
        product = Signal(shape.product_bits, reset_less=True)
        shift = Signal(6, reset_less=True)
        m.d.comb += [leading.i.eq(self.total), divider.i.eq(mantissa)]
        m.d.sync += [
            mantissa.eq(leading.mantissa),
            product.eq(divider.o * self.multiplier),
            shift.eq(self.shift + beside[:bits] + (shape.reciprocal - 1 - GUARD - least)),
        ]
        late = delayed(m, beside[bits:], 1, "late")
        valid = delayed(m, self.valid, 2 + shape.divide_cycles, "divided", reset=True)
        m.submodules.divided = queue = shared(
            RowQueue, width=shape.product_bits + 6 + len(late), depth=shape.states
        )
        m.d.comb += [queue.i_data.eq(Cat(product, shift, late)), queue.i_valid.eq(valid)]
        return queue

    def _elements(self, m, load, divided):
        """Whether elements leave, whether they are the query's last, and whether they are a state's
        first beat. ``load``: the next query's will from the next cycle on."""
        shape = self.shape
        more = self.partial if shape.partial else 0
        beats = Signal(range(max(shape.output_beats + shape.partial, 2)))
        reserved = Signal(range(shape.output_depth + 1))
        popped = self.o_tvalid & self.o_tready
        emit = Signal()
        last = Signal()
        room = Signal()
        count = shape.output_beats + more
        m.d.comb += [
            room.eq(reserved + count <= shape.output_depth),
            last.eq(beats + 1 == count),
            load.eq(divided & room & (~emit | last)),
        ]
        with m.If(load):
            m.d.sync += emit.eq(1)
        with m.Elif(last):
            m.d.sync += emit.eq(0)
        with m.If(emit):
            m.d.sync += beats.eq(Mux(last, 0, beats + 1))
        m.d.sync += reserved.eq(reserved + Mux(load, count, 0) - popped)
        return emit, last, (beats == 0) & more

    def _requantisers(self, m, sums, multiplier, shift):
        shape = self.shape
        lanes = []
        for lane in range(shape.output_lanes):
            m.submodules[f"lane_{lane}"] = scale = shared(
                Requantizer,
                in_format=shape.sum,
                out_format=shape.output,
                rounding=shape.rounding,
                multiplier_bits=shape.product_bits,
                least_shift=shape.least_result_shift,
                scaled_bits=shape.result_bits,
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

    def _states(self, m, lanes, sums, of_state, head):
        """Lanes of the result, or with ``partial`` of the state, as late as those."""
        shape, after = self.shape, latency(multiplier_stages=1)
        total, maximum = of_state[: shape.total_width], of_state[shape.total_width :].as_signed()
        chosen = []
        for lane, result in enumerate(lanes):
            first = (total, maximum, Const(0))[min(lane, 2)]
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
