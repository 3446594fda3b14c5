"""Areas and critical paths of larger arrays than were synthesised: a part of :mod:`area`.

Of an array of ``n`` x ``n`` multipliers each part's area is taken for ``a n**2 + b n`` (tiles and
edges), the critical path for ``c + d log2(n)`` (trees of buffers and of adders), both through the
two largest sides that were measured; so for the plain multiplier's array. A side that was measured
too is compared with what the smaller ones would have told.
"""

import math

PARTS = ("recoders", "pes", "registers", "drain")


def grown(sides: tuple[int, int], areas: tuple[float, float], side: int) -> float:
    """``a n**2 + b n`` through two points, at ``side``."""
    first, second = (area / n for n, area in zip(sides, areas, strict=True))
    slope = (second - first) / (sides[1] - sides[0])
    return side * (first + slope * (side - sides[0]))


def later(sides: tuple[int, int], delays: tuple[float, float], side: int) -> float:
    """``c + d log2(n)`` through two points, at ``side``."""
    slope = (delays[1] - delays[0]) / math.log2(sides[1] / sides[0])
    return delays[0] + slope * math.log2(side / sides[0])


def row(smaller: dict, larger: dict, side: int) -> dict:
    """The row of one array and PE at ``side``, from those of two smaller sides."""
    sides = smaller["config"]["side"], larger["config"]["side"]

    def of(formula, key):
        return formula(sides, (smaller[key], larger[key]), side)

    found = {part: of(grown, part) for part in PARTS}
    area, plain = sum(found.values()), of(grown, "plain_area")
    ns, plain_ns = of(later, "ns"), of(later, "plain_ns")
    macs = side * side / larger["cycles_per_mac"]
    kept = ("cycles_per_mac", "library", "timing")
    return {
        "config": {**larger["config"], "side": side, "extrapolated_from": list(sides), "hash": ""},
        **{key: larger[key] for key in kept},
        **found,
        "registers_at": "", "flow": "", "area": area, "ns": ns,
        "gmac_s_mm2": macs / ns / area * 1e6,
        "area_ratio": area / plain,
        "ns_ratio": ns / plain_ns,
        "per_area": macs / ns / area / (side * side / plain_ns / plain),
        "plain_area": plain, "plain_ns": plain_ns,
    }  # fmt: skip


def _by_design(rows: list[dict]) -> dict[tuple, list[dict]]:
    found: dict[tuple, list[dict]] = {}
    for each in sorted(rows, key=lambda each: each["config"]["side"]):
        found.setdefault((each["config"]["array"], each["config"]["pe"]), []).append(each)
    return found


def beyond(rows: list[dict], sides: list[int]) -> list[dict]:
    """Rows of ``sides`` for every array and PE that has two smaller ones."""
    found = []
    for measured in _by_design(rows).values():
        known = {each["config"]["side"] for each in measured}
        for side in sides:
            below = [each for each in measured if each["config"]["side"] < side]
            if len(below) > 1 and side not in known:
                found.append(row(*below[-2:], side))
    return found


def checks(rows: list[dict]) -> list[str]:
    """Of every third side that was measured: by how much it would have been missed."""
    lines = []
    for (array, pe), measured in _by_design(rows).items():
        for smaller, larger, own in zip(measured, measured[1:], measured[2:], strict=False):
            side = own["config"]["side"]
            told = row(smaller, larger, side)
            lines.append(
                f"| {array} | `{pe}` | {side} | "
                + " | ".join(
                    f"{told[key] / own[key] - 1:+.1%}"
                    for key in ("area", "ns", "plain_area", "plain_ns", "per_area")
                )
                + " |"
            )
    if not lines:
        return []
    return [
        "",
        "Measured sides as the two smaller ones would have told them (what is wrong with that):",
        "",
        "| array | PE | side | area | ns | plain: area | ns | GMAC/s/mm² × |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        *lines,
    ]
