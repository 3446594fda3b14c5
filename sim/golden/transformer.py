"""Transformer layers in exact integers, composed of the golden models of their parts.

Decision 0015 has the arithmetic. Tokens are rows: x is (tokens, width), ``int64``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from matweave.hw.formats import Format, Overflow, Rounding
from matweave.hw.weights import WeightFormat

from .arithmetic import checked
from .attention import streaming
from .attention.elementwise import residual, rope, scaled_product
from .attention.norm import norm
from .attention.streaming import Scale, Softmax
from .gemm import gemm
from .requantize import Requantize


@dataclass(frozen=True, eq=False)
class Dense:
    """``weights`` (inputs, outputs), and of each output ``bias``, ``multiplier``, ``shift``."""

    weights: np.ndarray
    bias: np.ndarray
    multiplier: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, eq=False)
class SumNorm:
    """``(x of_x + y of_y) / 2**shift``, then its norm: ``gain``, ``bias`` of each element, worth
    2**-``gain_shift``; both empty in a model without norms."""

    of_x: int
    of_y: int
    shift: int
    gain_shift: int
    gain: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True, eq=False)
class Layer:
    """In the order of the steps; ``logit`` and ``scale`` as of :func:`.streaming.attention`."""

    q: Dense
    k: Dense
    v: Dense
    logit: Scale
    scale: Scale
    output: Dense
    norm_attention: SumNorm
    up: Dense
    down: Dense
    norm_hidden: SumNorm
    gate: Dense | None = None
    """Of a gated feed-forward, with ``gated``: what its products are scaled by."""
    gated: Scale | None = None

    @property
    def products(self) -> tuple[Dense, ...]:
        """All products with weights, in their order."""
        gate = () if self.gate is None else (self.gate,)
        return self.q, self.k, self.v, self.output, *gate, self.up, self.down

    @property
    def norms(self) -> tuple[SumNorm, ...]:
        return self.norm_attention, self.norm_hidden


@dataclass(frozen=True, eq=False)
class Parameters:
    """A model: the ``table`` of functions, of each input from 0 up and then from the lowest; its
    ``layers``; and where norms come first (``first`` is one), the norm before them."""

    table: np.ndarray
    layers: tuple[Layer, ...]
    first: SumNorm | None = None
    angles: np.ndarray | None = None
    """Cosine and sine of each position and pair of neighbours of a head, (positions, pairs, 2)."""


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """What the arithmetic is chosen by: formats, ``heads`` of queries, and of keys and values
    (``kv_heads``), whether a token sees those behind it (not if ``causal``), the softmax's numbers
    and ``block``, and the norm: whether there is one (``normed``), ``centred`` and ``epsilon``;
    sums of products are exact."""

    activation: Format
    weight: Format | WeightFormat
    heads: int
    kv_heads: int
    softmax: Softmax
    block: int
    causal: bool = False
    normed: bool = True
    centred: bool = True
    epsilon: int = 1
    result: Format = field(default=Format(32))


@dataclass(frozen=True, eq=False)
class Cache:
    """Keys and values of each layer, (tokens, kv_heads · elements of a head)."""

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]

    def first(self, tokens: int) -> "Cache":
        """That of the first ``tokens`` alone."""
        return Cache(tuple((k[:tokens], v[:tokens]) for k, v in self.layers))


Watch = Callable[[str, np.ndarray], None]


def _unwatched(name: str, value: np.ndarray) -> None:
    pass


def encoder(x, parameters: Parameters, numbers: Numbers, watch: Watch = _unwatched) -> np.ndarray:
    """The result, (tokens, width), of a whole sequence. ``watch`` is told the value of each step,
    by name: ``0.q``, …, ``0.sum_hidden``, ``0.norm_hidden``, ``1.q``, …

    Raises :class:`ValueError` for tokens outside their format.
    """
    return extended(x, parameters, numbers, None, watch)[0]


def extended(
    x,
    parameters: Parameters,
    numbers: Numbers,
    cache: Cache | None,
    watch: Watch = _unwatched,
) -> tuple[np.ndarray, Cache]:
    """The results of the tokens ``x``, which follow those of ``cache`` (``None``: none), and the
    cache of all of them. Otherwise as :func:`encoder`."""
    activation = numbers.activation
    x = checked("x", x, activation.min, activation.max, (None, None))
    pre = parameters.first is not None
    carried, layers = x, []
    if pre:
        _, carried = _sum_norm(x, np.zeros_like(x), parameters.first, numbers)
        watch("norm", carried)
    for number, layer in enumerate(parameters.layers):

        def tell(name, value, number=number):
            watch(f"{number}.{name}", value)
            return value

        q, k, v = (
            tell(name, dense(carried, getattr(layer, name), numbers)) for name in ("q", "k", "v")
        )
        if parameters.angles is not None:
            start = 0 if cache is None else len(cache.layers[number][0])
            q = tell("q_turned", turned(q, parameters.angles[start:], numbers))
            k = tell("k_turned", turned(k, parameters.angles[start:], numbers))
        if cache is not None:
            k, v = (np.concatenate(both) for both in zip(cache.layers[number], (k, v), strict=True))
        layers.append((k, v))
        seen = tell("attention", attend(q, k, v, layer, numbers))
        y = tell("output", dense(seen, layer.output, numbers))
        x, carried = _next(x, y, layer.norm_attention, numbers, pre, tell, "attention")
        hidden = _hidden(carried, layer, parameters.table, numbers, tell)
        y = tell("down", dense(hidden, layer.down, numbers))
        x, carried = _next(x, y, layer.norm_hidden, numbers, pre, tell, "hidden")
    return carried, Cache(tuple(layers))


def _hidden(x, layer: Layer, table, numbers: Numbers, tell) -> np.ndarray:
    """The hidden layer, behind its function; or that of the gate, times what it lets through."""
    table = np.asarray(table, np.int64)
    if layer.gate is None:
        return tell("hidden", table[tell("up", dense(x, layer.up, numbers))])
    opened = tell("opened", table[tell("gate", dense(x, layer.gate, numbers))])
    up = tell("up", dense(x, layer.up, numbers))
    found = scaled_product(
        opened,
        up,
        multiplier=layer.gated.multiplier,
        shift=layer.gated.shift,
        format=numbers.activation,
    )
    return tell("hidden", found.astype(np.int64))


def _next(x, y, step: SumNorm, numbers: Numbers, pre: bool, tell, name: str):
    """What the next sum takes, and what the next product."""
    total, normalised = _sum_norm(x, y, step, numbers)
    tell(f"sum_{name}", total)
    if numbers.normed:
        tell(f"norm_{name}", normalised)
    return (total if pre else normalised), normalised


def dense(x: np.ndarray, layer: Dense, numbers: Numbers) -> np.ndarray:
    """``x`` times the layer's weights, with its bias, requantised."""
    return gemm(
        x,
        layer.weights,
        a_format=numbers.activation,
        b_format=numbers.weight,
        block=1,
        accumulator=None,
        overflow=Overflow.WRAP,
        result=numbers.result,
        bias=layer.bias,
        requantize=Requantize(
            multiplier=layer.multiplier, shift=layer.shift, format=numbers.activation
        ),
    )


