"""A network in sections: which layers are in a pipeline together, when, and what is between them.

See docs/decisions/0011-folded-networks.md. A section's layers are lowered for the tokens of one cycle
(``tokens / reuse``), or for all values if they are whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from ...errors import ConfigError, shown
from .. import lower as lowering
from ..graph import Graph
from ..layers import Cast, Layer, Network
from ..lower.builder import Builder, Value
from .digits import Digits, is_by_digits
from .phases import PhasedCast
from .phases import cast as phased_cast
from .tokens import Owners, Way, chosen, sliced, ways

INPUT = -1
"""The number of the section that the sample comes from."""


@dataclass(frozen=True)
class Feed:
    """Where a section's input comes from: output number ``output`` of the section ``section``,
    without its ``drop`` lowest bits; ``phase``: what that was in this phase of the sample, held;
    ``digits``: of that, as many bits, with a sign or not, less its least number and by digits."""

    section: int
    output: int
    drop: int = 0
    phase: int | None = None
    digits: tuple[int, bool] | None = None


@dataclass(frozen=True)
class Section:
    """``feeds``: of the graph's inputs, in their order; ``None`` is the phase. ``layers``: by name.
    ``depth``: stages that its layers want by themselves. ``digits``: how many phases its outputs
    are added up over, each worth 2**bits of the one before; 0 for others."""

    graph: Graph
    feeds: tuple[Feed | None, ...]
    serial: bool
    layers: tuple[str, ...]
    depth: int
    digits: int = 0
    bits: int = 0


@dataclass(frozen=True)
class Folded:
    """Sections in an order in which each needs only those before it. ``input``: for every phase,
    the places of the values that the sample's tokens have; ``None``: the sample is taken whole.
    ``outputs``: the results, each with its ``exponent`` and the least and largest value."""

    reuse: int
    sections: tuple[Section, ...]
    input: tuple[tuple[int, ...], ...] | None
    outputs: tuple[Feed, ...]
    exponents: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]


def cycles(network: Network, wanted: int | str | None) -> int:
    """Cycles per sample: a divisor of the number of tokens, which the input's first axis counts;
    ``tokens``: one token in each; ``None``: 1. Raises :class:`ConfigError` for anything else."""
    tokens = network.input.shape[0] if len(network.input.shape) > 1 else 1
    if wanted is None:
        return 1
    if wanted == "tokens":
        return tokens
    if isinstance(wanted, bool) or not isinstance(wanted, Integral):
        raise ConfigError(f"fold: must be 'tokens' or a number of cycles, not {shown(wanted)}")
    if wanted < 1 or tokens % wanted:
        allowed = [each for each in range(1, tokens + 1) if tokens % each == 0]
        raise ConfigError(
            f"fold: {wanted} cycles do not divide the {tokens} tokens of an input of the shape "
            f"{list(network.input.shape)}; allowed are {', '.join(map(str, allowed))}"
        )
    return int(wanted)


def fold(network: Network, reuse: int, choices=None) -> Folded:
    """``network`` in ``reuse`` :func:`cycles` per sample; ``choices``: how to solve matrices
    (:class:`..cmvm.Options`), instead of what suits their size."""
    tokens = network.input.shape[0] if reuse > 1 else 1
    return _Folding(network, tokens, reuse, choices).run()


@dataclass(frozen=True)
class _Tensor:
    """A tensor behind its section: for every value (of a phase, if it is serial) the number of the
    section's output, its exponent, and (least, most, exponent) in every phase."""

    section: int
    owners: Owners
    outputs: tuple[int, ...]
    exponents: tuple[int, ...]
    ranges: tuple[tuple[tuple[int, int, int], ...], ...]


