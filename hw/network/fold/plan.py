"""What a folded network consists of: sections, and where their inputs come from."""

from dataclasses import dataclass

from ..graph import Graph
from .matrix import Matrix
from .paces import Pace, Window
from .tokens import Owners

INPUT = -1
"""The number of the section that the sample comes from."""


@dataclass(frozen=True)
class Feed:
    """Where a section's input comes from: output number ``output`` of the section ``section``,
    without its ``drop`` lowest bits; ``phase``: what that was in this phase of the sample, held;
    ``digits``: of that, as many bits, with a sign or not, less its least number and by digits;
    ``window``: what that was some tokens ago; ``joined``: that waits for tokens of another pace;
    ``total``: of all tokens of a sample the sum (``add``) or the largest (``maximum``)."""

    section: int
    output: int
    drop: int = 0
    phase: int | None = None
    digits: tuple[int, bool] | None = None
    window: Window | None = None
    joined: bool = False
    total: str | None = None


@dataclass(frozen=True)
class Section:
    """``feeds``: of the graph's inputs, in their order; ``None`` is the phase. ``pace``: of its
    tokens, ``None`` if it is whole. ``layers``: by name.
    ``depth``: stages that its layers want by themselves. ``digits``: how many phases its outputs
    are added up over, each worth 2**bits of the one before; 0 for others. ``matrix``: what makes
    the outputs instead of the graph, on an array."""

    graph: Graph
    feeds: tuple[Feed | None, ...]
    pace: Pace | None
    layers: tuple[str, ...]
    depth: int
    digits: int = 0
    bits: int = 0
    matrix: Matrix | None = None

    @property
    def serial(self) -> bool:
        return self.pace is not None

    @property
    def masked(self) -> bool:
        """Whether some of its windows reach beyond the image: all are in registers then."""
        return any(feed and feed.window and not feed.window.always for feed in self.feeds)


@dataclass(frozen=True)
class Folded:
    """Sections in an order in which each needs only those before it. ``interval``: cycles per
    sample; ``phases``: in how many of them tokens come, the first ones. ``input``: for every phase,
    the places of the values that the sample's tokens have; ``None``: the sample is taken whole.
    ``outputs``: the results, each with its ``exponent`` and the least and largest value.
    ``root``: the pace of the sample's tokens, ``None`` if it is whole. ``streamed``: they come one
    by one, with pauses between them if need be; ``pace``: of results that leave token by token,
    ``None``: they are whole."""

    interval: int
    phases: int
    sections: tuple[Section, ...]
    input: tuple[tuple[int, ...], ...] | None
    outputs: tuple[Feed, ...]
    exponents: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    root: Pace | None = None
    streamed: bool = False
    pace: Pace | None = None

    @property
    def unbroken(self) -> int:
        """:attr:`.Pace.unbroken` of all."""
        return max((each.pace.unbroken for each in self.sections if each.pace), default=0)


@dataclass(frozen=True)
class Tensor:
    """A tensor behind its section: for every value (of a phase, if it is serial) the number of the
    section's output, its exponent, and (least, most, exponent) in every phase."""

    section: int
    owners: Owners
    pace: Pace | None
    outputs: tuple[int, ...]
    exponents: tuple[int, ...]
    ranges: tuple[tuple[tuple[int, int, int], ...], ...]
