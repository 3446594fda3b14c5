"""The numbers of transformer layers: words, regions of memories, and the list of steps.

Pure Python. Decision 0015 has the memory map and what each step does.
"""

import enum
import math
from dataclasses import dataclass
from functools import cached_property

from ..formats import Format, signed_width
from ..weights import WeightFormat

PARAMETER_BITS = 32
SUM_BITS = 16
"""Of a sum's two multipliers."""
GATE_BITS = 16
"""Of a gate's multiplier."""
GAIN, NORM_BIAS = Format(16), Format(24)
ANGLE = Format(16)
"""Of a cosine or sine, 14 bits after the point."""
FRACTION = 7
"""Fraction bits of a normalised number."""
HEADER = 4
"""Parameters of attention, of a sum with its norm before those of channels, and of a gate."""
MOST_PER_CHANNEL = 3
"""Parameters of a channel: of a product bias, multiplier, shift; of a norm gain, bias."""


class Kind(enum.Enum):
    """What a step is done by."""

    PRODUCT = "product"
    ATTENTION = "attention"
    NORM = "norm"
    GATE = "gate"


@dataclass(frozen=True, kw_only=True)
class Step:
    """``source``, ``target``: names of the regions of a product; ``inputs``, ``outputs``: elements
    of a token in them; ``table``: through the table of functions; ``lone``: a norm without anything
    added before it; ``rotary``: positions turn its result."""

    kind: Kind
    name: str
    source: str = ""
    target: str = ""
    inputs: int
    outputs: int
    table: bool = False
    lone: bool = False
    rotary: bool = False


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """``rows``, ``columns``, ``depth``: the array's block, m, n and k; ``serial``: weights come to
    it a bit at a time; ``keys``: per cycle of attention; ``pre``: norms come first, ``normed``:
    there are any, ``centred``: their mean is subtracted; the others as in the configuration's
    ``[model]``."""

    activation: Format
    weight: Format | WeightFormat
    serial: bool
    width: int
    heads: int
    kv_heads: int
    head: int
    hidden: int
    layers: int
    tokens: int
    context: int
    causal: bool
    rotary: bool
    pre: bool
    normed: bool
    centred: bool
    epsilon: int
    gated: bool
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
    def parts(self) -> int:
        """Words of a token's head."""
        return self.head // self.columns

    @property
    def query_words(self) -> int:
        """Words of a token's queries, of all heads."""
        return self.heads * self.parts

    @property
    def kv_words(self) -> int:
        """Words of a token's keys, or values."""
        return self.kv_heads * self.parts

    @property
    def group(self) -> int:
        """Heads of queries that share one of keys and values."""
        return self.heads // self.kv_heads

    @property
    def most_words(self) -> int:
        return max(self.words, self.query_words, self.hidden_words)

    @property
    def subs(self) -> int:
        """Beats of A in a word."""
        return self.columns // self.depth

    @cached_property
    def regions(self) -> tuple[dict[str, int], dict[str, int]]:
        """Places by name, of what a job has in both memories, in words of a token."""
        words = {
            **dict.fromkeys("xup", self.words),
            **dict.fromkeys("qo", self.query_words),
            **dict.fromkeys("kv", self.kv_words),
            **dict.fromkeys("gh", self.hidden_words),
        }
        places = []
        gate = "g" if self.gated else ""
        for names in (f"xqk{gate}", "uvoph" if self.pre else "voph"):
            local = [name for name in names if name not in self.cached]
            starts = [sum(words[name] for name in local[:n]) for n in range(len(local) + 1)]
            places.append(dict(zip([*local, "end"], starts, strict=True)))
        return tuple(places)

    @property
    def cached(self) -> str:
        """Regions that stay from job to job, with a place for every layer and position."""
        return "kv" if self.causal else ""

    @property
    def strides(self) -> tuple[int, int]:
        """Words of a token in what a job has of each memory."""
        return tuple(memory["end"] for memory in self.regions)

    @property
    def covered(self) -> int:
        """Most rows of a job's panels: its tokens, and those before them in the first panel."""
        return self.tokens + (self.rows - 1 if self.causal else 0)

    @property
    def panels(self) -> int:
        """Panels of ``rows`` tokens, of a job."""
        return -(-self.covered // self.rows)

    @property
    def layer_words(self) -> int:
        """Words of a bank that a layer has in the cache of keys, and as many in that of values."""
        return -(-self.context // self.rows) * self.kv_words

    @property
    def memory_depths(self) -> tuple[int, int]:
        """Words of a bank of each memory."""
        cache = self.layers * self.layer_words if self.causal else 0
        return tuple(max(2, self.panels * stride + cache) for stride in self.strides)

    @property
    def most_depth(self) -> int:
        return max(self.memory_depths)

    @property
    def entries(self) -> int:
        """Of the table of functions."""
        return 1 << self.activation.width

    @property
    def angle_words(self) -> int:
        """Words of angles: of each position as many as a head has."""
        return self.context * self.parts if self.rotary else 0

    @property
    def angles(self) -> int:
        """Pairs of all positions."""
        return self.angle_words * self.columns // 2

    def region(self, name: str) -> tuple[int, int]:
        """Memory and place of a region; of a cached one the place of the first layer."""
        memory = "kv".index(name) if name in self.cached else int(name not in self.regions[0])
        if name in self.cached:
            return memory, self.panels * self.strides[memory]
        return memory, self.regions[memory][name]

    def stride(self, name: str) -> int:
        """Words from a panel of a region to the next."""
        return self.kv_words if name in self.cached else self.strides[self.region(name)[0]]

    @property
    def carried(self) -> str:
        """The region that products read, and that has the result."""
        return "u" if self.pre else "x"

    @cached_property
    def prologue(self) -> tuple[Step, ...]:
        """Steps before the first layer."""
        return (self._norm("norm", lone=True),) if self.pre else ()

    @cached_property
    def body(self) -> tuple[Step, ...]:
        """Steps of a layer."""
        width, into = self.width, self.carried
        queries, keys = self.heads * self.head, self.kv_heads * self.head

        def product(name, source, target, inputs, outputs, table=False):
            return Step(
                kind=Kind.PRODUCT, name=name, source=source, target=target, inputs=inputs,
                outputs=outputs, table=table, rotary=self.rotary and name in ("q", "k"),
            )  # fmt: skip

        return (
            product("q", into, "q", width, queries),
            product("k", into, "k", width, keys),
            product("v", into, "v", width, keys),
            Step(kind=Kind.ATTENTION, name="attention", inputs=queries, outputs=queries),
            product("output", "o", "p", queries, width),
            self._norm("norm_attention"),
            *self._hidden(product),
            product("down", "h", "p", self.hidden, width),
            self._norm("norm_hidden"),
        )

    def _hidden(self, product) -> tuple[Step, ...]:
        """The steps to the hidden layer: through the table; or that of a gate, times another."""
        into, width, hidden = self.carried, self.width, self.hidden
        if not self.gated:
            return (product("up", into, "h", width, hidden, table=True),)
        return (
            product("gate", into, "g", width, hidden, table=True),
            product("up", into, "h", width, hidden),
            Step(kind=Kind.GATE, name="gated", inputs=hidden, outputs=hidden),
        )

    @property
    def products(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each product of a layer, by its name."""
        return {
            step.name: (step.inputs, step.outputs)
            for step in self.body
            if step.kind is Kind.PRODUCT
        }

    @property
    def weights(self) -> int:
        """Of all products."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.products.values())

    def _norm(self, name: str, *, lone: bool = False) -> Step:
        return Step(kind=Kind.NORM, name=name, inputs=self.width, outputs=self.width, lone=lone)

    def per_channel(self, kind: Kind) -> int:
        """Parameters of each channel of a step's result."""
        return {Kind.PRODUCT: 3, Kind.NORM: 2 if self.normed else 0}.get(kind, 0)

    def step_parameters(self, step: Step) -> int:
        """Words from the parameter memory."""
        header = 0 if step.kind is Kind.PRODUCT else HEADER
        return header + self.per_channel(step.kind) * step.outputs

    def step_weights(self, step: Step) -> int:
        """Beats from the weight memory."""
        if step.kind is not Kind.PRODUCT:
            return 0
        blocks = step.outputs // self.columns * (step.inputs // self.depth)
        return blocks * (self.weight.width if self.serial else 1)

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
    def beat(self) -> Format | WeightFormat:
        """Of an element of a beat of weights."""
        return WeightFormat(1) if self.serial else self.weight

    @property
    def weight_width(self) -> int:
        return self.columns * self.depth * self.beat.width

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
        return words * self.word_width + weights + (self.angles + self.parameters) * PARAMETER_BITS
