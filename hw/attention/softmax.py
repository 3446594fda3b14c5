"""Softmax of whole rows: the frame that every standalone form of it is put into."""

from typing import Any, Protocol

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..arith.sums import Sum
from ..cells import describe, shared
from ..formats import Format
from ..stream import HeldMemory, RowQueue
from .scores import delayed

__all__ = ["INT8", "Cell", "RowSoftmax", "SoftmaxForm"]

QUEUE = 8
"""Beats that may be on their way to ``o`` or wait there."""

INT8 = Format(8)

Cell = tuple[type[wiring.Component], dict[str, Any]]
"""A component's class and its parameters, as :func:`..cells.shared` takes them."""


class SoftmaxForm(Protocol):
    """What one form of softmax does with a row; frozen and hashable.

    ``logit``: format of a logit; ``width``: bits of p, worth 2**-``p_fraction`` each;
    ``exponential``: bits of an exponential as it is added up; ``kept``: bits of what is kept of it
    in the row's memory, which is the exponential's output ``keeps``.
    """

    logit: Format
    width: int
    p_fraction: int
    exponential: int
    kept: int
    keeps: str

    def exponentiate(self, lane: int, lanes: int) -> Cell:
        """``t`` (how far a logit is below the row's highest), ``counts`` -> ``o``, ``latency``
        cycles later: 0 where ``counts`` is low, whatever ``t``. At least a one of every row is not.
        """

    def invert(self, width: int) -> Cell:
        """``start`` with the total ``i``, of ``width`` bits -> ``o``, ``latency`` cycles later."""

    def divide(self, lanes: int, inverse: int, width: int) -> Cell:
        """``e`` (what was kept), ``r`` (the total's inverse, ``inverse`` bits, of a total of
        ``width``), ``beat`` -> ``p``, ``latency`` cycles later."""


