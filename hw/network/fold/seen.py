"""What sections of a folded network take through windows, or of tokens of other paces."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value

from ...stream import RowQueue
from .lines import LineBuffer, Steps
from .plan import Feed, Section
from .pulses import Pulses
from .taps import Taps
from .times import Schedule


class Seen:
    """Makes in ``m`` what is between two paces."""

    def __init__(self, m: Module, stages: Schedule, pulses: Pulses, taps: Taps):
        self.m, self.stages, self.pulses, self.taps = m, stages, pulses, taps

    def by(self, number: int, section: Section) -> dict[Feed, Value]:
        """Of a section's feeds those that are so, with their values at its time."""
        time = self.stages.times[number]
        return self._windows(number, section, time) | self._joined(number, section, time)

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
        self.m.d.comb += steps.valid.eq(self.pulses.token(pace.parent, before))
        valid = steps.token
        if section.masked:
            valid = Signal(name=f"valid{time}")
            self.m.d.sync += valid.eq(steps.token)
        self.pulses.begin(pace, time, valid)
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
            groups.setdefault(self.taps.pace(feed.section), []).append(feed)
        ready = {
            pace: max(self.stages.ready(feed.section) for feed in group)
            for pace, group in groups.items()
        }
        most = max(ready[pace] - pace.unbroken for pace in groups)
        come = Signal(name=f"joined{time}")
        for pace, group in groups.items():
            taps = [self.taps.late(feed, ready[pace] - self.stages.ready(feed.section))
                    for feed in group]  # fmt: skip
            waits = most - (ready[pace] - pace.unbroken) + max(
                later - earlier for later, earlier
                in zip(section.pace.times, pace.times, strict=True))  # fmt: skip
            width = max(sum(map(len, taps)), 1)  # none, if all are constant
            queue = RowQueue(width=width, depth=2 << (waits + 1).bit_length())
            self.m.submodules[f"queue{number}_{len(there)}"] = queue
            self.m.d.comb += [
                queue.i_data.eq(Cat(*taps)),
                queue.i_valid.eq(self.pulses.token(pace, ready[pace])),
                queue.o_ready.eq(come),
            ]
            there.append(queue.o_valid)
            seen |= _apart(queue.o_data, dict(zip(group, taps, strict=True)))
        self.m.d.comb += come.eq(Cat(*there).all())
        self.pulses.begin(section.pace, time, come)
        return seen

    def _lines(self, number, source, feeds, time, step):
        """A line buffer for the outputs of one section: of each feed its value."""
        delays: dict[int, set[int]] = {}
        for feed in feeds:
            if feed.section == source:
                delays.setdefault(feed.output, set()).add(feed.window.delay)
        ready = self.stages.ready(source)
        taps = {output: self.taps.late(Feed(source, output), time - ready) for output in delays}
        lines = LineBuffer(
            widths=tuple(len(tap) for tap in taps.values()),
            delays=tuple(tuple(sorted(each)) for each in delays.values()),
        )
        self.m.submodules[f"lines{number}_{source + 1}"] = lines
        self.m.d.comb += [lines.i.eq(Cat(*taps.values())), lines.step.eq(step)]
        places = {(output, delay): tap for output, tap in taps.items()
                  for delay in sorted(delays[output])}  # fmt: skip
        at = _apart(lines.o, places)
        return {
            feed: at[feed.output, feed.window.delay] for feed in feeds if feed.section == source
        }

    def _masked(self, value, window, inside):
        """In a register, which what is outside resets."""
        chosen = Mux(inside, value, window.outside)
        register = Signal.like(chosen, name="window", reset_less=True)
        self.m.d.sync += register.eq(chosen)
        return register


def _apart(packed, like: dict) -> dict:
    """Numbers that are packed in the order of ``like``, of the shapes that are there."""
    found, first = {}, 0
    for key, value in like.items():
        part = packed[first : first + len(value)]
        found[key] = part.as_signed() if value.shape().signed else part
        first += len(value)
    return found
