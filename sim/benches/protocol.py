"""Passive checks of valid/ready channels: AXI4-Stream and the five of AXI4-Lite.

:class:`Channel` is plain Python, fed once per clock edge; it knows nothing of cocotb.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

UNKNOWN = frozenset("XZUW-xzuw")


@dataclass(frozen=True)
class Violation:
    """``what`` happened on ``channel`` at clock edge ``cycle``."""

    channel: str
    what: str
    cycle: int

    def __str__(self):
        return f"{self.channel}: {self.what} at cycle {self.cycle}"


@dataclass
class Channel:
    """One channel. ``sample`` reads a signal by its name as a string of bits.

    Rules: valid and ready are 0 or 1; valid, once high, stays until ready; every payload signal
    then keeps its value; no payload bit is unknown while valid; valid is low in reset, from its
    second cycle on (the first is when everybody learns of it).
    """

    name: str
    valid: str
    ready: str
    payload: Sequence[str]
    sample: Callable[[str], str]
    report: Callable[[Violation], None]
    beats: int = 0
    stalls: int = 0
    idles: int = 0
    first: int | None = None
    last: int | None = None
    vanishing: bool = False
    """What waits may vanish at any cycle: a soft reset is under way."""
    _held: dict[str, str] | None = field(default=None, repr=False)
    _resetting: bool = False

    def forget(self) -> None:
        """What waits now may vanish: the bench withdraws its offer."""
        self._held = None

    def restart(self) -> None:
        """A new job: count its beats from here. Stalls and idles go on."""
        self.beats = 0
        self.first = self.last = None

    def step(self, cycle: int, reset: bool) -> bool:
        """One clock edge; returns whether a beat crossed."""
        if reset:
            if self._resetting and self.sample(self.valid) != "0":
                self._violated("valid in reset", cycle)
            self._resetting, self._held = True, None
            return False
        self._resetting = False
        valid, ready = self.sample(self.valid), self.sample(self.ready)
        for name, value in ((self.valid, valid), (self.ready, ready)):
            if value in UNKNOWN:
                self._violated(f"{name} unknown", cycle)
        if self.vanishing:
            self._held = None
        if self._held is not None and valid == "0":
            self._violated(f"{self.valid} dropped", cycle)
        if valid != "1":
            self._held = None
            self.idles += ready == "1"
            return False
        now = {name: self.sample(name) for name in self.payload}
        for name, value in now.items():
            if not UNKNOWN.isdisjoint(value):
                self._violated(f"{name} unknown", cycle)
            elif self._held is not None and value != self._held[name]:
                self._violated(f"{name} changed", cycle)
        if ready != "1":
            self._held = None if self.vanishing else now
            self.stalls += 1
            return False
        self._held = None
        self.beats += 1
        self.last = cycle
        if self.first is None:
            self.first = cycle
        return True

    def _violated(self, what: str, cycle: int) -> None:
        self.report(Violation(self.name, what, cycle))


STREAM = ("tdata", "tlast")

REGISTER_CHANNELS = {
    "aw": ("awaddr", "awprot"),
    "w": ("wdata", "wstrb"),
    "b": ("bresp",),
    "ar": ("araddr", "arprot"),
    "r": ("rdata", "rresp"),
}
"""Payload signals of the channels of AXI4-Lite."""
