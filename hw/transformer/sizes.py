"""The numbers of an encoder: words, regions of its memories, and the list of its steps.

Pure Python. Decision 0015 has the memory map and what each step does.
"""

import enum
import math
from dataclasses import dataclass
from functools import cached_property

from ..formats import Format, signed_width

PARAMETER_BITS = 32
SUM_BITS = 16
"""Of a sum's two multipliers."""
GAIN, NORM_BIAS = Format(16), Format(24)
FRACTION = 7
"""Fraction bits of a normalised number."""
HEADER = 4
"""Parameters of attention, and of a sum with its norm, before those of channels."""
PER_CHANNEL = {"product": 3, "attention": 0, "norm": 2}
"""Parameters of each channel: bias, multiplier, shift; gain, bias."""


class Kind(enum.Enum):
    """What a step is done by."""

    PRODUCT = "product"
    ATTENTION = "attention"
    NORM = "norm"


@dataclass(frozen=True, kw_only=True)
class Step:
    """``source``, ``target``: (memory, place of the region) of a product; ``wide_in``,
    ``wide_out``: the hidden layer's size and not the width; ``table``: through the table of
    functions; ``lone``: a norm without anything added before it."""

    kind: Kind
    name: str
    source: tuple[int, int] = (0, 0)
    target: tuple[int, int] = (0, 0)
    wide_in: bool = False
    wide_out: bool = False
    table: bool = False
    lone: bool = False


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """``rows``, ``columns``, ``depth``: the array's block, m, n and k; ``keys``: per cycle of
    attention; the others as in the configuration's ``[model]``."""

    activation: Format
    weight: Format
    width: int
    heads: int
    hidden: int
    layers: int
    tokens: int
    pre: bool
    centred: bool
    epsilon: int
    rows: int
    columns: int
    depth: int
    keys: int

    @property
    def word_width(self) -> int:
        """Bits of a word: ``columns`` activations of a token."""
        return self.columns * self.activation.width

    @property
    def words(self) -> int:
        """Words of a token."""
        return self.width // self.columns

    @property
    def hidden_words(self) -> int:
        return self.hidden // self.columns

    @property
    def most_words(self) -> int:
        return max(self.words, self.hidden_words)

    @property
    def parts(self) -> int:
        """Words of a token's head."""
        return self.words // self.heads

    @property
    def subs(self) -> int:
        """Beats of A in a word."""
        return self.columns // self.depth

    @cached_property
    def regions(self) -> tuple[dict[str, int], dict[str, int]]:
        """Places by name, of both memories, in words of a token."""
        sizes = (
            dict.fromkeys("xqk", self.words),
            {**dict.fromkeys("uvop" if self.pre else "vop", self.words), "h": self.hidden_words},
        )
        places = []
        for memory in sizes:
            starts = [sum(list(memory.values())[:n]) for n in range(len(memory) + 1)]
            places.append(dict(zip([*memory, "end"], starts, strict=True)))
        return tuple(places)

    @property
    def strides(self) -> tuple[int, int]:
        """Words of a token in each memory."""
        return tuple(memory["end"] for memory in self.regions)

    @property
    def panels(self) -> int:
        """Panels of ``rows`` tokens."""
        return -(-self.tokens // self.rows)

    @property
    def memory_depths(self) -> tuple[int, int]:
        """Words of a bank of each memory."""
        return tuple(max(2, self.panels * stride) for stride in self.strides)

    @property
    def most_depth(self) -> int:
        return max(self.memory_depths)

    @property
    def entries(self) -> int:
        """Of the table of functions."""
        return 1 << self.activation.width

    def region(self, name: str) -> tuple[int, int]:
        """Memory and place of a region."""
        memory = next(n for n, places in enumerate(self.regions) if name in places)
        return memory, self.regions[memory][name]

    @property
    def carried(self) -> str:
        """The region that products read, and that has the result."""
        return "u" if self.pre else "x"

    @cached_property
    def prologue(self) -> tuple[Step, ...]:
        """Steps before the first layer."""
        return (Step(kind=Kind.NORM, name="norm", lone=True),) if self.pre else ()

    @cached_property
    def body(self) -> tuple[Step, ...]:
        """Steps of a layer."""
        region = self.region
        into = region(self.carried)

        def product(name, source, target, **more):
            return Step(kind=Kind.PRODUCT, name=name, source=source, target=region(target), **more)

        return (
            product("q", into, "q"),
            product("k", into, "k"),
            product("v", into, "v"),
            Step(kind=Kind.ATTENTION, name="attention"),
            product("output", region("o"), "p"),
            Step(kind=Kind.NORM, name="norm_attention"),
            product("up", into, "h", wide_out=True, table=True),
            product("down", region("h"), "p", wide_in=True),
            Step(kind=Kind.NORM, name="norm_hidden"),
        )

    def channels(self, step: Step) -> int:
        return self.hidden if step.wide_out else self.width

    def step_parameters(self, step: Step) -> int:
        """Words from the parameter memory."""
        header = 0 if step.kind is Kind.PRODUCT else HEADER
        return header + PER_CHANNEL[step.kind.value] * self.channels(step)

    def step_weights(self, step: Step) -> int:
        """Beats from the weight memory."""
        if step.kind is not Kind.PRODUCT:
            return 0
        inputs = self.hidden if step.wide_in else self.width
        return self.channels(step) // self.columns * (inputs // self.depth)

    @cached_property
    def parameters(self) -> int:
        """Words of the parameter memory."""
        return self._total(self.step_parameters)

    @cached_property
    def weight_beats(self) -> int:
        """Words of the weight memory."""
        return self._total(self.step_weights)

    def _total(self, of) -> int:
        return sum(map(of, self.prologue)) + self.layers * sum(map(of, self.body))

    @property
    def weight_width(self) -> int:
        return self.columns * self.depth * self.weight.width

    @property
    def normalised(self) -> Format:
        """Of a normalised number: none exceeds sqrt(width)."""
        most = (math.isqrt(self.width) + 1) << FRACTION
        return Format(signed_width(-most, most))

    @property
    def memory_bits(self) -> int:
        """Of all memories but the parts' own."""
        words = self.rows * sum(self.memory_depths)
        weights = self.weight_beats * self.weight_width
        return words * self.word_width + weights + self.parameters * PARAMETER_BITS