class RowSoftmax(wiring.Component):
    """Rows of logits (``form.logit``) -> p, ``form.width`` bits, worth 2**-``form.p_fraction``.

    ``i``: beats of ``lanes`` logits and ``i_keep``, which of them count; ``i_last`` ends a row, of
    at most ``beats`` beats. ``o``: as many beats of p, unsigned. Logits that do not count have p
    0, also in a row without any. Forms: :mod:`.base2`, :mod:`.i_bert`, :mod:`.shiftmax`,
    :mod:`.ita`. Golden models: ``golden.attention.softmax``.

    One row at a time: n beats are loaded, exponentiated and given, n cycles each. Its first p is
    offered ``latency`` + 2 n cycles after its first beat. The row is kept: this block's memory
    grows with it, which that of :mod:`.streaming` does not. Totals have the bits of the longest
    row's.
    """

    def __init__(self, *, form: SoftmaxForm, lanes: int, beats: int):
        if lanes < 2 or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two of at least 2, not {lanes}")
        if beats < 1:
            raise ValueError(f"beats must be at least 1, not {beats}")
        self.form, self.lanes, self.beats = form, lanes, beats
        self.total_width = (lanes * beats * ((1 << form.exponential) - 1)).bit_length()
        self._sum = {"terms": lanes, "width": form.exponential}
        self._invert = form.invert(self.total_width)
        inverse = _described(self._invert)
        self._divide = form.divide(lanes, len(inverse.o), self.total_width)
        self._exponential_latency = _described(form.exponentiate(0, lanes)).latency
        # From a read to the total: the read, exponential, sum, total.
        self._to_total = 1 + self._exponential_latency + describe(Sum, **self._sum).latency + 1
        self._inverse_latency = inverse.latency
        # From a read to p: the read, product and shift.
        self._to_p = 1 + _described(self._divide).latency
        self.latency = self._to_total + self._inverse_latency + self._to_p - 1
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i_data": In(lanes * form.logit.width),
                "i_keep": In(lanes),
                "i_last": In(1),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_data": Out(lanes * form.width),
                "o_last": Out(1),
            }
        )

    @property
    def word(self) -> int:
        """Bits of a lane in the row's memory: a logit, then what is kept of its exponential, and
        if it counts."""
        return max(self.form.logit.width, self.form.kept) + 1

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
        inverted, inverse = self._inverse(m, total, exponentiate & at_end)
        with m.If(take | read):
            m.d.sync += place.eq(Mux(at_end, 0, place + 1))
            with m.If(at_end):
                m.d.sync += step.eq(step + 1)
        with m.If(take):
            m.d.sync += end.eq(place)
        with m.If(inverted):
            m.d.sync += step.eq(3)
        m.d.comb += [
            row.w_en.eq(take | write),
            row.w_addr.eq(Mux(take, place, at)),
            row.w_data.eq(Mux(take, Cat(*self._loaded()), values)),
        ]
        self._given(m, row, gives, at_end, place, room, inverse)
        return m

    def _loaded(self):
        """Lanes as they are written when a beat comes."""
        width = self.form.logit.width
        for lane in range(self.lanes):
            yield from (
                self.i_data.word_select(lane, width),
                Const(0, self.word - 1 - width),
                self.i_keep[lane],
            )

    def _highest(self, m, take, place):
        """The highest logit of the row that counts."""
        logit = self.form.logit
        values = [
            Mux(keep, self.i_data.word_select(lane, logit.width).as_signed(), logit.min)
            for lane, keep in enumerate(self.i_keep)
        ]
        while len(values) > 1:
            values = [Mux(a > b, a, b) for a, b in zip(values[::2], values[1::2], strict=True)]
        beat = Signal(signed(logit.width), name="highest_of_beat")
        highest = Signal(signed(logit.width), reset_less=True)
        m.d.comb += beat.eq(values[0])
        with m.If(take & ((place == 0) | (beat > highest))):
            m.d.sync += highest.eq(beat)
        return highest

    def _exponentials(self, m, row, reads, place, highest):
        """What is kept of exponentials back into the row's memory, and their total."""
        form, counts, e, kept = self.form, [], [], []
        for lane in range(self.lanes):
            word = row.r_data.word_select(lane, self.word)
            cell, parameters = form.exponentiate(lane, self.lanes)
            m.submodules[f"exponential_{lane}"] = exponential = shared(cell, **parameters)
            m.d.comb += [
                exponential.t.eq(highest - word[: form.logit.width].as_signed()),
                exponential.counts.eq(word[-1]),
            ]
            counts.append(delayed(m, word[-1], self._exponential_latency, f"counts_{lane}"))
            e.append(exponential.o)
            kept.append(getattr(exponential, form.keeps))
        padding = Const(0, self.word - 1 - form.kept)
        values = Cat(*(Cat(x, padding, keep) for x, keep in zip(kept, counts, strict=True)))
        after = 1 + self._exponential_latency
        write = delayed(m, reads, after, "write", reset=True)
        m.submodules.sum = beat = shared(Sum, **self._sum)
        m.d.comb += beat.i.eq(Cat(e))
        total = Signal(self.total_width, reset_less=True)
        summed = delayed(m, write, self._to_total - 1 - after, "summed", reset=True)
        with m.If(reads & (place == 0)):  # long before the first sum comes
            m.d.sync += total.eq(0)
        with m.Elif(summed):
            m.d.sync += total.eq(total + beat.o)
        return write, delayed(m, place, after, "at"), values, total

    def _inverse(self, m, total, last):
        """A pulse a cycle before the total's inverse is there, and it, which stays."""
        cell, parameters = self._invert
        m.submodules.inverse = inverse = shared(cell, **parameters)
        start = delayed(m, last, self._to_total, "start", reset=True)
        m.d.comb += [inverse.i.eq(total), inverse.start.eq(start)]
        return delayed(m, start, self._inverse_latency - 1, "inverted", reset=True), inverse.o

    def _given(self, m, row, gives, at_end, place, room, inverse):
        """p to the output."""
        form, after = self.form, self._to_p
        cell, parameters = self._divide
        m.submodules.probabilities = probabilities = shared(cell, **parameters)
        words = [row.r_data.word_select(lane, self.word) for lane in range(self.lanes)]
        m.d.comb += [
            probabilities.e.eq(Cat(word[: form.kept] for word in words)),
            probabilities.r.eq(inverse),
            probabilities.beat.eq(delayed(m, place, 1, "beat")),
        ]
        lanes = []
        for lane, word in enumerate(words):
            counts = delayed(m, word[-1], after - 1, f"given_counts_{lane}")
            lanes.append(Mux(counts, probabilities.p.word_select(lane, form.width), 0))
        m.submodules.queue = queue = shared(
            RowQueue, width=self.lanes * form.width + 1, depth=QUEUE
        )
        on_way = Signal(range(QUEUE + 1))
        popped = self.o_valid & self.o_ready
        m.d.sync += on_way.eq(on_way + gives - popped)
        m.d.comb += [
            room.eq(on_way != QUEUE),
            queue.i_valid.eq(delayed(m, gives, after, "given", reset=True)),
            queue.i_data.eq(Cat(*lanes, delayed(m, at_end, after, "given_last"))),
            self.o_valid.eq(queue.o_valid),
            self.o_data.eq(queue.o_data[:-1]),
            self.o_last.eq(queue.o_data[-1]),
            queue.o_ready.eq(self.o_ready),
        ]


def _described(cell: Cell):
    return describe(cell[0], **cell[1])
