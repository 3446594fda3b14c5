"""A layered drawing, top to bottom: which layer a node is in, and its place there.

After K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
structures" (1981): layers by longest path, order by barycentres; lines are horizontal and vertical.
Nodes and edges are plain numbers, so that nothing here depends on what is drawn.
"""

from dataclasses import dataclass
from itertools import pairwise

GAP = 26  # between neighbours in a layer
TRACK = 12  # between parallel lines
PORT = 42  # between lines that end at a node
SWEEPS = 12


@dataclass(eq=False)
class Place:
    """A node, or a point where a line passes through a layer."""

    layer: int
    width: float
    height: float = 0
    node: int | None = None
    x: float = 0  # its middle
    y: float = 0  # its top


class Layout:
    """Places of nodes (``sizes``: width and height; ``bounds``: first and last layer of each), and
    of lines where they pass a layer. ``weights``: (source, target) of every line, and how much it
    should be straight; ``back``: those that run upwards.

    ``rows``: the places of each layer, from left to right; x is final, y is not yet. ``pieces``:
    what runs between neighbouring layers, as (source node, place, place, how): ``across`` from the
    first down to the second, ``above`` between two of a layer, both from below, or ``below``.
    """

    def __init__(self, sizes, weights, bounds, back=()):
        self.weights, self.back = weights, set(back)
        layers = _layers(bounds, [edge for edge in weights if edge not in self.back])
        self.places = [Place(layers[n], *sizes[n], node=n) for n in range(len(sizes))]
        self.rows = [[] for _ in range(max(layers) + 1)]
        for place in self.places:
            self.rows[place.layer].append(place)
        self.pieces = []
        self.chains = {}  # (source, layer) -> place, for lines down
        for edge in weights:
            self._up(*edge) if edge in self.back else self._down(*edge)
        self._order()
        self._across()

    def _dummy(self, layer):
        place = Place(layer, 8)
        self.rows[layer].append(place)
        return place

    def _down(self, source, target):
        """Lines of one source share their way down."""
        place = self.places[source]
        for layer in range(place.layer + 1, self.places[target].layer):
            if (source, layer) not in self.chains:
                self.chains[source, layer] = self._dummy(layer)
                self.pieces.append((source, place, self.chains[source, layer], "across"))
            place = self.chains[source, layer]
        self.pieces.append((source, place, self.places[target], "across"))

    def _up(self, source, target):
        """From below the source, through its layer and all up to the target's, to above that."""
        low, high = self.places[source], self.places[target]
        way = [self._dummy(layer) for layer in range(low.layer, high.layer - 1, -1)]
        self.pieces.append((source, low, way[0], "above"))  # both ends are above the lines
        for lower, upper in pairwise(way):
            self.pieces.append((source, upper, lower, "across"))
        self.pieces.append((source, way[-1], high, "below"))

    def _neighbours(self):
        found = {place: ([], []) for row in self.rows for place in row}
        for _, one, other, how in self.pieces:
            if how == "across":
                found[one][1].append(other)
                found[other][0].append(one)
            else:  # neighbours in a layer: pull towards each other both ways
                for side in (0, 1):
                    found[other][side].append(one)
        return found

    def _order(self):
        near = self._neighbours()
        best, order = None, None
        for sweep in range(2 * SWEEPS):
            down = sweep % 2 == 0
            spot = {p: (i + 0.5) / len(row) for row in self.rows for i, p in enumerate(row)}
            for row in self.rows if down else self.rows[::-1]:
                middle = {
                    p: sum(spot[n] for n in near[p][not down]) / len(near[p][not down])
                    if near[p][not down]
                    else spot[p]
                    for p in row
                }
                row.sort(key=middle.get)
                spot |= {p: (i + 0.5) / len(row) for i, p in enumerate(row)}
            crossed = self._crossings()
            if best is None or crossed < best:
                best, order = crossed, [list(row) for row in self.rows]
        self.rows = order

    def _crossings(self):
        spot = {place: i for row in self.rows for i, place in enumerate(row)}
        total = 0
        for layer in range(len(self.rows)):
            lines = [
                (spot[a], spot[b])
                for _, a, b, how in self.pieces
                if how == "across" and a.layer == layer
            ]
            total += sum(
                (a - c) * (b - d) < 0 for i, (a, b) in enumerate(lines) for c, d in lines[:i]
            )
        sideways = sum(abs(spot[a] - spot[b]) for _, a, b, how in self.pieces if how != "across")
        return total, sideways

    def _across(self):
        """Each place as near to its neighbours as order and widths allow: least sum of distances,
        by least squares weighted anew with each sweep, so that most lines are straight."""
        near = self._pulls()
        for row in self.rows:
            start = spread([0] * len(row), _gaps(row), [1] * len(row))
            for place, x in zip(row, start, strict=True):
                place.x = x
        for sweep in range(SWEEPS * 10):
            for row in self.rows if sweep % 2 == 0 else self.rows[::-1]:
                wishes, weights = [], []
                for place in row:
                    pulls = [(x.x, weight / (abs(x.x - place.x) + 2)) for x, weight in near[place]]
                    total = sum(weight for _, weight in pulls)
                    wishes.append(sum(x * weight for x, weight in pulls) / total)
                    weights.append(total)
                for place, x in zip(row, spread(wishes, _gaps(row), weights), strict=True):
                    place.x = x
        left = min(place.x - place.width / 2 for row in self.rows for place in row)
        for row in self.rows:
            for place in row:
                place.x = round(place.x - left)
        self._straighten()

    def _straighten(self):
        """Lines that are all but straight, straight."""
        for _ in self.rows:
            for _, one, other, how in self.pieces:
                if how == "across" and 0 < abs(other.x - one.x) <= GAP / 4:
                    if other.node is None:
                        other.x = one.x
                    elif one.node is None:
                        one.x = other.x

    def _pulls(self):
        """``(neighbour, weight)`` of every place: lines that pass many layers should be straight
        first of all, then the widest."""
        found = {place: [(place, 1e-6)] for row in self.rows for place in row}
        for source, one, other, _ in self.pieces:
            weight = self.weights.get((source, other.node), 1)
            if one.node is None or other.node is None:
                weight = 8 if one.node is None and other.node is None else 2
            found[one].append((other, weight))
            found[other].append((one, weight))
        return found


