"""Control of a folded network: bits that go along with a sample, and with each token."""

from amaranth.hdl import Module, Mux, Signal, Value

from .paces import Pace
from .plan import Folded
from .times import Schedule


class Pulses:
    """Pulses in ``m`` by time (:class:`.times.Schedule`), made as they are asked for.

    ``start``: a sample is there in this cycle; of a stream, a token.
    """

    def __init__(self, m: Module, folded: Folded, stages: Schedule, start: Signal):
        self.m, self.folded, self.stages, self.start = m, folded, stages, start
        self.started: dict[int, Value] = {0: start}
        self.valid: dict[Pace, dict[int, Value]] = {}
        self.firsts: dict[tuple[Pace, int], Value] = {}
        root = folded.root
        if folded.streamed and root is not None:
            self.started = {root.tokens - 1: self._last(root)}
            self.valid[root] = {0: start}

    def paused(self, pace: Pace) -> bool:
        """Whether there may be pauses between tokens."""
        return self.folded.streamed or pace != self.folded.root

    def sample(self, time: int) -> Value:
        """Whether a sample started so many cycles ago; a streamed one, had it no pauses."""
        return self._later(self.started, time, "started")

    def token(self, pace: Pace, time: int) -> Value:
        """Whether there is a token."""
        if pace not in self.valid:  # nothing but a sample that came whole
            self.valid[pace] = {self.stages.input: self._busy(pace)}
        return self._later(self.valid[pace], time, "valid")

    def begin(self, pace: Pace, time: int, valid: Value) -> None:
        """From ``time`` on tokens of ``pace`` are known by ``valid``, if not already."""
        self.valid.setdefault(pace, {}).setdefault(time, valid)

    def first(self, pace: Pace, time: int) -> Value:
        """Whether a token is a sample's first."""
        if (pace, time) not in self.firsts:
            self.firsts[pace, time] = self.phase(pace, time) == 0
        return self.firsts[pace, time]

    def phase(self, pace: Pace, time: int) -> Value:
        """A token's number: 0 in cycle ``time``, and one more in each that follows, or with each
        token."""
        if self.paused(pace):
            phase = Signal(range(pace.tokens), name=f"phase{time}")
            with self.m.If(self.token(pace, time)):
                self.m.d.sync += phase.eq(Mux(phase == pace.tokens - 1, 0, phase + 1))
            return phase
        phase = Signal(range(pace.tokens), name=f"phase{time}", reset_less=True)
        self.m.d.sync += phase.eq(phase + 1)
        with self.m.If(self.sample(time - 1)):
            self.m.d.sync += phase.eq(0)
        return phase

    def _later(self, known, time, name):
        """A pulse at that time; ``known``: at others, some of them earlier."""
        at = max(each for each in known if each <= time)
        while at < time:
            at += 1
            pulse = Signal(name=f"{name}{at}")
            self.m.d.sync += pulse.eq(known[at - 1])
            known[at] = pulse
        return known[time]

    def _last(self, root):
        """Whether this is a sample's last token."""
        come, last = Signal(range(root.tokens)), Signal()
        self.m.d.comb += last.eq(self.start & (come == root.tokens - 1))
        with self.m.If(self.start):
            self.m.d.sync += come.eq(Mux(last, 0, come + 1))
        return last

    def _busy(self, root):
        """Whether there is a token in the registers of a sample that came as a whole."""
        left = Signal(range(root.tokens + 1))
        with self.m.If(self.start):
            self.m.d.sync += left.eq(root.tokens)
        with self.m.Elif(left != 0):
            self.m.d.sync += left.eq(left - 1)
        return left != 0
