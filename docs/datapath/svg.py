"""Draws a datapath."""

from html import escape

from .blocks import DRAIN, EDGE, PE
from .graph import SELECT, Graph
from .layers import PORT, Layout
from .lines import Lines
from .words import Words

INK, FAINT, LINE, PAPER = "#1c2733", "#5d6975", "#8a97a3", "#ffffff"
FONT = "Helvetica, Arial, sans-serif"
COLOURS = {  # fill, border
    "port": ("#ffffff", "#5d6975"),
    "result": ("#ffffff", "#5d6975"),
    "box": ("#fbeeda", "#a8650f"),
    "register": ("#dce7f8", "#2a5db0"),
    "counters": ("#d9f0e6", "#1b7f5c"),
    "adder": ("#d9f0e6", "#1b7f5c"),
    "multiplier": ("#d9f0e6", "#1b7f5c"),
    "multiplexer": ("#f3f4f6", "#5d6975"),
    "complement": ("#f3f4f6", "#5d6975"),
    "logic": ("#f3f4f6", "#5d6975"),
}
BANDS = {EDGE: ("EDGE", "#fdf8f0"), PE: ("PE", "#f2f6fc"), DRAIN: ("DRAIN", "#f1f8f5")}
LEFT, PAD = 34, 14


def picture(graph: Graph, words: Words, title: str) -> str:
    return _Picture(graph, words, title).text()


class _Picture:
    def __init__(self, graph, words, title):
        self.graph, self.title = graph, title
        self.labels = [words.of(block) for block in graph.blocks]
        number = {block: n for n, block in enumerate(graph.blocks)}
        self.edges = {(number[e.source], number[e.target]): e for e in graph.edges}
        back = {(number[e.source], number[e.target]) for e in graph.feedback()}
        self.layout = Layout(
            [
                self._size(*label, sum(target == n for _, target in self.edges))
                for n, label in enumerate(self.labels)
            ],
            {pair: _weight(edge) for pair, edge in self.edges.items()},
            _bounds(graph, number, back),
            back,
        )
        self.lines = Lines(self.layout)

    @staticmethod
    def _size(title, lines, inputs):
        texts = [7.6 * len(title), *(6.4 * len(line) for line in lines)]
        return round(max(*texts, 30, PORT * inputs - 20) + 24), 30 + 15 * len(lines)

    def text(self) -> str:
        width = round(self.lines.width) + LEFT + 2 * PAD
        height = round(self.lines.height) + 2 * PAD
        parts = [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
            f"width='{width}' height='{height}' font-family='{FONT}' role='img' "
            f"aria-label='{escape(self.title, quote=True)}'>",
            "<defs><marker id='tip' viewBox='0 0 8 8' refX='8' refY='4' markerWidth='7' "
            f"markerHeight='7' orient='auto'><path d='M0 0 8 4 0 8z' fill='{FAINT}'/></marker>"
            "</defs>",
            f"<rect width='{width}' height='{height}' fill='{PAPER}'/>",
            *self._bands(width),
            f"<g transform='translate({LEFT + PAD} {PAD})'>",
            *self._lines(),
            *(line for place in self.layout.places for line in self._node(place)),
            *self._widths(),
            "</g></svg>",
        ]
        return "\n".join(parts) + "\n"

    def _bands(self, width):
        for section, (name, colour) in BANDS.items():
            mine = [p for p in self.layout.places if self.graph.blocks[p.node].section == section]
            if not mine:
                continue
            top = round(min(p.y for p in mine)) + PAD - 7
            height = round(max(p.y + p.height for p in mine)) + PAD + 7 - top
            yield (
                f"<rect x='4' y='{top}' width='{width - 8}' height='{height}' rx='8' "
                f"fill='{colour}'/>"
            )
            yield (
                f"<text transform='translate(20 {top + height / 2:g}) rotate(-90)' font-size='12' "
                f"fill='{FAINT}' text-anchor='middle' letter-spacing='1'>{escape(name)}</text>"
            )

    def _node(self, place):
        block = self.graph.blocks[place.node]
        fill, border = COLOURS[block.kind]
        title, lines = self.labels[place.node]
        x, y, w, h = round(place.x - place.width / 2), round(place.y), place.width, place.height
        style = f"fill='{fill}' stroke='{border}' stroke-width='1.4'"
        if block.kind == "multiplexer":
            yield f"<path d='M{x} {y}h{w}l-9 {h}h{18 - w}z' {style}/>"
        else:
            corner = {"port": h / 2, "result": h / 2, "register": 0}.get(block.kind, 6)
            yield f"<rect x='{x}' y='{y}' width='{w}' height='{h}' rx='{corner:g}' {style}/>"
        if block.kind == "register":
            yield f"<path d='M{x} {y + h - 12}l8 5-8 5' fill='none' stroke='{border}'/>"
        middle = x + w / 2
        yield _text(middle, y + 20, title, 13, INK, "bold")
        for number, line in enumerate(lines):
            yield _text(middle, y + 35 + 15 * number, line, 12, FAINT)

    def _lines(self):
        for channel in self.lines.channels:
            for net in channel:
                xs = net.ends()
                if min(xs) != max(xs):
                    yield _path(f"M{min(xs)} {net.track:g}H{max(xs)}")
                for place, x in net.above:
                    yield _path(f"M{x} {round(place.y + place.height)}V{net.track:g}")
                for place, x in net.below:
                    tip = place.node is not None
                    yield _path(f"M{x} {net.track:g}V{round(place.y)}", tip)
                for x in sorted(set(xs)):
                    sides = {x == end for _, end in net.above}, {x == end for _, end in net.below}
                    if sum(True in side for side in sides) + (x > min(xs)) + (x < max(xs)) > 2:
                        yield f"<circle cx='{x}' cy='{net.track:g}' r='2.6' fill='{FAINT}'/>"
        for row in self.layout.rows:
            for place in row:
                if place.node is None:
                    yield _path(f"M{place.x} {place.y:g}V{place.y + place.height:g}")

    def _widths(self):
        for channel in self.lines.channels:
            for net in channel:
                for place, x in net.below:
                    if place.node is not None:
                        edge = self.edges[net.source, place.node]
                        colour = FAINT if edge.role != SELECT else "#a8650f"
                        yield _text(x + 7, place.y - 5, _bits(edge), 11, colour, anchor="start")


