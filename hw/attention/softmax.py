"""Softmax of whole rows by a table of powers of two: the standalone block."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.divider import ReciprocalDivider
from ..arith.sums import Sum
from ..cells import shared
from ..stream import HeldMemory, RowQueue
from .exponential import Exponential
from .leading import Normalise
from .scores import delayed
from .shape import LOGIT

__all__ = ["RowSoftmax"]

QUEUE = 8
"""Beats that may be on their way to ``o`` or wait there."""


class RowSoftmax(wiring.Component):
    """Rows of logits (signed 16 bits, base 2, ``fraction`` bits) -> p, worth 2**-``width``.

    ``i``: beats of ``lanes`` logits and ``i_keep``, which of them count; ``i_last`` ends a row, of
    at most ``beats`` beats. ``o``: as many beats of p, unsigned. Logits that do not count have p
    0, also in a row without any. Golden model: ``golden.attention.softmax.base2``.

    One row at a time: n beats are loaded, exponentiated and given, n cycles each. Its first p is
    offered ``latency`` + 2 n cycles after its first beat. ``width`` is odd, for the divider's
    sake. The row is kept: this block's memory grows with it, which that of :mod:`.streaming` does
    not.
    """

    def __init__(
        self, *, lanes: int, beats: int, fraction: int = 6, exponential: int = 16, width: int = 15
    ):
        if lanes < 2 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two of at least 2, not {lanes}")
        if not width % 2 or not 3 <= width <= exponential:
            raise ValueError(f"width must be odd, 3 to {exponential}, not {width}")
        self.lanes, self.beats, self.fraction = lanes, beats, fraction
        self.exponential, self.width = exponential, width
        self.total_width = (lanes * beats * ((1 << exponential) - 1)).bit_length()
        self.sum_latency = Sum(terms=lanes, width=exponential).latency
        # Read, exponential, sum, total; leading zeros; divider; reciprocal; product, p.
        self.latency = 1 + 2 + self.sum_latency + 1 + 1 + (width + 3) // 2 + 1 + 2
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(lanes * LOGIT.width),
                "i_keep": In(lanes),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(lanes * width),
                "o_last": Out(1),
            }
        )

    @property
    def word(self) -> int:
        """Bits of a lane in the row's memory: a logit, then its exponential, and if it counts."""
        return max(LOGIT.width, self.exponential) + 1

    def elaborate(self, platform):
        m = Module()
        m.submodules.row = row = shared(
            HeldMemory, width=self.lanes * self.word, depth=max(self.beats, 2)
        )
        place = Signal(range(max(self.beats, 2)))
        end = Signal.like(place, name="end", reset_less=True)
        at_end = Signal()
        step = Signal(2)
        load, exponentiate, give = (step == n for n in (0, 1, 3))
        room = Signal()
        take = Signal()
        read = Signal()
        gives = Signal()
        m.d.comb += [
            self.i_ready.eq(load),
            take.eq(load & self.i_valid),
            gives.eq(give & room),
            read.eq(exponentiate | gives),
            at_end.eq(Mux(take, self.i_last, place == end)),
            row.r_en.eq(read),
            row.r_addr.eq(place),
        ]
        highest = self._highest(m, take, place)
        write, at, values, total = self._exponentials(m, row, exponentiate, place, highest)
        divided, reciprocal, bits = self._reciprocal(m, total, exponentiate & at_end)
        with m.If(take | read):
            m.d.sync += place.eq(Mux(at_end, 0, place + 1))
            with m.If(at_end):
                m.d.sync += step.eq(step + 1)
        with m.If(take):
            m.d.sync += end.eq(place)
        with m.If(divided):
            m.d.sync += step.eq(3)
        m.d.comb += [
            row.w_en.eq(take | write),
            row.w_addr.eq(Mux(take, place, at)),
            row.w_data.eq(Mux(take, Cat(*self._loaded()), values)),
        ]
        self._given(m, row, gives, at_end, place, room, reciprocal, bits)
        return m

    def _loaded(self):
        """Lanes as they are written when a beat comes."""
        for lane in range(self.lanes):
            yield from (
                self.i_data.word_select(lane, LOGIT.width),
                Const(0, self.word - 1 - LOGIT.width),
                self.i_keep[lane],
            )

    def _highest(self, m, take, place):
        """The highest logit of the row that counts."""
        values = [
            Mux(keep, self.i_data.word_select(lane, LOGIT.width).as_signed(), LOGIT.min)
            for lane, keep in enumerate(self.i_keep)
        ]
        while len(values) > 1:
            values = [Mux(a > b, a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        beat = Signal(signed(LOGIT.width), name="highest_of_beat")
        highest = Signal(signed(LOGIT.width), reset_less=True)
        m.d.comb += beat.eq(values[0])
        with m.If(take & ((place == 0) | (beat > highest))):
            m.d.sync += highest.eq(beat)
        return highest

    def _exponentials(self, m, row, reads, place, highest):
        """Exponentials back into the row's memory, and their total."""
        counts, e = [], []
        for lane in range(self.lanes):
            word = row.r_data.word_select(lane, self.word)
            m.submodules[f"exponential_{lane}"] = exponential = shared(
                Exponential,
                fraction=self.fraction,
                width=self.exponential,
                place=lane,
                places=self.lanes,
            )
            m.d.comb += [
                exponential.t.eq(highest - word[: LOGIT.width].as_signed()),
                exponential.counts.eq(word[-1]),
            ]
            counts.append(delayed(m, word[-1], Exponential.latency, f"counts_{lane}"))
            e.append(exponential.o)
        padding = Const(0, self.word - 1 - self.exponential)
        values = Cat(*(Cat(x, padding, keep) for x, keep in zip(e, counts, strict=True)))
        after = 1 + Exponential.latency
        write = delayed(m, reads, after, "write", reset=True)
        m.submodules.sum = beat = shared(Sum, terms=self.lanes, width=self.exponential)
        m.d.comb += beat.i.eq(Cat(e))
        total = Signal(self.total_width, reset_less=True)
        summed = delayed(m, write, self.sum_latency, "summed", reset=True)
        with m.If(reads & (place == 0)):  # long before the first sum comes
            m.d.sync += total.eq(0)
        with m.Elif(summed):
            m.d.sync += total.eq(total + beat.o)
        return write, delayed(m, place, after, "at"), values, total

    def _reciprocal(self, m, total, last):
        """A pulse when the reciprocal will be there, it, and the bits of the total."""
        m.submodules.leading = leading = shared(Normalise, width=self.total_width)
        m.submodules.divider = divider = shared(
            ReciprocalDivider, width=self.total_width, precision=self.width + 2
        )
        mantissa = Signal(self.total_width, reset_less=True)
        bits = Signal(range(self.total_width + 1), reset_less=True)
        reciprocal = Signal(self.width + 3, reset_less=True)
        m.d.comb += [leading.i.eq(total), divider.i.eq(mantissa)]
        m.d.sync += [mantissa.eq(leading.mantissa), bits.eq(leading.bits)]
        # Read, exponential, sum, total, mantissa.
        start = delayed(m, last, 1 + 2 + self.sum_latency + 1 + 1, "start", reset=True)
        done = delayed(m, start, (self.width + 3) // 2, "divided", reset=True)
        m.d.comb += divider.start.eq(start)
        with m.If(done):
            m.d.sync += reciprocal.eq(divider.o)
        return done, reciprocal, bits

    def _given(self, m, row, gives, at_end, place, room, reciprocal, bits):
        """p = e r, rounded, to the output."""
        shift = bits + 1
        beat = delayed(m, place, 2, "beat")[: (self.lanes - 1).bit_length()]
        offsets = Signal(self.total_width + 2)
        # At (2 beat + 1) / (2 lanes) of the last place.
        m.d.comb += offsets.eq(((2 * beat + 1) << shift) >> self.lanes.bit_length())
        lanes = []
        for lane in range(self.lanes):
            word = row.r_data.word_select(lane, self.word)
            product = Signal(self.exponential + len(reciprocal), name=f"product_{lane}",
                             reset_less=True)  # fmt: skip
            p = Signal(self.width, name=f"p_{lane}", reset_less=True)
            rounded = Signal(len(product) + 1, name=f"rounded_{lane}")
            m.d.comb += rounded.eq((product + offsets) >> shift)
            m.d.sync += [
                product.eq(word[: self.exponential] * reciprocal),
                p.eq(Mux(rounded[self.width :].any(), (1 << self.width) - 1, rounded)),
            ]
            counts = delayed(m, word[-1], 2, f"given_counts_{lane}")
            lanes.append(Mux(counts, p, 0))
        m.submodules.queue = queue = shared(
            RowQueue, width=self.lanes * self.width + 1, depth=QUEUE
        )
        on_way = Signal(range(QUEUE + 1))
        popped = self.o_valid & self.o_ready
        m.d.sync += on_way.eq(on_way + gives - popped)
        m.d.comb += [
            room.eq(on_way != QUEUE),
            queue.i_valid.eq(delayed(m, gives, 3, "given", reset=True)),
            queue.i_data.eq(Cat(*lanes, delayed(m, at_end, 3, "given_last"))),
            self.o_valid.eq(queue.o_valid),
            self.o_data.eq(queue.o_data[:-1]),
            self.o_last.eq(queue.o_data[-1]),
            queue.o_ready.eq(self.o_ready),
        ]
