"""A network in sections as hardware: pipelines, and what is between them."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..adders import width
from ..rtl import Pipeline, lanes
from .matrix_rtl import MatrixSums
from .plan import INPUT, Feed, Folded
from .times import Schedule

__all__ = ["Core"]


class Core(wiring.Component):
    """Free-running, as its pipelines are. A pulse goes along with a sample and says when it is
    where.

    Parameters
    ----------
    folded : Folded
    stages : Schedule
    formats : sequence of (int, bool)
        Width and sign of the sample's values.
    dsps : int
        Products of two values that may become DSP blocks: so many of the widest.

    Attributes
    ----------
    latency : int
        Cycles from ``start`` to ``valid``.
    interval : int
        Least cycles from one ``start`` to the next: ``folded.interval``.
    inputs, outputs : list of (int, bool)
        Width and sign of every value.
    i, start : In
        A sample, and that there is one in this cycle.
    o, valid : Out
        Its results, and that they are those of a sample; packed as the inputs are, the first value
        lowest.

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
    """``taps``: of every output of a section, its value after so many cycles."""

    def __init__(self, m, core):
        self.m, self.core = m, core
        self.folded, self.stages = core.folded, core.stages
        self.started = [core.start]
        self.taps: dict[tuple[int, int], list] = {}
        self.held: dict[tuple[Feed, int], Signal] = {}

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
            time = self.stages.times[number]
            values = [
                self._value(feed, time, section.graph[index].width, section.bits)
                for feed, index in zip(section.feeds, section.graph.inputs, strict=True)
            ]
            self.m.d.comb += pipeline.i.eq(Cat(*values))
            places = lanes(section.graph, section.graph.outputs)
            for output, (first, bits) in enumerate(places):
                value = pipeline.o[first : first + bits]
                signed = section.graph[section.graph.outputs[output]].signed
                value = value.as_signed() if signed else value
                if section.digits:
                    value = self._added_up(value, section, time + pipeline.latency)
                self.taps[number, output] = [value]
        results = [
            self._value(feed, self.core.latency, bits)
            for feed, (bits, _) in zip(self.folded.outputs, self.core.outputs, strict=True)
        ]
        self.m.d.comb += [
            self.core.o.eq(Cat(*results)),
            self.core.valid.eq(self._pulse(self.core.latency)),
        ]

    def _matrix(self, number, section):
        """A section that is an array."""
        matrix, time = section.matrix, self.stages.times[number]
        self.m.submodules[f"section{number}"] = sums = MatrixSums(matrix=matrix)
        inputs = []
        for feed, span, shift in zip(section.feeds, matrix.spans, matrix.shifts, strict=True):
            value = Signal(Shape(matrix.a.width, matrix.a.signed), name="operand")
            low, high, _ = span
            source = self._value(feed, time, width(low, high))
            source = source.as_signed() if low < 0 else source
            self.m.d.comb += value.eq(source << shift)
            inputs.append(value)
        self.m.d.comb += [sums.start.eq(self._pulse(time)), sums.i.eq(Cat(*inputs))]
        for output in range(matrix.layer.size):
            least, most, _ = matrix.span(output)
            value = sums.o.word_select(output, matrix.width)[: width(least, most)]
            self.taps[number, output] = [value.as_signed() if least < 0 else value]

    def _pulse(self, cycles):
        """Whether a sample started so many cycles ago."""
        while len(self.started) <= cycles:
            pulse = Signal(name=f"started{len(self.started)}")
            self.m.d.sync += pulse.eq(self.started[-1])
            self.started.append(pulse)
        return self.started[cycles]

    def _sample(self):
        """The sample's values; with several phases, its tokens one after another."""
        values, first = [], 0
        for bits, signed in self.core.inputs:
            value = self.core.i[first : first + bits]
            values.append(value.as_signed() if signed else value)
            first += bits
        if self.folded.input is None:
            if self.folded.interval > 1:
                values = [self._kept(value) for value in values]
            self.taps |= {(INPUT, index): [value] for index, value in enumerate(values)}
            return
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
            self.taps[INPUT, index] = [after]

    def _kept(self, value):
        """A value of the sample, until the next one."""
        kept = Signal.like(value, name="sample", reset_less=True)
        with self.m.If(self.core.start):
            self.m.d.sync += kept.eq(value)
        return kept

    def _value(self, feed, time, bits, digit=0):
        """What ``feed`` names, in ``bits`` bits, from cycle ``time`` on; or by digits, one of
        ``digit`` bits per cycle."""
        if feed is None:
            return self._phase(time)
        ready = self.stages.ready(feed.section)
        if feed.digits is not None:
            return self._digits(feed, time, digit)[:bits]
        if feed.phase is None:
            if self._stays(feed):
                return self._copied(feed, ready, time)[:bits]
            return self._tap(feed, time - ready)[:bits]
        if (feed, time) not in self.held:
            tap = self._tap(feed, time - 1 - ready - feed.phase)
            self.held[feed, time] = self._copy(tap >> feed.drop, bits, time)
        return self.held[feed, time]

    def _copy(self, source, bits, time):
        """A register that has ``source`` from cycle ``time`` on, until the next sample's."""
        value = Signal(bits, name="held", reset_less=True)
        with self.m.If(self._pulse(time - 1)):
            self.m.d.sync += value.eq(source)
        return value

    def _stays(self, feed):
        """Whether a value is a whole one, constant for as long as a sample takes."""
        if self.core.interval == 1:
            return False
        if feed.section == INPUT:
            return self.folded.input is None
        return not self.folded.sections[feed.section].serial

    def _copied(self, feed, ready, time):
        """Such a value from cycle ``time`` on: copied once per sample."""
        (value, *_) = self.taps[feed.section, feed.output]
        while ready < time:
            ready = min(ready + self.core.interval, time)
            if (feed, ready) not in self.held:
                self.held[feed, ready] = self._copy(value, len(value), ready)
            value = self.held[feed, ready]
        return value

    def _digits(self, feed, time, digit):
        """A register that takes the value, less its least number, and shifts its digits out."""
        (bits, signed), phase = feed.digits, feed.phase or 0
        tap = self._tap(feed, time - 1 - self.stages.ready(feed.section) - phase) >> feed.drop
        value = Signal(bits, name="digits", reset_less=True)
        with self.m.If(self._pulse(time - 1)):
            self.m.d.sync += value.eq(tap ^ (signed << (bits - 1)))
        with self.m.Else():
            self.m.d.sync += value.eq(value >> digit)
        return value

    def _added_up(self, value, section, time):
        """The sum of ``section.digits`` values from cycle ``time`` on, each worth more than the one
        before; it stays until that of the next sample."""
        bits, count = section.bits, section.digits
        reach = Shape(len(value) + 1, value.shape().signed)
        high, total = Signal(reach, name="high", reset_less=True), Signal(reach, name="total")
        low = Signal(bits * (count - 1), name="low", reset_less=True)
        kept = Signal(Shape(len(total) + len(low), reach.signed), name="sum", reset_less=True)
        first, last = self._pulse(time), self._pulse(time + count - 1)
        self.m.d.comb += total.eq(value + Mux(first, 0, high))
        self.m.d.sync += [high.eq(total >> bits), low.eq(Cat(low, total[:bits])[bits:])]
        with self.m.If(last):
            self.m.d.sync += kept.eq(Cat(low, total))
        return kept

    def _tap(self, feed, cycles):
        copies = self.taps[feed.section, feed.output]
        while len(copies) <= cycles:
            name = f"late{feed.section}_{feed.output}_{len(copies)}"
            copy = Signal.like(copies[-1], name=name, reset_less=True)
            self.m.d.sync += copy.eq(copies[-1])
            copies.append(copy)
        return copies[cycles]

    def _phase(self, time):
        """0 in cycle ``time``, and one more in each that follows."""
        phase = Signal(range(self.folded.phases), name=f"phase{time}", reset_less=True)
        self.m.d.sync += phase.eq(phase + 1)
        with self.m.If(self._pulse(time - 1)):
            self.m.d.sync += phase.eq(0)
        return phase


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
