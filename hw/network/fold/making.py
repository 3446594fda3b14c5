"""From the layers of one section to its graph, and what leaves it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .. import lower as lowering
from ..graph import Graph
from ..layers import Cast, Layer, PhasedCast
from ..lower.builder import Builder, Value
from .digits import Digits
from .matrix import Matrix
from .phases import cast as phased_cast
from .plan import Feed, Section, Tensor
from .tokens import sliced
from .totals import of_totals
from .windows import of_slots


def sums_of(name: str) -> str:
    """What a layer's sums are called among the tensors, if they have a section of their own."""
    return f"{name} sums"


@dataclass(frozen=True)
class _View:
    """What a builder sees of a network: a section's layers, and a reader of what leaves it.
    ``outside``: what they read of other sections, by name, of as many values as they see."""

    layers: tuple[Layer, ...]
    outside: dict[str, Layer]
    output: None = None

    def __getitem__(self, name):
        inside = (layer for layer in self.layers if layer.name == name)
        return next(inside, None) or self.outside[name]


class SectionMaker:
    """Lowers the layers of one section."""

    def __init__(self, folding, layers: Sequence[Layer], number: int):
        self.folding, self.layers, self.number = folding, layers, number
        self.pace = folding.pace(layers[0].name)
        self.feeds: list[Feed | None] = []
        self.known: dict[Feed | None, int] = {}
        self.values: dict[str, list[Value]] = {}
        self.ranges: dict[Value, tuple] = {}

    def run(self) -> Section:
        now = [self._now(layer) for layer in self.layers]
        leaving = self.folding.leaving({layer.name for layer in self.layers})
        readers = [Layer(f"{name} leaves", name, (1,), self._named(now, name).result)
                   for name in leaving]  # fmt: skip
        outside = {name: self._outside(name) for layer in now for name in layer.sources}
        self.build = Builder(_View((*now, *readers), outside), self.folding.choices, self._phase)
        for layer, original in zip(now, self.layers, strict=True):
            self._lower(layer, original)
        outputs: list[int] = []
        for name in leaving:
            self._leave(name, outputs)
        self.build.graph.outputs = outputs
        return Section(self.build.graph, tuple(self.feeds), self.pace,
                       tuple(layer.name for layer in self.layers),
                       max(1, sum(layer.depth for layer in self.layers)))  # fmt: skip

    def _outside(self, name):
        """A source's format, and its values: those of one cycle, if it comes so."""
        layer, folding = self.folding.network[name], self.folding
        pace = folding.pace(name) if self.pace else None
        return Layer(name, None, (layer.size // (pace.tokens if pace else 1),), layer.result)

    def _named(self, layers, name):
        return next(layer for layer in layers if layer.name == name)

    def _now(self, layer):
        """The layer as it is in one cycle."""
        if self.pace is None:
            return of_totals(layer) if self.folding.total(layer) else layer
        windows = self.folding.windows(layer)
        if windows is not None:
            return of_slots(layer, windows)
        owners, sources = self.folding.owners(layer.name), self.folding.sources(layer)
        of_phase = [sliced(layer, owners, phase, sources)
                    for phase in range(self.pace.tokens)]  # fmt: skip
        first = of_phase[0]
        if isinstance(layer, Cast) and any(each.formats != first.formats for each in of_phase):
            formats = tuple(each.formats for each in of_phase)
            return PhasedCast(first.name, first.sources, first.shape, first.result, formats)
        return first

    def _lower(self, layer, original):
        if self.folding.summed(original):
            sums = [self._input(*each) for each in self.folding.whole(sums_of(layer.name))]
            self.values[layer.name] = self.folding.sums[layer.name].finish(self.build, sums)
            return
        windows = self.folding.windows(original)
        if windows is not None:
            sources = [self._slots(original, windows)]
        else:
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
            return [self._input(*each) for each in self._tokens(name)]
        if total := folding.total(layer):
            return self._totals(name, total)
        if name in self.values and not folding.is_serial(name):
            return self.values[name]
        return [self._input(*each) for each in folding.whole(name)]

    def _tokens(self, name):
        """The values of a token of another section."""
        joined = self.pace not in (None, self.folding.pace(name))
        for index in range(len(self.folding.tensors[name].outputs)):
            feed, span = self.folding.value(name, index)
            feed = replace(feed, joined=joined)
            if joined and not index:
                self._told(feed, span)
            yield feed, span

    def _totals(self, name, operation):
        count = self.folding.pace(name).tokens if operation == "add" else 1
        return [
            self._input(replace(feed, total=operation), (low * count, high * count, exponent))
            for feed, (low, high, exponent) in self._tokens(name)
        ]

    def _slots(self, layer, windows):
        """A token's values through windows, of all sources one after another."""
        slots = [(layer.sources[slot.source], slot) for slot in windows.slots]
        name, slot = next(each for each in slots if each[1].window)
        self._told(*self._through(name, slot))
        return [self._slot(name, slot) for name, slot in slots]

    def _slot(self, name, slot):
        if slot.window is None:
            return self.build.constant(0, -self.folding.network[name].result.fraction)
        return self._input(*self._through(name, slot))

    def _through(self, name, slot):
        """A slot's feed, and what it can be."""
        fraction = self.folding.network[name].result.fraction
        feed, (low, high, exponent) = self.folding.value(name, slot.place)
        window = slot.window
        if not window.always:
            if low == high == 0:
                exponent = -fraction
            outside = window.outside >> exponent + fraction  # a sign, or the bit in its place
            window = replace(window, outside=outside)
            low, high = min(low, outside), max(high, outside)
        return replace(feed, window=window), (low, high, exponent)

    def _told(self, feed, span):
        """Takes a feed also if it is constant, as its pace is known by it."""
        low, high, _ = span
        self._node(feed, low, high)

    def _input(self, feed, span):
        low, high, exponent = span
        if low == high:
            return Value(self.build.graph.constant(low), exponent)
        return Value(self._node(feed, low, high), exponent)

    def _phase(self):
        return self._node(None, 0, self.pace.tokens - 1)

    def _node(self, feed, low, high):
        if feed not in self.known:
            self.known[feed] = self.build.graph.input(len(self.feeds), low, high)
            self.feeds.append(feed)
        return self.known[feed]

    def _leave(self, name, outputs):
        values = self.values[name]
        spans = [self.ranges.get(value) or self._range(value) for value in values]
        places = tuple(range(len(outputs), len(outputs) + len(values)))
        outputs += [value.node for value in values]
        self.folding.tensors[name] = Tensor(
            self.number, self.folding.owners(name), self.pace, places,
            tuple(value.exponent for value in values), tuple(spans),
        )  # fmt: skip

    def _range(self, value):
        node = self.build.graph[value.node]
        return ((node.low, node.high, value.exponent),) * (self.pace.tokens if self.pace else 1)


class _SumsMaker(SectionMaker):
    """What makes the sums of one whole layer."""

    def _left(self, sums, spans):
        """The tensor of the sums, each of which can be what its span says."""
        layer, folding = self.layers[0], self.folding
        folding.sums[layer.name] = sums
        folding.tensors[sums_of(layer.name)] = Tensor(
            self.number, None, None, tuple(range(layer.size)), tuple(span[-1] for span in spans),
            tuple((span,) for span in spans),
        )  # fmt: skip


class DigitsMaker(_SumsMaker):
    """Lowers the sums of a layer by digits."""

    def run(self) -> Section:
        (layer,) = self.layers
        folding = self.folding
        inputs = folding.whole(layer.sources[0])
        digits = Digits(layer, [span for _, span in inputs], folding.interval)
        self.build = Builder(_View((), {}), folding.choices)
        nodes = [
            self._digit(feed, bits, signed, digits.bits)
            for (feed, _), bits, signed in zip(inputs, digits.widths, digits.signed, strict=True)
        ]
        self.build.graph.outputs = digits.lower(self.build, nodes)
        self._left(digits, [digits.span(output) for output in range(layer.size)])
        return Section(self.build.graph, tuple(self.feeds), None, (layer.name,), layer.depth,
                       digits.count, digits.bits)  # fmt: skip

    def _digit(self, feed, bits, signed, of):
        if not bits:
            return self.build.graph.constant(0)
        return self._node(replace(feed, digits=(bits, signed)), 0, (1 << min(bits, of)) - 1)


class MatrixMaker(_SumsMaker):
    """Puts the sums of a layer on an array."""

    def run(self) -> Section:
        (layer,) = self.layers
        folding, inputs = self.folding, self.folding.whole(layer.sources[0])
        spans = [span for _, span in inputs]
        made = Matrix(layer, spans, folding.arrays[layer.name], folding.reuse.pe)
        self._left(made, [made.span(output) for output in range(layer.size)])
        feeds = tuple(feed for feed, _ in inputs)
        return Section(Graph(), feeds, None, (layer.name,), 0, matrix=made)