class _Folding:
    def __init__(self, network, tokens, reuse, choices):
        self.network, self.tokens, self.reuse, self.choices = network, tokens, reuse, choices
        self.lanes = tokens // reuse
        self.ways: dict[str, Way | None] = {}
        self.levels: dict[str, int] = {}
        self.tensors: dict[str, _Tensor] = {}
        self.digits: dict[str, Digits] = {}

    def run(self) -> Folded:
        first = self.network.input
        self._choose_ways()
        self._find_levels()
        self.tensors[first.name] = self._input(first)
        groups: dict[tuple, list[Layer]] = {}
        for layer in self.network.layers[1:]:
            level, serial = self.levels[layer.name], self.is_serial(layer.name)
            groups.setdefault((level, serial, ""), []).append(layer)
            if self.by_digits(layer):
                groups[level - 1, False, layer.name] = [layer]
        sections = []
        for number, key in enumerate(sorted(groups)):
            maker = _DigitsMaker if key[-1] else _SectionMaker
            sections.append(maker(self, groups[key], number).run())
        return self._finished(sections)

    # Which tensors are serial.

    def owners(self, name: str) -> Owners:
        way = self.ways[name]
        return None if way is None else way.owners

    def is_serial(self, name: str) -> bool:
        return self.ways[name] is not None

    def sources(self, layer: Layer) -> list[Owners]:
        return [self.owners(name) for name in layer.sources]

    def _choose_ways(self):
        """Where there are two, the one with which more of the work is serial, the later ones being
        as they come."""
        decided: dict[str, int] = {}
        self._try(decided)
        for layer in self.network.layers[1:]:
            count = len(ways(layer, self.sources(layer), self.tokens))
            if count > 1:
                decided[layer.name] = max(
                    range(count), key=lambda way: self._try(decided | {layer.name: way})
                )
                self._try(decided)

    def _try(self, decided) -> int:
        """Work that is serial with these decisions."""
        first = self.network.input
        each = np.arange(first.size) * self.tokens // first.size
        self.ways = {first.name: Way(each, frozenset()) if self.reuse > 1 else None}
        work = 0
        for layer in self.network.layers[1:]:
            found = ways(layer, self.sources(layer), self.tokens)
            way = found[decided.get(layer.name, 0)] if found else None
            self.ways[layer.name] = way
            work += 0 if way is None else 1 + layer.n_products
        return work

    def serial_use(self, layer: Layer, place: int) -> bool:
        """Whether the layer takes that source token by token."""
        way = self.ways[layer.name]
        return way is not None and place in way.serial

    # Sections.

    def _find_levels(self):
        """Sections before a layer's own, on the longest way to it."""
        self.levels[self.network.input.name] = 0
        for layer in self.network.layers[1:]:
            level = max(self.levels[name] for name in layer.sources)
            if self.by_digits(layer):
                level += 2  # its sums have a section of their own
            elif not all(self._alike(layer, place) for place in range(len(layer.sources))):
                level += 1
            self.levels[layer.name] = level

    def _alike(self, layer, place):
        """Whether the layer and this source can be in one section."""
        if not self.is_serial(layer.sources[place]):
            return not self.is_serial(layer.name)
        return self.serial_use(layer, place)

    def by_digits(self, layer: Layer) -> bool:
        if self.reuse == 1 or self.is_serial(layer.name):
            return False
        return is_by_digits(layer, self.network[layer.sources[0]])

    def leaving(self, names: set[str]) -> list[str]:
        """Those of a section's layers that another section reads, or reads whole, or the result."""
        found = {self.network.output} & names
        for layer in self.network.layers:
            for place, name in enumerate(layer.sources):
                inside = layer.name in names and (
                    not self.is_serial(name) or self.serial_use(layer, place)
                )
                if name in names and not inside:
                    found.add(name)
        return [each.name for each in self.network.layers if each.name in found]

    def _input(self, first):
        owners = self.owners(first.name)
        to = first.result.plain()
        size = self.lanes * first.size // self.tokens if owners is not None else first.size
        span = ((to.min, to.max, -to.fraction),) * self.reuse
        outputs = tuple(range(size))
        return _Tensor(INPUT, owners, outputs, (-to.fraction,) * size, (span,) * size)

    def places(self, name: str, phase: int):
        """The places, in the whole tensor, of the values that it has in a phase."""
        tensor = self.tensors[name]
        return chosen(tensor.owners, phase * self.lanes, self.lanes)

    def whole(self, name: str) -> list[tuple[Feed, tuple[int, int, int]]]:
        """All values of a tensor, and what they can be; those of a serial one held."""
        tensor = self.tensors[name]
        if tensor.owners is None:
            return [self.value(name, place) for place in range(len(tensor.outputs))]
        found: dict[int, tuple] = {}
        for phase in range(self.reuse):
            for index, place in enumerate(self.places(name, phase)):
                low, high, exponent = tensor.ranges[index][phase]
                drop = exponent - tensor.exponents[index]
                feed = Feed(tensor.section, tensor.outputs[index], drop, phase)
                found[int(place)] = feed, (low, high, exponent)
        return [found[place] for place in range(len(found))]

    def value(self, name: str, index: int) -> tuple[Feed, tuple[int, int, int]]:
        """One value of a whole tensor, or of any phase of a serial one."""
        tensor = self.tensors[name]
        spans, exponent = tensor.ranges[index], tensor.exponents[index]
        low = min(least << (e - exponent) for least, _, e in spans)
        high = max(most << (e - exponent) for _, most, e in spans)
        return Feed(tensor.section, tensor.outputs[index]), (low, high, exponent)

    def _finished(self, sections):
        phases = None
        if self.reuse > 1:
            phases = tuple(
                tuple(int(each) for each in self.places(self.network.input.name, phase))
                for phase in range(self.reuse)
            )
        results = self.whole(self.network.output)
        return Folded(
            self.reuse, tuple(sections), phases,
            tuple(feed for feed, _ in results),
            tuple(exponent for _, (_, _, exponent) in results),
            tuple((low, high) for _, (low, high, _) in results),
        )  # fmt: skip


