"""Areas and critical paths of larger arrays than were synthesised: a part of :mod:`area`.

Of an array of ``n`` x ``n`` multipliers each part's area is taken for ``a n**2 + b n`` (tiles and
edges, neither negative), the critical path for ``c + d log2(n)`` (trees of buffers and of adders),
both through the two largest sides that were measured, for every way of synthesis that both have;
the best of them counts, as of what was measured. So for the plain multiplier's array. A side that
was measured too is compared with what the smaller ones would have told.
"""

import math

PARTS = ("recoders", "pes", "registers", "drain")


def grown(sides: tuple[int, int], areas: tuple[float, float], side: int) -> float:
    """``a n**2 + b n`` through two points, at ``side``; neither term is negative: where one would
    be, the other goes through the larger side alone."""
    first, second = (area / n for n, area in zip(sides, areas, strict=True))
    slope = (second - first) / (sides[1] - sides[0])
    edge = first - slope * sides[0]
    if slope < 0:
        slope, edge = 0.0, second
    elif edge < 0:
        slope, edge = second / sides[1], 0.0
    return side * (edge + slope * side)


def later(sides: tuple[int, int], delays: tuple[float, float], side: int) -> float:
    """``c + d log2(n)`` through two points, at ``side``."""
    slope = (delays[1] - delays[0]) / math.log2(sides[1] / sides[0])
    return delays[0] + slope * math.log2(side / sides[0])


def _tried(row: dict) -> list[dict]:
    """All that was synthesised for a row; of runs that did not keep it, what was chosen."""
    own = {part: row[part] for part in PARTS}
    whole = dict.fromkeys(PARTS, 0.0) | {"pes": row["plain_area"]}
    return row.get("tried") or [
        {"plain": plain, "flow": f"{row[flow]} {row[place]}", "parts": parts, "ns": row[ns]}
        for plain, flow, place, parts, ns in (
            (False, "flow", "registers_at", own, "ns"),
            (True, "plain_flow", "plain_registers_at", whole, "plain_ns"),
        )
    ]


def design(smaller: dict, larger: dict, side: int, plain: bool) -> dict | None:
    """Parts and path at ``side``, of the plain multiplier or of the row's own PE: the best of all
    that was synthesised in the same way at both sides. None: nothing was."""
    sides = smaller["config"]["side"], larger["config"]["side"]
    of = [
        {each["flow"]: each for each in _tried(row) if each["plain"] == plain}
        for row in (smaller, larger)
    ]
    found = []
    for flow in of[0].keys() & of[1].keys():
        both = [each[flow] for each in of]
        parts = {
            part: grown(sides, tuple(each["parts"][part] for each in both), side) for part in PARTS
        }
        ns = later(sides, tuple(each["ns"] for each in both), side)
        found.append({"flow": flow, "parts": parts, "area": sum(parts.values()), "ns": ns})
    return min(found, key=lambda each: (each["area"] * each["ns"], each["flow"]), default=None)


def row(smaller: dict, larger: dict, side: int) -> dict | None:
    """The row of one array and PE at ``side``, from those of two smaller sides; None: not to be
    told from them."""
    own, plain = (design(smaller, larger, side, plain) for plain in (False, True))
    if own is None or plain is None:
        return None
    macs = side * side / larger["cycles_per_mac"]
    sides = [each["config"]["side"] for each in (smaller, larger)]
    kept = ("cycles_per_mac", "library", "timing")
    return {
        "config": {**larger["config"], "side": side, "extrapolated_from": sides, "hash": ""},
        **{key: larger[key] for key in kept},
        **own["parts"],
        "registers_at": "", "flow": own["flow"], "area": own["area"], "ns": own["ns"],
        "gmac_s_mm2": macs / own["ns"] / own["area"] * 1e6,
        "area_ratio": own["area"] / plain["area"],
        "ns_ratio": own["ns"] / plain["ns"],
        "per_area": plain["ns"] * plain["area"] / own["ns"] / own["area"] * macs / side**2,
        "plain_area": plain["area"], "plain_ns": plain["ns"], "plain_flow": plain["flow"],
    }  # fmt: skip


def _by_design(rows: list[dict]) -> dict[tuple, list[dict]]:
    found: dict[tuple, list[dict]] = {}
    measured = [each for each in rows if "extrapolated_from" not in each["config"]]
    for each in sorted(measured, key=lambda each: each["config"]["side"]):
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
    return [each for each in found if each]


def checks(rows: list[dict]) -> list[str]:
    """Of every third side that was measured: by how much it would have been missed."""
    lines = []
    for (array, pe), measured in _by_design(rows).items():
        for smaller, larger, own in zip(measured, measured[1:], measured[2:], strict=False):
            side = own["config"]["side"]
            told = row(smaller, larger, side)
            if told is None:
                continue
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
