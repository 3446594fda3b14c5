"""A network in sections as hardware: pipelines, and what is between them."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..adders import width
from ..rtl import Pipeline, lanes
from .matrix_rtl import MatrixSums
from .plan import INPUT, Folded
from .pulses import Pulses
from .seen import Seen
from .taps import Held, Taps
from .times import Schedule

__all__ = ["Core"]


class Core(wiring.Component):
    """Free-running, as its pipelines are. A pulse goes along with a sample and says when it is
    where; where tokens come with pauses, one goes along with each of them.

    Parameters
    ----------
    folded : Folded
    stages : Schedule
    formats : sequence of (int, bool)
        Width and sign of the sample's values, or of a token's if it is streamed.
    dsps : int
        Products of two values that may become DSP blocks: so many of the widest.

    Attributes
    ----------
    latency : int
        Cycles from ``start`` to ``valid``; of a stream from a sample's first token to its last
        result, if tokens come in consecutive cycles.
    interval : int
        Least cycles from one sample to the next: ``folded.interval``. A streamed sample's first
        tokens come without a pause as far as ``folded.unbroken`` cycles behind the last sample's
        last, or none comes before that (:class:`..spacer.Spacer`).
    inputs, outputs : list of (int, bool)
        Width and sign of every value.
    i, start : In
        A sample (of a stream a token), and that there is one in this cycle.
    o, valid : Out
        Its results (or a token's, if they leave so), and that they are some; packed as the inputs
        are, the first value lowest.

    Reset ends all samples that are on their way; their data are not reset.
    """

    def __init__(self, *, folded: Folded, stages: Schedule, formats, dsps: int = 0):
        self.folded, self.stages, self.dsps = folded, stages, dsps
        self.latency, self.interval = stages.count, folded.interval
        self.inputs = list(formats)
        self.outputs = [(width(low, high), low < 0) for low, high in folded.ranges]
        super().__init__(
            {
                "i": In(sum(bits for bits, _ in self.inputs)),
                "start": In(1),
                "o": Out(sum(bits for bits, _ in self.outputs)),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        _Wiring(m, self).run()
        return m


class _Wiring:
    def __init__(self, m, core):
        self.m, self.core = m, core
        self.folded, self.stages = core.folded, core.stages
        self.pulses = Pulses(m, self.folded, self.stages, core.start)
        self.taps = Taps(m, self.folded)
        self.held = Held(m, self.folded, self.stages, self.pulses, self.taps)
        self.seen = Seen(m, self.stages, self.pulses, self.taps)

    def run(self):
        self._sample()
        widest = _widest(self.folded, self.core.dsps)
        for number, section in enumerate(self.folded.sections):
            if section.matrix:
                self._matrix(number, section)
                continue
            placed = self.stages.placed[number]
            pipeline = Pipeline(graph=section.graph, stages=placed, dsps=widest[number])
            self.m.submodules[f"section{number}"] = pipeline
            values = self._inputs(number, section)
            self.m.d.comb += pipeline.i.eq(Cat(*values))
            places = lanes(section.graph, section.graph.outputs)
            for output, (first, bits) in enumerate(places):
                value = pipeline.o[first : first + bits]
                signed = section.graph[section.graph.outputs[output]].signed
                value = value.as_signed() if signed else value
                if section.digits:
                    ready = self.stages.times[number] + pipeline.latency
                    value = self._added_up(value, section, ready)
                self.taps.copies[number, output] = [value]
        self._results()

    def _matrix(self, number, section):
        """A section that is an array."""
        matrix, time = section.matrix, self.stages.times[number]
        self.m.submodules[f"section{number}"] = sums = MatrixSums(matrix=matrix)
        inputs = []
        for feed, span, shift in zip(section.feeds, matrix.spans, matrix.shifts, strict=True):
            value = Signal(Shape(matrix.a.width, matrix.a.signed), name="operand")
            low, high, _ = span
            source = self.held.value(feed, time, width(low, high))
            source = source.as_signed() if low < 0 else source
            self.m.d.comb += value.eq(source << shift)
            inputs.append(value)
        self.m.d.comb += [sums.start.eq(self.pulses.sample(time)), sums.i.eq(Cat(*inputs))]
        for output in range(matrix.layer.size):
            least, most, _ = matrix.span(output)
            value = sums.o.word_select(output, matrix.width)[: width(least, most)]
            self.taps.copies[number, output] = [value.as_signed() if least < 0 else value]

    def _inputs(self, number, section):
        """What a section's graph takes."""
        graph, time = section.graph, self.stages.times[number]
        seen = self.seen.by(number, section)
        return [
            seen[feed][: graph[index].width] if feed in seen
            else self.pulses.phase(section.pace, time) if feed is None
            else self.held.value(feed, time, graph[index].width, section.bits)
            for feed, index in zip(section.feeds, graph.inputs, strict=True)
        ]  # fmt: skip

    def _results(self):
        pace, time = self.folded.pace, self.core.latency
        if pace is not None:
            time -= self.folded.phases - 1
        results = [
            self.held.value(feed, time, bits)
            for feed, (bits, _) in zip(self.folded.outputs, self.core.outputs, strict=True)
        ]
        valid = self.pulses.sample(time) if pace is None else self.pulses.token(pace, time)
        self.m.d.comb += [self.core.o.eq(Cat(*results)), self.core.valid.eq(valid)]

    def _sample(self):
        """The sample's values; with several phases, its tokens one after another."""
        values, first = [], 0
        for bits, signed in self.core.inputs:
            value = self.core.i[first : first + bits]
            values.append(value.as_signed() if signed else value)
            first += bits
        if self.folded.input is None:
            values = [self._kept(value) for value in values] if self.core.interval > 1 else values
        elif not self.folded.streamed:
            values = self._one_by_one(values)
        self.taps.copies |= {(INPUT, index): [value] for index, value in enumerate(values)}

    def _kept(self, value):
        """A value of the sample, until the next one."""
        kept = Signal.like(value, name="sample", reset_less=True)
        with self.m.If(self.core.start):
            self.m.d.sync += kept.eq(value)
        return kept

    def _one_by_one(self, values):
        taken = []
        for index, places in enumerate(zip(*self.folded.input, strict=True)):
            tokens = [values[place] for place in places]
            after = None
            for phase in reversed(range(len(tokens))):
                token = Signal.like(tokens[phase], name=f"token{index}_{phase}", reset_less=True)
                with self.m.If(self.core.start):
                    self.m.d.sync += token.eq(tokens[phase])
                if after is not None:
                    with self.m.Else():
                        self.m.d.sync += token.eq(after)
                after = token
            taken.append(after)
        return taken

    def _added_up(self, value, section, time):
        """The sum of ``section.digits`` values from cycle ``time`` on, each worth more than the one
        before; it stays until that of the next sample."""
        bits, count = section.bits, section.digits
        reach = Shape(len(value) + 1, value.shape().signed)
        high, total = Signal(reach, name="high", reset_less=True), Signal(reach, name="total")
        low = Signal(bits * (count - 1), name="low", reset_less=True)
        kept = Signal(Shape(len(total) + len(low), reach.signed), name="sum", reset_less=True)
        first, last = self.pulses.sample(time), self.pulses.sample(time + count - 1)
        self.m.d.comb += total.eq(value + Mux(first, 0, high))
        self.m.d.sync += [high.eq(total >> bits), low.eq(Cat(low, total[:bits])[bits:])]
        with self.m.If(last):
            self.m.d.sync += kept.eq(Cat(low, total))
        return kept


def _widest(folded, count):
    """Of every section, those of its products that are among the ``count`` widest of all."""
    products = [
        (sum(section.graph[each].width for each in section.graph[index].args), number, index)
        for number, section in enumerate(folded.sections)
        for index in section.graph.live() if section.graph[index].op == "multiply"
    ]  # fmt: skip
    found = [set() for _ in folded.sections]
    for _, number, index in sorted(products, reverse=True)[:count]:
        found[number].add(folded.sections[number].graph[index])
    return found