def sums_of(name: str) -> str:
    """What a layer's sums by digits are called among the tensors."""
    return f"{name} sums"


@dataclass(frozen=True)
class _View:
    """What a builder sees of a network: a section's layers, and a reader of what leaves it."""

    layers: tuple[Layer, ...]
    output: None = None

    def __getitem__(self, name):
        return next(layer for layer in self.layers if layer.name == name)


class _SectionMaker:
    """Lowers the layers of one section."""

    def __init__(self, folding, layers: Sequence[Layer], number: int):
        self.folding, self.layers, self.number = folding, layers, number
        self.serial = folding.is_serial(layers[0].name)
        self.feeds: list[Feed | None] = []
        self.known: dict[Feed | None, int] = {}
        self.values: dict[str, list[Value]] = {}
        self.ranges: dict[Value, tuple] = {}

    def run(self) -> Section:
        now = [self._now(layer) for layer in self.layers]
        leaving = self.folding.leaving({layer.name for layer in self.layers})
        readers = [Layer(f"{name} leaves", name, (1,), self._named(now, name).result)
                   for name in leaving]  # fmt: skip
        self.build = Builder(_View((*now, *readers)), self.folding.choices)
        for layer, original in zip(now, self.layers, strict=True):
            self._lower(layer, original)
        outputs: list[int] = []
        for name in leaving:
            self._leave(name, outputs)
        self.build.graph.outputs = outputs
        return Section(self.build.graph, tuple(self.feeds), self.serial,
                       tuple(layer.name for layer in self.layers),
                       max(1, sum(layer.depth for layer in self.layers)))  # fmt: skip

    def _named(self, layers, name):
        return next(layer for layer in layers if layer.name == name)

    def _now(self, layer):
        """The layer as it is in one cycle."""
        if not self.serial:
            return layer
        lanes = self.folding.lanes
        owners, sources = self.folding.owners(layer.name), self.folding.sources(layer)
        of_phase = [sliced(layer, owners, phase * lanes, lanes, sources)
                    for phase in range(self.folding.reuse)]  # fmt: skip
        first = of_phase[0]
        if isinstance(layer, Cast) and any(each.formats != first.formats for each in of_phase):
            formats = tuple(each.formats for each in of_phase)
            return PhasedCast(first.name, first.sources, first.shape, first.result, formats)
        return first

    def _lower(self, layer, original):
        if self.folding.by_digits(original):
            sums = [self._input(*each) for each in self.folding.whole(sums_of(layer.name))]
            digits = self.folding.digits[layer.name]
            self.values[layer.name] = digits.finish(self.build, sums)
            return
        sources = [self._source(original, place) for place in range(len(layer.sources))]
        if isinstance(layer, PhasedCast):
            made = phased_cast(self.build, layer, *sources, self._phase())
            self.values[layer.name] = [each.value for each in made]
            for each in made:
                self.ranges[each.value] = each.ranges
        else:
            self.values[layer.name] = lowering.MAKERS[type(layer)](self.build, layer, *sources)

    def _source(self, layer, place):
        folding, name = self.folding, layer.sources[place]
        if folding.serial_use(layer, place):
            if name in self.values:
                return self.values[name]
            count = len(folding.tensors[name].outputs)
            return [self._input(*folding.value(name, index)) for index in range(count)]
        if name in self.values and not folding.is_serial(name):
            return self.values[name]
        return [self._input(*each) for each in folding.whole(name)]

    def _input(self, feed, span):
        low, high, exponent = span
        if low == high:
            return Value(self.build.graph.constant(low), exponent)
        return Value(self._node(feed, low, high), exponent)

    def _phase(self):
        return self._node(None, 0, self.folding.reuse - 1)

    def _node(self, feed, low, high):
        if feed not in self.known:
            self.known[feed] = self.build.graph.input(len(self.feeds), low, high)
            self.feeds.append(feed)
        return self.known[feed]

    def _leave(self, name, outputs):
        graph, values = self.build.graph, self.values[name]
        spans = [self.ranges.get(value) or self._range(value) for value in values]
        places = tuple(range(len(outputs), len(outputs) + len(values)))
        outputs += [value.node for value in values]
        self.folding.tensors[name] = _Tensor(
            self.number, self.folding.owners(name), places,
            tuple(value.exponent for value in values), tuple(spans),
        )  # fmt: skip

    def _range(self, value):
        node = self.build.graph[value.node]
        return ((node.low, node.high, value.exponent),) * self.folding.reuse


