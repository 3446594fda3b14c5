"""Small networks that treat tokens alike, with attention between them, and quantisers that differ
from token to token: what can be folded."""

import numpy as np

from matweave.hw.fixed import Fixed, FixedOverflow, FixedRounding
from matweave.hw.network.layers import (
    Cast,
    Contraction,
    Dense,
    Input,
    Layer,
    Merge,
    Network,
    Relu,
    Reshape,
    Select,
    Softmax,
)

from .networks import MODES, exact_accumulator, fixed, integers


class Maker:
    """Layers one after another; each method adds one and gives it back."""

    def __init__(self, seed: int, tokens: int, channels: int, *, any_mode: bool):
        self.rng = np.random.default_rng(seed)
        self.tokens, self.any_mode = tokens, any_mode
        self.layers: list[Layer] = [Input("x", None, (tokens, channels), Fixed(8, 4))]

    def add(self, kind, *sources: Layer, shape, result, **fields) -> Layer:
        name = f"{kind.__name__.lower()}{len(self.layers)}"
        names = tuple(each.name for each in sources)
        self.layers.append(kind(name, names, shape, result, **fields))
        return self.layers[-1]

    def relu(self, x):
        return self.add(Relu, x, shape=x.shape, result=x.result)

    def cast(self, x, overflow: FixedOverflow | None = None):
        """Per channel a format, in some tokens another, or none."""
        formats = [self._format(overflow) for _ in range(x.size)]
        return self.add(Cast, x, shape=x.shape, result=Fixed(12, 7), formats=tuple(formats))

    def _format(self, overflow):
        rng, width = self.rng, int(self.rng.integers(4, 9))
        if rng.integers(16) == 0:
            return None
        mode = MODES[rng.integers(len(MODES))]
        if not self.any_mode:
            mode = FixedRounding.RND, overflow or mode[1]
        return Fixed(width, width - int(rng.integers(1, 5)), bool(rng.integers(2)), *mode)

    def rows(self, x, outputs: int):
        """The same matrix for every token."""
        rng, inputs = self.rng, x.size // self.tokens
        weight, bias = fixed(rng, widths=(2, 5)), fixed(rng, widths=(2, 5))
        accum = exact_accumulator(x.result, weight, bias, inputs)
        return self.add(
            Dense, x, shape=(self.tokens, outputs), result=Fixed(12, 7),
            weight=integers(rng, weight, (inputs, outputs)), weight_format=weight,
            bias=np.tile(integers(rng, bias, outputs), self.tokens), bias_format=bias, accum=accum,
        )  # fmt: skip

    def flat(self, x, outputs: int):
        """All tokens at once."""
        x = self.add(Reshape, x, shape=(x.size,), result=x.result)
        rng = self.rng
        weight, bias = fixed(rng, widths=(2, 4)), fixed(rng, widths=(2, 4))
        accum = exact_accumulator(x.result, weight, bias, x.size)
        return self.add(
            Dense, x, shape=(outputs,), result=Fixed(14, 9),
            weight=integers(rng, weight, (x.size, outputs)), weight_format=weight,
            bias=integers(rng, bias, outputs), bias_format=bias, accum=accum,
        )  # fmt: skip

    def transposed(self, x, order):
        index = np.arange(x.size).reshape(x.shape).transpose(order)
        return self.add(Select, x, shape=index.shape, result=x.result, index=index.ravel())

    def product(self, a, b, batches: int, contracted: int):
        accum = Fixed(30, 22)
        shape = (batches, a.size // batches // contracted, b.size // batches // contracted)
        return self.add(
            Contraction, a, b, shape=shape, result=Fixed(14, 9), batches=batches,
            contracted=contracted, cast_products=False, accum=accum,
        )  # fmt: skip

    def softmax(self, x):
        """Over the last axis, by tables of random contents."""
        rng, table, inverse = self.rng, Fixed(5, 1, False), Fixed(4, 0, False)
        return self.add(
            Softmax, x, shape=x.shape, result=Fixed(8, 1, False), outer=x.size // x.shape[-1],
            inner=1, stable=True, norm=Fixed(6, 4, True, FixedRounding.RND, FixedOverflow.SAT),
            exp_table=rng.integers(0, 32, 64), exp_table_format=table, accum=Fixed(9, 5, False),
            inv_input=Fixed(5, 4, False, FixedRounding.RND, FixedOverflow.SAT),
            inv_table=rng.integers(0, 16, 32), inv_table_format=inverse,
        )  # fmt: skip

    def attention(self, x, heads: int, size: int):
        """Multi-head attention of the tokens to each other; (tokens, heads * size)."""
        tokens, parts = self.tokens, []
        for _ in range(3):
            part = self.cast(self.rows(self.cast(x), heads * size), FixedOverflow.SAT)
            split = self.add(Reshape, part, shape=(tokens, heads, size), result=part.result)
            parts.append(self.transposed(split, (1, 0, 2)))
        query, key, value = parts
        scores = self.transposed(self.product(key, query, heads, size), (0, 2, 1))
        weights = self.cast(self.softmax(scores), FixedOverflow.SAT)
        mixed = self.product(weights, self.transposed(value, (0, 2, 1)), heads, tokens)
        together = self.transposed(mixed, (1, 0, 2))
        return self.add(Reshape, together, shape=(tokens, heads * size), result=together.result)

    def network(self, name: str) -> Network:
        return Network(name, tuple(self.layers), self.layers[-1].name)


def tagger(
    seed: int, *, tokens: int = 4, channels: int = 2, heads: int = 1, any_mode: bool = False
) -> Network:
    """A transformer block on a few tokens, and a dense layer of them all."""
    make = Maker(seed, tokens, channels, any_mode=any_mode)
    x = make.relu(make.rows(make.cast(make.layers[0]), 4))
    mixed = make.rows(make.cast(make.attention(x, heads, 3)), 4)
    both = (make.cast(mixed, FixedOverflow.WRAP), make.cast(x, FixedOverflow.WRAP))
    x = make.add(Merge, *both, shape=both[0].shape, result=Fixed(13, 8), operation="add")
    make.cast(make.flat(make.cast(make.relu(make.rows(make.cast(x), 3))), 12))
    return make.network(f"tokens{seed}")


def steps(seed: int, *, tokens: int = 6, channels: int = 2) -> Network:
    """Layers of one token each whose quantisers differ from token to token, and a dense layer of
    them all."""
    make = Maker(seed, tokens, channels, any_mode=False)
    x = make.relu(make.rows(make.cast(make.layers[0]), 3))
    make.cast(make.flat(make.cast(make.rows(make.cast(x), 2)), 4))
    return make.network(f"steps{seed}")
