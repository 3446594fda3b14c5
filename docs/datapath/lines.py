"""Where the lines of a layered drawing run: down to a track between two layers, along it, and down.

What comes from one place is one net, which parts on its track.
"""

from dataclasses import dataclass, field

from .layers import PORT, TRACK, Layout, Place, spread

MARGIN = 13  # between a node and the first line above or below it
NEAR = 6  # lines closer than this look like one


@dataclass(eq=False)
class Net:
    """What runs between two layers from one place of a source on: ``above`` and ``below`` are the
    places it ends at in the upper and in the lower layer, with the x of each end."""

    source: int
    above: list[tuple[Place, float]] = field(default_factory=list)
    below: list[tuple[Place, float]] = field(default_factory=list)
    track: float = 0

    def ends(self) -> list[float]:
        return [x for _, x in self.above + self.below]


class Lines:
    """Lines of a layout. ``channels``: the nets above each layer, and below the last; ``width`` and
    ``height`` of the drawing. Gives every place its y."""

    def __init__(self, layout: Layout):
        self.rows = layout.rows
        self.channels = self._nets(layout.pieces)
        for layer, row in enumerate(self.rows):
            self._land(row, self.channels[layer])
        self.width = max(place.x + place.width / 2 for row in self.rows for place in row)
        self.height = self._heights()

    def _nets(self, pieces):
        channels = [{} for _ in range(len(self.rows) + 1)]
        for source, one, other, how in pieces:
            channel = channels[one.layer + (how != "below")]
            net = channel.setdefault(one, Net(source))
            own = net.below if how == "below" else net.above
            if not any(place is one for place, _ in own):
                own.append((one, one.x))
            (net.above if how == "above" else net.below).append((other, other.x))
        return [list(channel.values()) for channel in channels]

    def _land(self, row, channel):
        """Where on a node's upper side lines end: below where they come from, if they can."""
        arriving = {place: [] for place in row if place.node is not None}
        for net in channel:
            for index, (place, _) in enumerate(net.below):
                if place in arriving:
                    start = (net.above or net.below)[0][1]
                    arriving[place].append((start, len(arriving[place]), net, index))
        for place, ends in arriving.items():
            if not ends:
                continue
            ends.sort(key=lambda end: end[:2])
            half = place.width / 2 - 10
            gap = min(PORT, 2 * half / max(len(ends) - 1, 1))
            xs = spread([end[0] for end in ends], [gap] * (len(ends) - 1), [1] * len(ends))
            for number, (x, (_, _, net, index)) in enumerate(zip(xs, ends, strict=True)):
                low = place.x - half + gap * number
                high = place.x + half - gap * (len(ends) - 1 - number)
                net.below[index] = place, round(min(max(x, low), high))

    def _heights(self):
        y = 0
        for layer, channel in enumerate(self.channels):
            tracks = _tracks(channel)
            for net, track in zip(channel, tracks, strict=True):
                net.track = y + MARGIN + track * TRACK
            lines = max(tracks, default=-1) + 1
            if channel:
                y += MARGIN + (lines * TRACK + MARGIN if lines else MARGIN // 2)
            if layer < len(self.rows):
                height = max(place.height for place in self.rows[layer])
                for place in self.rows[layer]:
                    if place.node is None:
                        place.height = height
                    place.y = y + (height - place.height) / 2
                y += height
        return y


def _tracks(channel):
    """A track for each net of a channel, so that no two lines lie on each other; -1: straight."""
    spans = [(min(net.ends()), max(net.ends())) for net in channel]
    above = [[x for _, x in net.above] for net in channel]
    below = [[x for _, x in net.below] for net in channel]
    tracks = [-1] * len(channel)
    left = [n for n, (start, end) in enumerate(spans) if start != end]

    def higher(one, other):
        """Whether net ``one`` must be above ``other``, coming down where the other goes on."""
        return any(abs(x - y) < NEAR for x in above[one] for y in below[other])

    while left:
        free = [n for n in left if not any(higher(o, n) for o in left if o != n)] or left
        chosen = min(free, key=lambda n: (spans[n][1] - spans[n][0], spans[n][0]))
        left.remove(chosen)
        start, end = spans[chosen]
        after = [tracks[o] + 1 for o in range(len(channel)) if tracks[o] >= 0 and higher(o, chosen)]
        track = max(after, default=0)
        while any(
            tracks[o] == track and spans[o][0] <= end + NEAR and start <= spans[o][1] + NEAR
            for o in range(len(channel))
        ):
            track += 1
        tracks[chosen] = track
    return tracks
