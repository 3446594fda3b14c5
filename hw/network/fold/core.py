"""A network in sections as hardware: pipelines, and what is between them."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ...stream import RowQueue
from ..adders import width
from ..rtl import Pipeline, lanes
from .lines import LineBuffer, Steps
from .paces import Pace
from .plan import INPUT, Feed, Folded
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
    """``taps``: of every output of a section, its value after so many cycles. ``started``,
    ``valid``: the pulse of a sample, and of each pace's tokens, by time."""

    def __init__(self, m, core):
        self.m, self.core = m, core
        self.folded, self.stages = core.folded, core.stages
        self.taps: dict[tuple[int, int], list] = {}
        self.held: dict[tuple[Feed, int], Signal] = {}
        self.copies: dict[Feed, list] = {}
        self.tokens: dict[tuple[int, int], list] = {}
        self.firsts: dict[tuple[Pace, int], Value] = {}
        self.started: dict[int, Signal] = {}
        self.valid: dict[Pace, dict[int, Signal]] = {}

    def run(self):
        self._sample()
        widest = _widest(self.folded, self.core.dsps)
        for number, section in enumerate(self.folded.sections):
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
                self.taps[number, output] = [value]
        self._results()

    def _results(self):
        pace, time = self.folded.pace, self.core.latency
        if pace is not None:
            time -= self.folded.reuse - 1
        results = [
            self._value(feed, time, bits)
            for feed, (bits, _) in zip(self.folded.outputs, self.core.outputs, strict=True)
        ]
        valid = self._pulse(time) if pace is None else self._valid(pace, time)
        self.m.d.comb += [self.core.o.eq(Cat(*results)), self.core.valid.eq(valid)]

    def _inputs(self, number, section):
        """What a section's graph takes."""
        graph, time = section.graph, self.stages.times[number]
        seen = self._windows(number, section, time) | self._joined(number, section, time)
        return [
            seen[feed][: graph[index].width] if feed in seen
            else self._phase(section.pace, time) if feed is None
            else self._value(feed, time, graph[index].width, section.bits)
            for feed, index in zip(section.feeds, graph.inputs, strict=True)
        ]  # fmt: skip

    # Pulses.

    def _pulse(self, cycles):
        """Whether a sample started so many cycles ago; a streamed one, had it no pauses."""
        return self._later(self.started, cycles, "started")

    def _valid(self, pace, time):
        """Whether there is a token."""
        if pace not in self.valid:  # nothing but a sample that came whole
            self.valid[pace] = {self.stages.input: self._busy(pace)}
        return self._later(self.valid[pace], time, "valid")

    def _later(self, known, time, name):
        """A pulse at that time; ``known``: at others, some of them earlier."""
        at = max(each for each in known if each <= time)
        while at < time:
            at += 1
            pulse = Signal(name=f"{name}{at}")
            self.m.d.sync += pulse.eq(known[at - 1])
            known[at] = pulse
        return known[time]

    def _sample(self):
        """The sample's values; with several phases, its tokens one after another."""
        values, first = [], 0
        for bits, signed in self.core.inputs:
            value = self.core.i[first : first + bits]
            values.append(value.as_signed() if signed else value)
            first += bits
        if self.folded.input is None or self.folded.streamed:
            self.taps |= {(INPUT, index): [value] for index, value in enumerate(values)}
        else:
            self._one_by_one(values)
        self.started[0] = self.core.start
        root = self.folded.root
        if root is None:
            return
        if self.folded.streamed:
            self.started = {root.tokens - 1: self._last(root)}
            self.valid[root] = {0: self.core.start}

    def _last(self, root):
        """Whether this is a sample's last token."""
        come, last = Signal(range(root.tokens)), Signal()
        self.m.d.comb += last.eq(self.core.start & (come == root.tokens - 1))
        with self.m.If(self.core.start):
            self.m.d.sync += come.eq(Mux(last, 0, come + 1))
        return last

    def _busy(self, root):
        """Whether there is a token in the registers of a sample that came as a whole."""
        left = Signal(range(root.tokens + 1))
        with self.m.If(self.core.start):
            self.m.d.sync += left.eq(root.tokens)
        with self.m.Elif(left != 0):
            self.m.d.sync += left.eq(left - 1)
        return left != 0

    def _one_by_one(self, values):
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

    # What sections take.

    def _value(self, feed, time, bits, digit=0):
        """What ``feed`` names, in ``bits`` bits, from cycle ``time`` on; or by digits, one of
        ``digit`` bits per cycle."""
        ready = self.stages.ready(feed.section)
        if feed.digits is not None:
            return self._digits(feed, time, digit)[:bits]
        if feed.total:
            return self._total(feed, time)[:bits]
        if feed.phase is None:
            return self._tap(feed, time - ready)[:bits]
        if self._paused(self._pace(feed.section)):
            return self._copy(feed, time)[:bits]
        if (feed, time) not in self.held:
            value = Signal(bits, name="held", reset_less=True)
            with self.m.If(self._pulse(time - 1)):
                self.m.d.sync += value.eq(self._token(feed, time - 1) >> feed.drop)
            self.held[feed, time] = value
        return self.held[feed, time]

    def _pace(self, section) -> Pace:
        return self.folded.root if section == INPUT else self.folded.sections[section].pace

    def _paused(self, pace):
        """Whether there may be pauses between tokens."""
        return self.folded.streamed or pace != self.folded.root

    def _token(self, feed, time):
        """A value in phase ``feed.phase``, in a cycle when all tokens have come. With pauses, that
        is the cycle in which the last comes, as far as no pause has kept it from that."""
        ready, pace = self.stages.ready(feed.section), self._pace(feed.section)
        if feed.phase is None or not self._paused(pace):
            return self._tap(feed, time - ready - (feed.phase or 0))
        assert time == ready + self.folded.reuse - 1
        ago = pace.tokens - 1 - feed.phase
        key = feed.section, feed.output
        copies = self.tokens.setdefault(key, [self._tap(feed, 0)])
        while len(copies) <= ago + 1:
            copy = Signal.like(copies[-1], name=f"token{key[0]}_{key[1]}", reset_less=True)
            with self.m.If(self._valid(pace, ready)):
                self.m.d.sync += copy.eq(copies[-1])
            copies.append(copy)
        return copies[ago if pace.punctual else ago + 1]

    def _copy(self, feed, time):
        """The value in a phase, kept until the next sample's."""
        end = self.stages.ready(feed.section) + self.folded.reuse - 1
        if feed not in self.copies:
            self._keep(feed, self._token(feed, end) >> feed.drop, end)
        return self._delayed(self.copies[feed], time - end - 1, "held")

    def _keep(self, feed, value, end):
        """In a register, from cycle ``end`` on."""
        kept = Signal.like(value, name="held", reset_less=True)
        with self.m.If(self._pulse(end)):
            self.m.d.sync += kept.eq(value)
        self.copies[feed] = [kept]

    def _total(self, feed, time):
        """The sum or the largest of all tokens of a sample, kept until the next one's."""
        ready, pace = self.stages.ready(feed.section), self._pace(feed.section)
        end = ready + self.folded.reuse - 1
        if feed not in self.copies:
            value, valid = self._tap(feed, 0), self._valid(pace, ready)
            bits = len(value) + (pace.tokens - 1).bit_length() * (feed.total == "add")
            shape = Shape(bits, value.shape().signed)
            before, total = (Signal(shape, name=name) for name in ("before", "total"))
            more = before + value if feed.total == "add" else Mux(before > value, before, value)
            self.m.d.comb += total.eq(Mux(self._first(pace, ready), value, more))
            with self.m.If(valid):
                self.m.d.sync += before.eq(total)
            self._keep(feed, total if pace.punctual else before, end)
        return self._delayed(self.copies[feed], time - end - 1, "held")

    def _first(self, pace, time):
        """Whether a token is a sample's first."""
        if (pace, time) not in self.firsts:
            come = Signal(range(pace.tokens), name="come")
            with self.m.If(self._valid(pace, time)):
                self.m.d.sync += come.eq(Mux(come == pace.tokens - 1, 0, come + 1))
            self.firsts[pace, time] = come == 0
        return self.firsts[pace, time]

    def _digits(self, feed, time, digit):
        """A register that takes the value, less its least number, and shifts its digits out."""
        bits, signed = feed.digits
        tap = self._token(feed, time - 1) >> feed.drop
        value = Signal(bits, name="digits", reset_less=True)
        with self.m.If(self._pulse(time - 1)):
            self.m.d.sync += value.eq(tap ^ (signed << (bits - 1)))
        with self.m.Else():
            self.m.d.sync += value.eq(value >> digit)
        return value

    def _windows(self, number, section, time):
        """What a section sees through windows, by feed."""
        feeds = [feed for feed in section.feeds if feed and feed.window]
        if not feeds:
            return {}
        pace = section.pace
        before = time - section.masked - pace.flush  # when the parent's last token is there
        insides = tuple(dict.fromkeys(
            feed.window.inside for feed in feeds if not feed.window.always))  # fmt: skip
        self.m.submodules[f"steps{number}"] = steps = Steps(pace=pace, insides=insides)
        self.m.d.comb += steps.valid.eq(self._valid(pace.parent, before))
        valid = steps.token
        if section.masked:
            valid = Signal(name=f"valid{time}")
            self.m.d.sync += valid.eq(steps.token)
        self.valid.setdefault(pace, {}).setdefault(time, valid)
        seen = {}
        for source in dict.fromkeys(feed.section for feed in feeds):
            seen |= self._lines(number, source, feeds, before, steps.step)
        if section.masked:
            for feed in feeds:
                mask = None if feed.window.always else insides.index(feed.window.inside)
                seen[feed] = self._masked(
                    seen[feed], feed.window, 1 if mask is None else steps.inside[mask]
                )
        return seen

    def _joined(self, number, section, time):
        """What a section takes of several paces: tokens that are early wait in a queue."""
        feeds = [feed for feed in section.feeds if feed and feed.joined]
        if not feeds:
            return {}
        seen, there, groups = {}, [], {}
        for feed in feeds:
            groups.setdefault(self._pace(feed.section), []).append(feed)
        ready = {
            pace: max(self.stages.ready(feed.section) for feed in group)
            for pace, group in groups.items()
        }
        most = max(ready[pace] - pace.unbroken for pace in groups)
        come = Signal(name=f"joined{time}")
        for pace, group in groups.items():
            taps = [self._tap(feed, ready[pace] - self.stages.ready(feed.section))
                    for feed in group]  # fmt: skip
            waits = most - (ready[pace] - pace.unbroken) + max(
                later - earlier for later, earlier
                in zip(section.pace.times, pace.times, strict=True))  # fmt: skip
            queue = RowQueue(width=sum(map(len, taps)), depth=2 << (waits + 1).bit_length())
            self.m.submodules[f"queue{number}_{len(there)}"] = queue
            self.m.d.comb += [
                queue.i_data.eq(Cat(*taps)),
                queue.i_valid.eq(self._valid(pace, ready[pace])),
                queue.o_ready.eq(come),
            ]
            there.append(queue.o_valid)
            seen |= _apart(queue.o_data, dict(zip(group, taps, strict=True)))
        self.m.d.comb += come.eq(Cat(*there).all())
        self.valid.setdefault(section.pace, {}).setdefault(time, come)
        return seen

    def _lines(self, number, source, feeds, time, step):
        """A line buffer for the outputs of one section: of each feed its value."""
        delays: dict[int, set[int]] = {}
        for feed in feeds:
            if feed.section == source:
                delays.setdefault(feed.output, set()).add(feed.window.delay)
        ready = self.stages.ready(source)
        taps = {output: self._tap(Feed(source, output), time - ready) for output in delays}
        lines = LineBuffer(
            widths=tuple(len(tap) for tap in taps.values()),
            delays=tuple(tuple(sorted(each)) for each in delays.values()),
        )
        self.m.submodules[f"lines{number}_{source + 1}"] = lines
        self.m.d.comb += [lines.i.eq(Cat(*taps.values())), lines.step.eq(step)]
        places = {(output, delay): tap for output, tap in taps.items()
                  for delay in sorted(delays[output])}  # fmt: skip
        at = _apart(lines.o, places)
        return {feed: at[feed.output, feed.window.delay] for feed in feeds if feed.section == source}

    def _masked(self, value, window, inside):
        """In a register, which what is outside resets."""
        chosen = Mux(inside, value, window.outside)
        register = Signal.like(chosen, name="window", reset_less=True)
        self.m.d.sync += register.eq(chosen)
        return register

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
        name = f"late{feed.section}_{feed.output}"
        return self._delayed(self.taps[feed.section, feed.output], cycles, name)

    def _delayed(self, copies, cycles, name):
        while len(copies) <= cycles:
            copy = Signal.like(copies[-1], name=f"{name}_{len(copies)}", reset_less=True)
            self.m.d.sync += copy.eq(copies[-1])
            copies.append(copy)
        return copies[cycles]

    def _phase(self, pace, time):
        """0 in cycle ``time``, and one more in each that follows, or with each token."""
        if self._paused(pace):
            phase = Signal(range(pace.tokens), name=f"phase{time}")
            with self.m.If(self._valid(pace, time)):
                self.m.d.sync += phase.eq(Mux(phase == pace.tokens - 1, 0, phase + 1))
            return phase
        phase = Signal(range(pace.tokens), name=f"phase{time}", reset_less=True)
        self.m.d.sync += phase.eq(phase + 1)
        with self.m.If(self._pulse(time - 1)):
            self.m.d.sync += phase.eq(0)
        return phase


def _apart(packed, like: dict) -> dict:
    """Numbers that are packed in the order of ``like``, of the shapes that are there."""
    found, first = {}, 0
    for key, value in like.items():
        part = packed[first : first + len(value)]
        found[key] = part.as_signed() if value.shape().signed else part
        first += len(value)
    return found


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