class _DigitsMaker(_SectionMaker):
    """Lowers the sums of a layer by digits."""

    def run(self) -> Section:
        (layer,) = self.layers
        folding = self.folding
        inputs = folding.whole(layer.sources[0])
        digits = Digits(layer, [span for _, span in inputs], folding.reuse)
        self.build = Builder(_View(()), folding.choices)
        nodes = [
            self._digit(feed, bits, signed, digits.bits)
            for (feed, _), bits, signed in zip(inputs, digits.widths, digits.signed, strict=True)
        ]
        self.build.graph.outputs = digits.lower(self.build, nodes)
        spans = [digits.span(output) for output in range(layer.size)]
        folding.digits[layer.name] = digits
        folding.tensors[sums_of(layer.name)] = _Tensor(
            self.number, None, tuple(range(layer.size)), (digits.exponent,) * layer.size,
            tuple((span,) * folding.reuse for span in spans),
        )  # fmt: skip
        return Section(self.build.graph, tuple(self.feeds), False, (layer.name,), layer.depth,
                       digits.count, digits.bits)  # fmt: skip

    def _digit(self, feed, bits, signed, of):
        if not bits:
            return self.build.graph.constant(0)
        return self._node(replace(feed, digits=(bits, signed)), 0, (1 << min(bits, of)) - 1)
