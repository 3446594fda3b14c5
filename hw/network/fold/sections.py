"""A network in sections: which layers are in a pipeline together, and what is between them.

See docs/decisions/0011-folded-networks.md. A section's layers are lowered for the tokens of one
cycle (``tokens / reuse``), or for all values if they are whole.
"""

import numpy as np

from ...errors import ConfigError, nearest, plain
from ..layers import Layer, Network
from . import matrix
from .digits import Digits, is_by_digits
from .making import DigitsMaker, MatrixMaker, SectionMaker
from .options import UNROLLED, Reuse
from .plan import INPUT, Feed, Folded, Tensor
from .tokens import Owners, Way, chosen, ways


def fold(network: Network, interval: int, choices=None, reuse: Reuse = UNROLLED) -> Folded:
    """``network`` in ``interval`` cycles per sample (:func:`.options.cycles`), more if a layer in
    ``reuse`` needs them; ``choices``: how to solve matrices (:class:`..cmvm.Options`), instead of
    what suits their size. Raises :class:`ConfigError` for layers that cannot be on an array."""
    tokens = network.input.shape[0] if len(network.input.shape) > 1 else 1
    phases = min(interval, tokens)
    return _Folding(network, phases, max(interval, reuse.most), choices, reuse).run()


class _Folding:
    def __init__(self, network, phases, interval, choices, reuse):
        self.network, self.phases, self.interval = network, phases, interval
        self.choices, self.reuse = choices, reuse
        self.ways: dict[str, Way | None] = {}
        self.levels: dict[str, int] = {}
        self.tensors: dict[str, Tensor] = {}
        self.sums: dict[str, Digits | matrix.Matrix] = {}
        self.arrays: dict[str, int] = {}

    def run(self) -> Folded:
        first = self.network.input
        self._choose_ways()
        self._find_arrays()
        self._find_levels()
        self.tensors[first.name] = self._input(first)
        groups: dict[tuple, list[Layer]] = {}
        for layer in self.network.layers[1:]:
            level, serial = self.levels[layer.name], self.is_serial(layer.name)
            groups.setdefault((level, serial, ""), []).append(layer)
            if self.summed(layer):
                groups[level - 1, False, layer.name] = [layer]
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
                "comes token by token, each in one cycle; let it be unrolled, or do not fold the "
                "tokens"
            )
        return matrix.refusal(layer, self.network[layer.sources[0]], self.reuse.pe)

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
            count = len(ways(layer, self.sources(layer), self.phases))
            if count > 1:
                decided[layer.name] = max(
                    range(count), key=lambda way: self._try(decided | {layer.name: way})
                )
                self._try(decided)

    def _try(self, decided) -> int:
        """Work that is serial with these decisions."""
        first = self.network.input
        each = np.arange(first.size) * self.phases // first.size
        self.ways = {first.name: Way(each, frozenset()) if self.phases > 1 else None}
        work = 0
        for layer in self.network.layers[1:]:
            found = ways(layer, self.sources(layer), self.phases)
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
            if self.summed(layer):
                level += 2  # its sums have a section of their own
            elif not all(self._alike(layer, place) for place in range(len(layer.sources))):
                level += 1
            self.levels[layer.name] = level

    def _alike(self, layer, place):
        """Whether the layer and this source can be in one section."""
        if not self.is_serial(layer.sources[place]):
            return not self.is_serial(layer.name)
        return self.serial_use(layer, place)

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
        return Tensor(INPUT, owners, outputs, (-to.fraction,) * size, (span,) * size)

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
        for phase in range(self.phases):
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
        results = self.whole(self.network.output)
        return Folded(
            self.interval, self.phases, tuple(sections), phases,
            tuple(feed for feed, _ in results),
            tuple(exponent for _, (_, _, exponent) in results),
            tuple((low, high) for _, (low, high, _) in results),
        )  # fmt: skip
