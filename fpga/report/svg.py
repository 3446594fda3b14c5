"""The pictures of a report: inline SVG, coloured by the page's style sheet, told in words too."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from markupsafe import Markup, escape

from .reading import Cell

PARTS = 8
"""Parts of a design that have a colour of their own in the placement; the others share one."""


def _picture(
    width: float, height: float, name: str, about: str, content: list[str], attributes: str = ""
) -> Markup:
    """An SVG that is read out as ``about``; ``content`` and ``attributes`` are markup already."""
    box = f"0 0 {width:g} {height:g}"
    return Markup("").join(
        [
            Markup('<svg class="{}" viewBox="{}" {}role="img" aria-label="{}">').format(
                name, box, Markup(attributes), about
            ),
            Markup("\n".join(content)),
            Markup("</svg>"),
        ]
    )


def bar(name: str, percent: float | None) -> Markup:
    """How much of a resource is used, as a bar; more than there is fills it in another colour."""
    if percent is None:
        return Markup("")
    width = min(percent, 100)
    kind = "over" if percent > 100 else "used"
    return _picture(
        100,
        8,
        "bar",
        f"{name}: {percent:g} % used",
        [
            '<rect class="all" width="100" height="8"/>',
            f'<rect class="{kind}" width="{width:g}" height="8"/>',
        ],
        'preserveAspectRatio="none" ',
    )


def ranked(cells: Sequence[Cell]) -> list[str]:
    """The parts with a colour of their own, those with most cells first."""
    counts = Counter(cell.part for cell in cells)
    return sorted(counts, key=lambda part: (-counts[part], part))[:PARTS]


def placement(cells: Sequence[Cell]) -> Markup:
    """Each tile in the colour of the part that has most cells in it; one path per colour."""
    if not cells:
        return Markup("")
    colours = {part: number for number, part in enumerate(ranked(cells))}
    tiles: dict[tuple[int, int], Counter] = defaultdict(Counter)
    for cell in cells:
        tiles[cell.y, cell.x][colours.get(cell.part, PARTS)] += 1
    width, height = max(cell.x for cell in cells) + 1, max(cell.y for cell in cells) + 1
    paths: dict[int, list[str]] = defaultdict(list)
    for colour, x, y, length in _runs(tiles):
        paths[colour].append(f"M{x} {y}h{length}v1h-{length}z")
    told = ", ".join(colours) + (" and others" if PARTS in paths else "")
    return _picture(
        width,
        height,
        "placement",
        f"Placement on a grid of {width} by {height} tiles, {len(tiles)} of them used, coloured by "
        f"part of the design: {told}",
        [
            f'<rect class="all" width="{width}" height="{height}"/>',
            *(f'<path class="part{n}" d="{"".join(d)}"/>' for n, d in sorted(paths.items())),
        ],
    )


def _runs(tiles: dict[tuple[int, int], Counter]):
    """(colour, x, y, length): neighbours in a row with the same colour are one."""
    run = None
    for y, x in sorted(tiles):
        count = tiles[y, x]
        colour = min(count, key=lambda each: (-count[each], each))
        if run and run[0] == colour and run[2] == y and run[1] + run[3] == x:
            run = (colour, run[1], y, run[3] + 1)
            continue
        if run:
            yield run
        run = (colour, x, y, 1)
    if run:
        yield run


# Roofline: logarithmic axes, x in multiply-accumulates per byte, y in GMAC/s.

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 14, 44


class _Axes:
    """From values to places, on whole decades that hold all of ``xs`` and ``ys``."""

    def __init__(self, xs: list[float], ys: list[float]):
        self.x, self.y = _decades(xs), _decades(ys)

    def at_x(self, value: float) -> float:
        low, high = self.x
        return LEFT + (math.log10(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def at_y(self, value: float) -> float:
        low, high = self.y
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def draw(self) -> list[str]:
        lines, step = [], 2 if self.y[1] - self.y[0] > 6 else 1
        for power in range(self.x[0], self.x[1] + 1):
            x = self.at_x(10.0**power)
            lines.append(f'<path class="grid" d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}"/>')
            lines.append(_text(x, HEIGHT - BOTTOM + 16, f"{10.0**power:g}"))
        for power in range(self.y[0], self.y[1] + 1, step):
            y = self.at_y(10.0**power)
            lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            lines.append(_text(LEFT - 6, y + 4, f"{10.0**power:g}", "end"))
        lines.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, "MAC per byte moved"))
        y = (TOP + HEIGHT - BOTTOM) / 2
        lines.append(
            f'<text transform="translate(12 {y:g}) rotate(-90)" text-anchor="middle">GMAC/s</text>'
        )
        return lines


def _decades(values: list[float]) -> tuple[int, int]:
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def roofline(performance: dict) -> Markup:
    """Roofs of the streams and of the serial link, and each job under both."""
    peak, jobs = performance["peak_gmac_s"], performance["jobs"]
    roofs = {
        "streams": performance["stream_bytes_s"] / 1e9,
        "link": performance["link_bytes_s"] / 1e9,
    }
    xs = [job["macs_per_byte"] for job in jobs]
    xs = [min(*xs, peak / roofs["streams"]) / 2, max(xs) * 2]
    reached = [job[key] for job in jobs for key in ("gmac_s", "gmac_s_over_link")]
    axes = _Axes(xs, [peak, *reached])
    left, right = 10.0 ** axes.x[0], 10.0 ** axes.x[1]
    least = 10.0 ** axes.y[0]
    content = axes.draw()
    for name, bandwidth in roofs.items():
        start = max(left, least / bandwidth)
        knee = min(max(peak / bandwidth, start), right)
        points = [(start, min(start * bandwidth, peak)), (knee, min(knee * bandwidth, peak))]
        if knee < right and knee * bandwidth >= peak * 0.999:
            points.append((right, peak))
        line = "L".join(f"{axes.at_x(x):.1f} {axes.at_y(y):.1f}" for x, y in points)
        content.append(f'<path class="roof {name}" d="M{line}"/>')
    for job in jobs:
        x = axes.at_x(job["macs_per_byte"])
        y = axes.at_y(job["gmac_s"])
        content.append(f'<circle class="streams" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
        y = axes.at_y(job["gmac_s_over_link"])
        content.append(f'<rect class="link" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>')
    best, slow = max(job["gmac_s"] for job in jobs), max(job["gmac_s_over_link"] for job in jobs)
    about = (
        f"Roofline: peak {peak:g} GMAC/s; the streams' roof is {roofs['streams']:.3g} GB/s and the "
        f"serial link's {roofs['link']:.3g} GB/s; jobs reach up to {best:.3g} GMAC/s on the "
        f"streams and {slow:.3g} over the link"
    )
    return _picture(WIDTH, HEIGHT, "roofline", about, content)


def _text(x: float, y: float, content: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'
