"""What sections of a folded network give, some cycles later, and what of it stays."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value

from .paces import Pace
from .plan import INPUT, Feed, Folded
from .pulses import Pulses
from .times import Schedule


class Taps:
    """Values in ``m``: of the outputs of sections, by (section, output), as they come and in delay
    lines."""

    def __init__(self, m: Module, folded: Folded):
        self.m, self.folded = m, folded
        self.copies: dict[tuple[int, int], list[Value]] = {}

    def pace(self, section: int) -> Pace | None:
        return self.folded.root if section == INPUT else self.folded.sections[section].pace

    def late(self, feed: Feed, cycles: int) -> Value:
        name = f"late{feed.section}_{feed.output}"
        return delayed(self.m, self.copies[feed.section, feed.output], cycles, name)


def delayed(m: Module, copies: list[Value], cycles: int, name: str) -> Value:
    """``copies[0]`` so many cycles ago; those made are kept in ``copies``."""
    while len(copies) <= cycles:
        copy = Signal.like(copies[-1], name=f"{name}_{len(copies)}", reset_less=True)
        m.d.sync += copy.eq(copies[-1])
        copies.append(copy)
    return copies[cycles]


class Held:
    """What is whole: tokens held until those of the next sample, their sums, and their digits."""

    def __init__(self, m: Module, folded: Folded, stages: Schedule, pulses: Pulses, taps: Taps):
        self.m, self.folded, self.stages = m, folded, stages
        self.pulses, self.taps = pulses, taps
        self.held: dict[tuple[Feed, int], Signal] = {}
        self.totals: dict[Feed, Value] = {}
        self.tokens: dict[tuple[int, int], list] = {}

    def value(self, feed, time, bits, digit=0):
        """What ``feed`` names, in ``bits`` bits, from cycle ``time`` on; or by digits, one of
        ``digit`` bits per cycle."""
        ready = self.stages.ready(feed.section)
        if feed.digits is not None:
            return self._digits(feed, time, digit)[:bits]
        if feed.total:
            return self._total(feed, time)[:bits]
        if feed.phase is None:
            if self.folded.interval > 1 and self.taps.pace(feed.section) is None:
                return self._copied(feed, self.taps.late(feed, 0), ready, time)[:bits]
            return self.taps.late(feed, time - ready)[:bits]
        if self.pulses.paused(self.taps.pace(feed.section)):
            end = ready + self.folded.phases - 1
            return self._kept(feed, self._token(feed, end) >> feed.drop, end, time)[:bits]
        if (feed, time) not in self.held:
            token = self._token(feed, time - 1) >> feed.drop
            self.held[feed, time] = self._copy(token, bits, time)
        return self.held[feed, time]

    def _copy(self, source, bits, time):
        """A register that has ``source`` from cycle ``time`` on, until the next sample's."""
        value = Signal(bits, name="held", reset_less=True)
        with self.m.If(self.pulses.sample(time - 1)):
            self.m.d.sync += value.eq(source)
        return value

    def _kept(self, feed, source, end, time):
        """What ``source`` is in cycle ``end``, from ``time`` on."""
        if (feed, end + 1) not in self.held:
            self.held[feed, end + 1] = self._copy(source, len(source), end + 1)
        return self._copied(feed, self.held[feed, end + 1], end + 1, time)

    def _copied(self, feed, value, ready, time):
        """A value that stays from cycle ``ready`` on for as long as a sample takes, from cycle
        ``time`` on: copied once per sample."""
        while ready < time:
            ready = min(ready + self.folded.interval, time)
            if (feed, ready) not in self.held:
                self.held[feed, ready] = self._copy(value, len(value), ready)
            value = self.held[feed, ready]
        return value

    def _token(self, feed, time):
        """A value in phase ``feed.phase``, in a cycle when all tokens have come. With pauses, that
        is the cycle in which the last comes, as far as no pause has kept it from that."""
        ready, pace = self.stages.ready(feed.section), self.taps.pace(feed.section)
        if feed.phase is None or not self.pulses.paused(pace):
            return self.taps.late(feed, time - ready - (feed.phase or 0))
        assert time == ready + self.folded.phases - 1
        ago = pace.tokens - 1 - feed.phase
        key = feed.section, feed.output
        copies = self.tokens.setdefault(key, [self.taps.late(feed, 0)])
        while len(copies) <= ago + 1:
            copy = Signal.like(copies[-1], name=f"token{key[0]}_{key[1]}", reset_less=True)
            with self.m.If(self.pulses.token(pace, ready)):
                self.m.d.sync += copy.eq(copies[-1])
            copies.append(copy)
        return copies[ago if pace.punctual else ago + 1]

    def _total(self, feed, time):
        """The sum or the largest of all tokens of a sample, kept until the next one's."""
        ready, pace = self.stages.ready(feed.section), self.taps.pace(feed.section)
        end = ready + self.folded.phases - 1
        if feed not in self.totals:
            value, valid = self.taps.late(feed, 0), self.pulses.token(pace, ready)
            bits = len(value) + (pace.tokens - 1).bit_length() * (feed.total == "add")
            shape = Shape(bits, value.shape().signed)
            before, total = (Signal(shape, name=name) for name in ("before", "total"))
            more = before + value if feed.total == "add" else Mux(before > value, before, value)
            self.m.d.comb += total.eq(Mux(self.pulses.first(pace, ready), value, more))
            with self.m.If(valid):
                self.m.d.sync += before.eq(total)
            self.totals[feed] = total if pace.punctual else before
        return self._kept(feed, self.totals[feed], end, time)

    def _digits(self, feed, time, digit):
        """A register that takes the value, less its least number, and shifts its digits out."""
        bits, signed = feed.digits
        tap = self._token(feed, time - 1) >> feed.drop
        value = Signal(bits, name="digits", reset_less=True)
        with self.m.If(self.pulses.sample(time - 1)):
            self.m.d.sync += value.eq(tap ^ (signed << (bits - 1)))
        with self.m.Else():
            self.m.d.sync += value.eq(value >> digit)
        return value