def _bits(edge) -> str:
    count = len(edge.source.copies)
    apart = edge.source.kind in ("box", "complement", "multiplexer")
    if count > 1 and edge.bits % count == 0 and apart:
        return f"{count} × {edge.bits // count}" if edge.bits > count else str(count)
    return str(edge.bits)


def _text(x, y, content, size, colour, weight="", anchor="middle"):
    bold = f" font-weight='{weight}'" if weight else ""
    return (
        f"<text x='{x:g}' y='{y:g}' font-size='{size}' fill='{colour}' "
        f"text-anchor='{anchor}'{bold}>{escape(content)}</text>"
    )


def _path(d, tip=False):
    end = " marker-end='url(#tip)'" if tip else ""
    return f"<path d='{d}' stroke='{LINE}' stroke-width='1.5' fill='none'{end}/>"


def _weight(edge):
    return edge.bits * (0.2 if edge.role == SELECT else 1) / 32


def _bounds(graph, number, back):
    """First and last layer of each block: edge above PE above drain."""
    bounds, offset = {}, 0
    for section in BANDS:
        mine = [number[b] for b in graph.blocks if b.section == section]
        depth = dict.fromkeys(mine, 0)
        pairs = [(number[e.source], number[e.target]) for e in graph.edges]
        pairs = [p for p in pairs if p not in back and p[0] in depth and p[1] in depth]
        for _ in mine:
            for source, target in pairs:
                depth[target] = max(depth[target], depth[source] + 1)
        end = offset + max(depth.values(), default=-1) + 1
        bounds |= dict.fromkeys(mine, (offset, end - 1))
        offset = end
    return [bounds[node] for node in range(len(bounds))]
