"""When the tokens of a serial tensor come, and what of the past a window sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Pace:
    """A number of ``tokens`` per sample, in their order.

    Without a ``parent`` they come as the sample does. Else they are made of windows of another
    pace's tokens. That one's *steps* are its tokens, and behind the last one some more, so that a
    window may reach beyond it; token ``t`` is there in step ``steps[t]``, counted from the first.
    Or they are ``joined`` of as many of several paces, and come with the last of these; ``by``: the
    layer that does so, as elsewhere it may be another one that is last.
    ``row``: tokens in a row of the image, all of them in one dimension.
    """

    tokens: int
    row: int
    parent: "Pace | None" = None
    steps: tuple[int, ...] = ()
    joined: tuple["Pace", ...] = ()
    by: str | None = None

    @property
    def sources(self) -> tuple["Pace", ...]:
        """The paces that it comes from; none, if it is the sample's."""
        return self.joined or ((self.parent,) if self.parent else ())

    @property
    def root(self) -> "Pace":
        return self.sources[0].root if self.sources else self

    @property
    def flush(self) -> int:
        """Steps behind the parent's last token."""
        return max(0, self.steps[-1] - self.parent.tokens + 1) if self.parent else 0

    @property
    def span(self) -> int:
        """Steps from the first token to the last, both counted."""
        return self.steps[-1] - self.steps[0] + 1

    @property
    def punctual(self) -> bool:
        """Whether the last token comes with the end: as many cycles behind the sample's last token
        as the pipelines and flushes before take. Else it may be earlier, by pauses of the sample's.
        """
        if self.parent is None:
            return all(each.punctual for each in self.joined)
        return self.steps[-1] >= self.parent.tokens - 1 and self.parent.punctual

    @property
    def unbroken(self) -> int:
        """Cycles behind a sample's last token in which the next one's must come without a pause, or
        not at all: steps of theirs are the last ones' too."""
        return self.flush + max((each.unbroken for each in self.sources), default=0)

    @cached_property
    def times(self) -> tuple[int, ...]:
        """Cycles from the sample's first token to each of this pace, if all come at once and
        pipelines take no time."""
        if self.joined:
            return tuple(map(max, zip(*(each.times for each in self.joined), strict=True)))
        if self.parent is None:
            return tuple(range(self.tokens))
        before, last = self.parent.times, self.parent.tokens - 1
        return tuple(
            before[each] if each <= last else before[last] + each - last for each in self.steps
        )

    @cached_property
    def pause(self) -> int:
        """Cycles that the next sample must come later than at once: where the first tokens of the
        parent come with gaps, while the last ones' steps are still going on."""
        before = max((each.pause for each in self.sources), default=0)
        if self.parent is None:
            return before
        times = self.parent.times
        run = next((n for n, time in enumerate(times) if time != times[0] + n), len(times))
        away = self.root.tokens + times[0] - times[-1]
        return max(before, self.flush + 1 - run - away)


def apart(paces: Sequence[Pace], tokens: int) -> int:
    """Least cycles from one sample of so many ``tokens`` to the next, at all these paces. Where a
    sample is shorter than what is to come without pauses behind another, that is over first."""
    unbroken = max((each.unbroken for each in paces), default=0)
    pause = max((each.pause for each in paces), default=0)
    return tokens + (pause if unbroken < tokens else unbroken)


@dataclass(frozen=True)
class Window:
    """What a value was ``delay`` steps before a token of ``pace``. ``inside``: bit ``t`` says
    whether for token ``t`` that is in the image; where not, the value is ``outside``."""

    pace: Pace
    delay: int
    inside: int
    outside: int = 0

    @property
    def always(self) -> bool:
        return self.inside == (1 << self.pace.tokens) - 1

    def place(self, token: int) -> int | None:
        """The parent's token, or ``None`` outside."""
        return self.pace.steps[token] - self.delay if self.inside >> token & 1 else None


@dataclass(frozen=True)
class Grid:
    """The steps of a pace from its first token to its last in rows of ``width``, so that what
    depends on a step is a product of what depends on its row and on its column."""

    width: int
    rows: int

    @classmethod
    def of(cls, pace: Pace, insides: list[int]) -> "Grid":
        """Rows of the parent's, if all is a product so; else one row."""
        for width in (pace.parent.row, pace.span):
            grid = cls(width, -(-pace.span // width))
            made = [grid.emitted(pace), *(grid.mask(pace, each) for each in insides)]
            if all(each is not None for each in made):
                break
        return grid

    def emitted(self, pace: Pace) -> tuple[np.ndarray, np.ndarray] | None:
        """Of every row and of every column: whether in such a step there is a token; ``None`` if
        that is no product."""
        wanted = np.zeros(self.rows * self.width, bool)
        wanted[np.array(pace.steps) - pace.steps[0]] = True
        cared = np.arange(wanted.size) < pace.span
        return self._factors(wanted, cared)

    def mask(self, pace: Pace, inside: int) -> tuple[np.ndarray, np.ndarray] | None:
        """The same of :attr:`Window.inside`; between tokens it does not matter."""
        wanted, cared = (np.zeros(self.rows * self.width, bool) for _ in range(2))
        places = np.array(pace.steps) - pace.steps[0]
        cared[places] = True
        wanted[places] = bits(inside, pace.tokens)
        return self._factors(wanted, cared)

    def _factors(self, wanted, cared):
        wanted, cared = (each.reshape(self.rows, self.width) for each in (wanted, cared))
        rows, columns = wanted.any(axis=1), wanted.any(axis=0)
        agree = np.outer(rows, columns) == wanted
        return (rows, columns) if agree[cared].all() else None


def bits(number: int, count: int) -> np.ndarray:
    """The lowest ``count`` bits, the lowest first."""
    text = np.frombuffer(number.to_bytes(-(-count // 8), "little"), np.uint8)
    return np.unpackbits(text, bitorder="little")[:count].astype(bool)


def number(values: np.ndarray) -> int:
    """The number whose bits these are, the lowest first."""
    return int.from_bytes(np.packbits(values.astype(bool), bitorder="little").tobytes(), "little")
