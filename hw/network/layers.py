"""A quantised network as layers with integer weights: what is read from hls4ml, and what the golden
model computes. No arithmetic here, and no Amaranth.

Tensors are flat: a layer's ``size`` values, in row-major order of the ``shape`` that the model has.
Weights are raw integers of their format (:class:`~..fixed.Fixed`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..errors import ConfigError, plain
from ..fixed import Fixed

MAX_VALUES = 4096
"""Most values of one tensor: an unrolled network beyond has more adders than any FPGA."""
MAX_WEIGHTS = 1 << 18
"""Most nonzero weights of a network."""


@dataclass(frozen=True)
class Layer:
    """What all layers have. ``result``: the format of every value; ``sources``: whose values it
    takes, names of earlier layers (a single one may be given as it is, and ``None`` for none)."""

    name: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    result: Fixed

    n_sources: ClassVar[int | None] = 1
    """How many there must be; ``None``: one or more."""

    def __post_init__(self):
        given = self.sources
        names = () if given is None else (given,) if isinstance(given, str) else tuple(given)
        object.__setattr__(self, "sources", names)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def misfit(self, sources: Sequence["Layer"]) -> str | None:
        """What does not fit the number of values of its sources, or the formats."""
        return self._other_size(sources)

    def _other_size(self, sources):
        for source in sources:
            if self.size != source.size:
                other = f"{plain(source.name)}, its source, {source.size}"
                return f"has {self.size} values, but {other}"
        return None

    def _wrong_part(self, **shapes: tuple[int, ...]) -> str | None:
        """Which weights have another shape, or are none of their format."""
        for part, shape in shapes.items():
            raw, to = getattr(self, part), getattr(self, f"{part}_format").plain()
            if raw.shape != shape:
                return f"{part} has the shape {list(raw.shape)}; it must be {list(shape)}"
            if raw.min() < to.min or raw.max() > to.max:
                return f"{part} has numbers that are none of {to}"
        return None


@dataclass(frozen=True)
class Input(Layer):
    """The samples; a real number becomes ``result`` with that format's modes."""

    n_sources: ClassVar[int | None] = 0


@dataclass(frozen=True)
class Dense(Layer):
    """hls4ml's ``latency`` strategy (``nnet_dense_latency.h``): each product is cast to ``accum``;
    bias first, cast to it too, products are added to it one input after another, and each sum is
    cast to ``accum``; the last one to ``result``.

    ``weight``: (inputs, outputs); ``bias``: (outputs,).
    """

    weight: np.ndarray = field(repr=False)
    weight_format: Fixed
    bias: np.ndarray = field(repr=False)
    bias_format: Fixed
    accum: Fixed

    def misfit(self, sources):
        return self._wrong_part(weight=(sources[0].size, self.size), bias=(self.size,))


@dataclass(frozen=True)
class Affine(Layer):
    """hls4ml's BatchNormalization and ApplyAlpha (``nnet_batchnorm.h``): ``x * scale + bias`` in
    full, cast to ``result``. ``scale`` and ``bias``: (size,)."""

    scale: np.ndarray = field(repr=False)
    scale_format: Fixed
    bias: np.ndarray = field(repr=False)
    bias_format: Fixed

    def misfit(self, sources):
        return self._other_size(sources) or self._wrong_part(scale=(self.size,), bias=(self.size,))


@dataclass(frozen=True)
class Relu(Layer):
    """``max(x, 0)``, cast to ``result``."""


@dataclass(frozen=True)
class Cast(Layer):
    """To ``formats`` (one per value; ``None``: the value is 0), and then to ``result``."""

    formats: tuple[Fixed | None, ...] = field(repr=False)

    def misfit(self, sources):
        if len(self.formats) != self.size:
            return f"has {len(self.formats)} formats for {self.size} values"
        return self._other_size(sources)


@dataclass(frozen=True)
class Reshape(Layer):
    """The same values in another shape; ``result`` is the source's."""

    def misfit(self, sources):
        (source,) = sources
        if self.result != source.result:
            reason = f"has the format {self.result}, but {plain(source.name)}, its source, another"
            return self._other_size(sources) or reason
        return self._other_size(sources)


@dataclass(frozen=True)
class Network:
    """Layers in topological order, the first of them the one :class:`Input`; ``output`` names the
    layer whose values are the result."""

    name: str
    layers: tuple[Layer, ...]
    output: str

    def __post_init__(self):
        if not self.layers or not isinstance(self.layers[0], Input):
            raise ConfigError(f"network {plain(self.name)}: must begin with its Input layer")
        before: dict[str, Layer] = {}
        for layer in self.layers:
            if reason := _wrong(layer, before):
                raise ConfigError(f"layer {plain(layer.name)}: {reason}")
            before[layer.name] = layer
        if self.output not in before:
            raise ConfigError(
                f"network {plain(self.name)}: its output {plain(self.output)} is none of its layers"
            )
        weights = sum(np.count_nonzero(each.weight) for each in self.layers if _is_dense(each))
        if weights > MAX_WEIGHTS:
            raise ConfigError(
                f"network {plain(self.name)}: {weights} weights are not zero; an unrolled network "
                f"may have at most {MAX_WEIGHTS}: prune it"
            )

    @property
    def input(self) -> Input:
        return self.layers[0]

    def __getitem__(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)


def _is_dense(layer: Layer) -> bool:
    return isinstance(layer, Dense)


def _wrong(layer: Layer, before: dict[str, Layer]) -> str | None:
    """Why the layer cannot follow those before it."""
    if layer.name in before:
        return "has the name of another layer"
    if min(layer.shape, default=1) < 1:
        return f"has the shape {list(layer.shape)}; each size must be at least 1"
    if layer.size > MAX_VALUES:
        return (
            f"has {layer.size} values; an unrolled network may have at most {MAX_VALUES} per layer"
        )
    if isinstance(layer, Input):
        return "is a second Input; there must be one" if before else None
    for name in layer.sources:
        if name not in before:
            return f"takes its values from {plain(name)}, which is no layer before it"
    wanted = layer.n_sources
    if len(layer.sources) != wanted if wanted is not None else not layer.sources:
        return f"has {len(layer.sources)} sources; it must have {wanted or 'at least one'}"
    return layer.misfit([before[name] for name in layer.sources])
