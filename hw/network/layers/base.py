"""What all layers have, and a network of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ...errors import ConfigError, plain
from ...fixed import Fixed

MAX_VALUES = 4096
"""Most values of one tensor in one cycle: a network beyond has more adders than any FPGA."""
MAX_TENSOR = 1 << 18
"""Most values of one tensor in all its cycles."""
MAX_ENTRIES = 1 << 12
"""Most entries of a table."""
MAX_PRODUCTS = 1 << 18
"""Most products of a network in one cycle: of values and nonzero weights, or of two values."""


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
    overlap: ClassVar[int] = 1
    """How many times :data:`MAX_VALUES` there may be."""
    depth: ClassVar[int] = 0
    """Register stages that it is given, if nothing is said about stages or a clock."""

    def __post_init__(self):
        given = self.sources
        names = () if given is None else (given,) if isinstance(given, str) else tuple(given)
        object.__setattr__(self, "sources", names)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def n_products(self) -> int:
        """Products of a sample, those by zero weights not counted."""
        return 0

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

    @property
    def input(self) -> Input:
        return self.layers[0]

    def __getitem__(self, name: str) -> Layer:
        return next(layer for layer in self.layers if layer.name == name)


def check_size(network: Network, tokens: Mapping[str, int]) -> None:
    """Raise :class:`ConfigError` for what is too large to be built. ``tokens``: of each layer that
    is built once for several, by name, how many; others are unrolled."""
    for layer in network.layers:
        if layer.size > layer.overlap * MAX_VALUES * tokens.get(layer.name, 1):
            most = f"an unrolled network may have at most {layer.overlap * MAX_VALUES} per layer"
            raise ConfigError(
                f"layer {plain(layer.name)}: has {layer.size} values; {most}: make the tensor "
                "smaller, or stream it"
            )
    products = {each.name: each.n_products // tokens.get(each.name, 1) for each in network.layers}
    total = sum(products.values())
    if total > MAX_PRODUCTS:
        worst = max(products, key=products.get)
        raise ConfigError(
            f"network {plain(network.name)}: a cycle takes {total} products, of which layer "
            f"{plain(worst)} {products[worst]}; an unrolled network may have at most "
            f"{MAX_PRODUCTS}: prune it, make its tensors smaller, or stream it"
        )


def _wrong(layer: Layer, before: dict[str, Layer]) -> str | None:
    """Why the layer cannot follow those before it."""
    if layer.name in before:
        return "has the name of another layer"
    if min(layer.shape, default=1) < 1:
        return f"has the shape {list(layer.shape)}; each size must be at least 1"
    if layer.size > layer.overlap * MAX_TENSOR:
        return f"has {layer.size} values; allowed are {layer.overlap * MAX_TENSOR}"
    if isinstance(layer, Input):
        return "is a second Input; there must be one" if before else None
    for name in layer.sources:
        if name not in before:
            return f"takes its values from {plain(name)}, which is no layer before it"
    wanted = layer.n_sources
    if len(layer.sources) != wanted if wanted is not None else not layer.sources:
        return f"has {len(layer.sources)} sources; it must have {wanted or 'at least one'}"
    return layer.misfit([before[name] for name in layer.sources])