def turned(x: np.ndarray, angles: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Every head of ``x`` (tokens, heads · elements) by its token's ``angles``."""
    cosines, sines = (angles[: len(x), :, part] for part in (0, 1))
    heads = x.reshape(len(x), -1, 2 * angles.shape[1])
    each = [
        rope(heads[:, n], cosines, sines, format=numbers.activation, interleaved=True)
        for n in range(heads.shape[1])
    ]
    return np.stack(each, axis=1).reshape(x.shape).astype(np.int64)


def by_heads(x: np.ndarray, heads: int) -> np.ndarray:
    """(heads, tokens, elements of a head)."""
    return x.reshape(len(x), heads, -1).swapaxes(0, 1)


def attend(q, k, v, layer: Layer, numbers: Numbers) -> np.ndarray:
    """Attention of all heads, side by side again; ``q`` is of the last tokens of ``k``, ``v``."""
    found = streaming.attention(
        by_heads(q, numbers.heads),
        *(by_heads(each, numbers.kv_heads) for each in (k, v)),
        logit=layer.logit,
        scale=layer.scale,
        numbers=numbers.softmax,
        block=numbers.block,
        formats=(numbers.activation,) * 4,
        causal=numbers.causal,
        position=len(k) - len(q),
    )
    return found.swapaxes(0, 1).reshape(q.shape)


def _sum_norm(x, y, step: SumNorm, numbers: Numbers) -> tuple[np.ndarray, np.ndarray]:
    total = residual(
        x,
        y,
        of_a=(step.of_x, step.shift),
        of_b=(step.of_y, step.shift),
        format=numbers.activation,
        rounding=Rounding.HALF_UP,
    )
    if not numbers.normed:
        return total, total
    normalised = norm(
        total,
        step.gain,
        step.bias,
        shift=step.gain_shift,
        format=numbers.activation,
        epsilon=numbers.epsilon,
        centred=numbers.centred,
    )
    return total, normalised


def for_config(config) -> Numbers:
    """The numbers of a ``hw.transformer.config.EncoderConfig``."""
    return Numbers(
        activation=config.activation,
        weight=config.weight_format,
        heads=config.model.heads,
        kv_heads=config.model.kv_heads,
        softmax=streaming.for_config(config.attend),
        block=config.attention.block,
        causal=config.model.causal,
        normed=config.model.norm != "none",
        centred=config.model.norm == "layer",
        epsilon=config.model.epsilon,
        result=config.gemm.result_format,
    )
