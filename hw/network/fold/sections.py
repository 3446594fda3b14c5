"""A network in sections: which layers are in a pipeline together, and what is between them.

See docs/decisions/0011-folded-networks.md, and 0014-streamed-networks.md for windows. A section's
layers are lowered for the tokens of one cycle (``tokens / reuse``), or for all values if they are
whole.
"""

import math

import numpy as np

from ...errors import ConfigError, nearest, plain
from ..layers import Contraction, Dense, Layer, Network, Pool, Reshape, Select, check_size
from . import matrix
from .digits import Digits, is_by_digits
from .making import DigitsMaker, MatrixMaker, SectionMaker
from .options import UNROLLED, Reuse
from .paces import Pace, apart
from .plan import INPUT, Feed, Folded, Tensor
from .tokens import Owners, Way, chosen, ways
from .totals import total_of
from .wires import composed


def fold(
    network: Network,
    interval: int,
    choices=None,
    reuse: Reuse = UNROLLED,
    *,
    streamed: bool = False,
) -> Folded:
    """``network`` in ``interval`` cycles per sample (:func:`.options.cycles`), more if a layer in
    ``reuse`` needs them; ``choices``: how to solve matrices (:class:`..cmvm.Options`), instead of
    what suits their size; ``streamed``: tokens come one by one. Raises :class:`ConfigError` for
    layers that cannot be on an array, or cannot be streamed, and for what is too large."""
    shape = network.input.shape
    tokens = math.prod(shape[:-1]) if streamed else shape[0] if len(shape) > 1 else 1
    if streamed:
        network = composed(network)
    phases = min(interval, tokens)
    return _Folding(network, phases, max(interval, reuse.most), choices, reuse, streamed).run()