def _layers(bounds, edges):
    """Longest path, then as late as what reads a node allows if nothing else is made longer."""
    count, layers = len(bounds), [first for first, _ in bounds]
    for _ in range(count):
        for source, target in edges:
            layers[target] = max(layers[target], layers[source] + 1)
    assert all(layers[target] > layers[source] for source, target in edges)
    inputs = [sum(target == node for _, target in edges) for node in range(count)]
    for _ in range(count):
        for node in range(count):
            behind = [layers[target] for source, target in edges if source == node]
            if behind and inputs[node] <= 1:
                layers[node] = max(layers[node], min(min(behind) - 1, bounds[node][1]))
    used = sorted(set(layers))
    return [used.index(layer) for layer in layers]


def _gaps(row):
    """Least distances of the middles of neighbours in a row."""
    gaps = []
    for one, other in pairwise(row):
        gap = GAP if one.node is not None or other.node is not None else TRACK
        gaps.append((one.width + other.width) / 2 + gap)
    return gaps


def spread(wishes, gaps, weights):
    """Least squares: as near to ``wishes`` as their order and ``gaps`` allow (pool adjacent
    violators)."""
    offsets, pools = [0.0], []
    for gap in gaps:
        offsets.append(offsets[-1] + gap)
    for wish, offset, weight in zip(wishes, offsets, weights, strict=True):
        pools.append([wish - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            x, weight, size = pools.pop()
            last = pools[-1]
            last[0] = (last[0] * last[1] + x * weight) / (last[1] + weight)
            last[1] += weight
            last[2] += size
    starts = [pool[0] for pool in pools for _ in range(pool[2])]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]
