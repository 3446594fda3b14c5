"""When each section of a folded network begins, in cycles after a sample's start.

Times are those of a sample whose tokens come in consecutive cycles. Of a streamed one, which may
come with pauses, they say how long after its last token, in cycle ``phases - 1``, is what follows
it; what belongs to a token is as long behind that.
"""

from dataclasses import dataclass

from ...errors import ConfigError
from ..pipeline import MAX_STAGES, Stages, place
from ..timing import Family
from .plan import INPUT, Folded

NONE = Stages({}, 0, 0.0, 0)
"""Of what is no pipeline."""


@dataclass(frozen=True)
class Schedule:
    """Of every section its register stages and its time: the cycle in which the first token is at
    its inputs, if the sample starts in cycle 0 (at a pace of its own: that of its end, less
    ``phases - 1``); ``behind``: how much later they are at its outputs. ``input``: the same of the
    sample's tokens; ``count``: of the result, or of its last token, which is the latency."""

    placed: tuple[Stages, ...]
    times: tuple[int, ...]
    behind: tuple[int, ...]
    input: int
    count: int

    def ready(self, section: int) -> int:
        """When the first token is at a section's outputs, or its sums are whole."""
        return self.input if section == INPUT else self.times[section] + self.behind[section]

    @property
    def period(self) -> float:
        """ns, of the slowest section."""
        return max((each.period for each in self.placed), default=0.0)


def schedule(
    folded: Folded, of: Family, *, stages: int | None = None, period: float | None = None
) -> Schedule:
    """Every section by itself in as few stages as reach ``period`` (ns); or ``stages`` in all, of
    which each gets as many as its layers want in proportion, at least one.

    Raises :class:`ConfigError` as :func:`..pipeline.place`, and for fewer stages than sections.
    """
    sections = folded.sections
    pipelines = [each for each in sections if not each.matrix]
    most = MAX_STAGES * len(pipelines)
    if stages is not None and not len(pipelines) <= stages <= most:
        raise ConfigError(f"stages: must be {len(pipelines)} to {most}, not {stages}")
    shares = iter(_shares([each.depth for each in pipelines], stages))
    free = period is not None and stages is None
    placed = [
        NONE if section.matrix else
        place(section.graph, of, stages=None if free else next(shares), period=period)
        for section in sections
    ]  # fmt: skip
    # A register keeps the sample, or makes tokens of it, if it does not come token by token.
    first = int(folded.interval > 1 and not (folded.streamed and folded.root))
    behind = [
        section.matrix.latency if section.matrix else at.count + section.digits
        for at, section in zip(placed, sections, strict=True)
    ]
    times: list[int] = []

    def ready(feed, masked=False):
        if feed is None:
            return first
        at = first if feed.section == INPUT else times[feed.section] + behind[feed.section]
        if feed.phase is not None or feed.total:
            return at + folded.phases
        if feed.window is not None:
            return at + feed.window.pace.flush + masked
        return at + (feed.digits is not None)  # in a register that gives digits

    # What only takes constants is not before its pace, or before a stream's sample has come.
    begun = {None: folded.phases if folded.streamed else first}
    for section in sections:
        since = begun.get(section.pace, first)
        times.append(max([since, *(ready(feed, section.masked) for feed in section.feeds)]))
        begun.setdefault(section.pace, times[-1])
    last = folded.phases - 1 if folded.pace else 0
    latency = max(1, *(ready(feed) + last for feed in folded.outputs))  # also without any layer
    return Schedule(tuple(placed), tuple(times), tuple(behind), first, latency)


def _shares(depths, stages):
    """``stages`` in proportion to ``depths``, at least one each."""
    if stages is None:
        return depths
    shares = [1] * len(depths)
    for _ in range(stages - len(depths)):
        free = [i for i in range(len(depths)) if shares[i] < MAX_STAGES]
        most = max(free, key=lambda i: depths[i] / shares[i])
        shares[most] += 1
    return shares