class _Folding:
    def __init__(self, network, phases, interval, choices, reuse, streamed=False):
        self.network, self.phases, self.interval = network, phases, interval
        self.choices, self.reuse, self.streamed = choices, reuse, streamed
        self.ways: dict[str, Way | None] = {}
        self.levels: dict[str, int] = {}
        self.tensors: dict[str, Tensor] = {}
        self.sums: dict[str, Digits | matrix.Matrix] = {}
        self.arrays: dict[str, int] = {}

    def run(self) -> Folded:
        first = self.network.input
        self._choose_ways()
        tokens = {name: way.pace.tokens for name, way in self.ways.items() if way is not None}
        check_size(self.network, tokens)
        if self.streamed:
            self._check_streamed()
        found = [way.pace for way in self.ways.values() if way is not None]
        self.interval = max(self.interval, apart(found, self.phases))
        self._find_arrays()
        self._find_levels()
        self.tensors[first.name] = self._input(first)
        groups: dict[tuple, list[Layer]] = {}
        paces = [None]
        for layer in self.network.layers[1:]:
            level, pace = self.levels[layer.name], self.pace(layer.name)
            paces += [] if pace in paces else [pace]
            groups.setdefault((level, paces.index(pace), ""), []).append(layer)
            if self.summed(layer):
                groups[level - 1, 0, layer.name] = [layer]
        sections = []
        for number, key in enumerate(sorted(groups)):
            maker = self.summed(groups[key][0]) if key[-1] else SectionMaker
            sections.append(maker(self, groups[key], number).run())
        return self._finished(sections)

    def _find_arrays(self):
        """Which layers are on arrays, in how many cycles each."""
        layers = {layer.name: layer for layer in self.network.layers[1:]}
        for name in self.reuse.layers:
            if name not in layers:
                raise ConfigError(
                    f"reuse: {plain(name)} is no layer of network {plain(self.network.name)}"
                    f"{nearest(name, layers)}"
                )
            if reason := self._no_array(layers[name]):
                raise ConfigError(f"layer {plain(name)}: {reason}")
        if self.reuse.every is not None:
            self.arrays = {name: self.reuse.every for name, layer in layers.items()
                           if not self._no_array(layer)}  # fmt: skip
        self.arrays |= self.reuse.layers

    def _no_array(self, layer):
        if self.is_serial(layer.name):
            return (
                "comes token by token, or pixel by pixel, each in one cycle; let it be unrolled "
                "(Strategy Latency), or neither fold the tokens nor stream them"
            )
        return matrix.refusal(layer, self.network[layer.sources[0]], self.reuse.pe)

    # Which tensors are serial.

    def owners(self, name: str) -> Owners:
        way = self.ways[name]
        return None if way is None else way.owners

    def is_serial(self, name: str) -> bool:
        return self.ways[name] is not None

    def pace(self, name: str) -> Pace | None:
        way = self.ways[name]
        return None if way is None else way.pace

    def sources(self, layer: Layer) -> list[Owners]:
        return [self.owners(name) for name in layer.sources]

    def windows(self, layer: Layer):
        """How the layer takes its sources, if it does so through windows."""
        way = self.ways[layer.name]
        return None if way is None else way.windows

    def _choose_ways(self):
        """Where there are two, the one with which more of the work is serial, the later ones being
        as they come."""
        decided: dict[str, int] = {}
        self._try(decided)
        for layer in self.network.layers[1:]:
            count = len(self._ways(layer))
            if count > 1:
                decided[layer.name] = max(
                    range(count), key=lambda way: self._try(decided | {layer.name: way})
                )
                self._try(decided)

    def _try(self, decided) -> int:
        """Work that is serial with these decisions."""
        first = self.network.input
        each = np.arange(first.size) * self.phases // first.size
        row = first.shape[-2] if self.streamed and len(first.shape) > 2 else self.phases
        way = Way(each, frozenset(), Pace(self.phases, row))
        self.ways = {first.name: way if self.phases > 1 else None}
        work = 0
        for layer in self.network.layers[1:]:
            found = self._ways(layer)
            way = found[decided.get(layer.name, 0)] if found else None
            self.ways[layer.name] = way
            work += 0 if way is None else 1 + layer.n_products
        return work

    def _ways(self, layer):
        """Where tokens come with pauses, or some earlier than others, they cannot wait for what is
        whole."""
        found = ways(layer, [self.ways[name] for name in layer.sources])
        return [
            way for way in found
            if way.windows or len(way.serial) == len(layer.sources)
            or not (self.streamed or way.pace.parent)
        ]  # fmt: skip

    def serial_use(self, layer: Layer, place: int) -> bool:
        """Whether the layer takes that source token by token."""
        way = self.ways[layer.name]
        return way is not None and place in way.serial

    def _check_streamed(self):
        """What is done at every place of an image must be so with one pixel at a time."""
        for layer in self.network.layers[1:]:
            everywhere = (
                (isinstance(layer, Dense) and layer.n_rows > len(layer.matrices))
                or (isinstance(layer, Pool) and math.prod(layer.shape[:-1]) > 1)
                or isinstance(layer, Contraction)
            )
            if everywhere and not self.is_serial(layer.name) and self._of_pixels(layer):
                raise ConfigError(
                    f"layer {plain(layer.name)}: cannot be streamed: it needs pixels in other "
                    "places than a window that moves along the rows sees, counts them otherwise at "
                    "the border, or takes all of them together; change it (an average without "
                    "padding can be), or give io_type='io_parallel'"
                )

    def _of_pixels(self, layer):
        """Whether it takes its values of pixels, but for their order."""
        for name in layer.sources:
            source = self.network[name]
            moved = isinstance(source, Select | Reshape) and not self.is_serial(name)
            if self.is_serial(name) or (moved and self._of_pixels(source)):
                return True
        return False

    # Sections.

    def _find_levels(self):
        """Sections before a layer's own, on the longest way to it."""
        self.levels[self.network.input.name] = 0
        for layer in self.network.layers[1:]:
            level = max(self.levels[name] for name in layer.sources)
            if self.summed(layer):
                level += 2  # its sums have a section of their own
            elif not all(self._alike(layer, place) for place in range(len(layer.sources))):
                level += 1
            self.levels[layer.name] = level

    def _alike(self, layer, place):
        """Whether the layer and this source can be in one section."""
        return self.serial_use(layer, place) == self.is_serial(layer.name) and (
            self.pace(layer.sources[place]) == self.pace(layer.name))  # fmt: skip

    def total(self, layer: Layer) -> str | None:
        """What the layer makes of all tokens of its source, if it does no more."""
        if self.is_serial(layer.name) or not layer.sources:
            return None
        name = layer.sources[0]
        return total_of(layer, self.ways[name], self.network[name])

    def summed(self, layer: Layer) -> type[SectionMaker] | None:
        """What makes a layer's sums in a section of their own, over several cycles; ``None``: they
        are made with the layer."""
        if layer.name in self.arrays:
            return MatrixMaker
        if self.interval == 1 or self.is_serial(layer.name):
            return None
        return DigitsMaker if is_by_digits(layer, self.network[layer.sources[0]]) else None

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
        size = first.size // self.phases if owners is not None else first.size
        span = ((to.min, to.max, -to.fraction),) * self.phases
        outputs = tuple(range(size))
        pace = self.pace(first.name)
        return Tensor(INPUT, owners, pace, outputs, (-to.fraction,) * size, (span,) * size)

    def places(self, name: str, phase: int):
        """The places, in the whole tensor, of the values that it has in a phase."""
        tensor = self.tensors[name]
        return chosen(tensor.owners, phase)

    def whole(self, name: str) -> list[tuple[Feed, tuple[int, int, int]]]:
        """All values of a tensor, and what they can be; those of a serial one held."""
        tensor = self.tensors[name]
        if tensor.owners is None:
            return [self.value(name, place) for place in range(len(tensor.outputs))]
        found: dict[int, tuple] = {}
        for phase in range(tensor.pace.tokens):
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
        if self.phases > 1:
            phases = tuple(
                tuple(int(each) for each in self.places(self.network.input.name, phase))
                for phase in range(self.phases)
            )
        pace = self._leaving_pace()
        if pace is None:
            results = self.whole(self.network.output)
        else:
            count = len(self.tensors[self.network.output].outputs)
            results = [self.value(self.network.output, index) for index in range(count)]
        return Folded(
            self.interval, self.phases, tuple(sections), phases,
            tuple(feed for feed, _ in results),
            tuple(exponent for _, (_, _, exponent) in results),
            tuple((low, high) for _, (low, high, _) in results),
            self.pace(self.network.input.name), self.streamed, pace,
        )  # fmt: skip

    def _leaving_pace(self):
        """That of the result, if it can leave as it comes: its tokens one behind another."""
        tensor = self.tensors[self.network.output]
        in_order = tensor.owners is not None and (np.diff(tensor.owners) >= 0).all()
        return tensor.pace if self.streamed and in_order else None
