"""What nextpnr tells, of whatever family: use, clocks, the worst path, the placement."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from . import words
from .family import Family

UTILISATION = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)
PLACE = re.compile(r"X(\d+)/?Y(\d+)/")


@dataclass(frozen=True)
class Report:
    """``clocks``: (name, constraint, achieved) in MHz; ``used``: kind of place -> (used,
    available); ``paths``: nextpnr's own, worst of each pair of clocks."""

    clocks: tuple[tuple[str, float, float], ...]
    used: Mapping[str, tuple[int, int]]
    paths: tuple[dict, ...]

    @classmethod
    def read(cls, path: Path) -> "Report":
        data = json.loads(path.read_text(encoding="utf-8"))
        clocks = tuple(
            (name, clock["constraint"], clock["achieved"])
            for name, clock in sorted(data["fmax"].items())
        )
        used = {name: (item["used"], item["available"])
                for name, item in data["utilization"].items()}  # fmt: skip
        return cls(clocks, used, tuple(data["critical_paths"]))

    @property
    def met(self) -> bool:
        """Whether every clock reaches its constraint."""
        return all(achieved >= constraint for _, constraint, achieved in self.clocks)

    def engine_clock(self, mhz: float) -> tuple[str, float, float]:
        """The clock that is constrained to ``mhz``, the slowest if there are several."""
        found = [each for each in self.clocks if abs(each[1] - mhz) < 0.01 * mhz]
        assert found, f"no clock is constrained to {mhz:g} MHz: {self.clocks}"
        return min(found, key=lambda each: each[2])


def critical_path(report: Report, clock: str) -> dict | None:
    """The worst path within ``clock``; ``words`` tells it in the engine's terms."""
    for path in report.paths:
        if path["from"] == path["to"] and path["from"].split()[-1] == clock:
            return _told(clock, path["path"])
    return None


def _told(clock: str, steps: list[dict]) -> dict:
    segments = [
        {
            "kind": step["type"],
            "ns": round(step["delay"], 3),
            "cell": step["to"]["cell"],
            "net": step.get("net"),
        }
        for step in steps
    ]
    begin, end = steps[0]["from"]["cell"], steps[-1]["to"]["cell"]
    return {
        "clock": clock,
        "ns": round(sum(step["delay"] for step in steps), 3),
        "from": begin,
        "to": end,
        "words": _sentence([begin, *(step["to"]["cell"] for step in steps)]),
        "segments": segments,
    }


def _sentence(cells: list[str]) -> str:
    """``from the operand buffer A through PE 0,2's multiplier to PE 0,2's accumulator``."""
    phrases = [words.phrase(each) for each in cells if words.part(each) != words.UNKNOWN]
    if not phrases:
        return "between cells that have no name"
    begin, end = phrases[0], phrases[-1]
    between = []
    for each in phrases[1:-1]:
        if each not in (begin, end, *between):
            between.append(each)
    if len(between) > 3:
        between = [between[0], "…", between[-1]]
    through = f" through {', '.join(between)}" if between else ""
    return f"within {begin}" if begin == end and not between else f"from {begin}{through} to {end}"


def resources(report: Report, family: Family, cells: Mapping[str, int]) -> dict:
    """LUT, FF, BRAM, DSP, IO: used and available."""
    found = {}
    for name, kinds in family.resources.items():
        pairs = [report.used[kind] for kind in kinds if kind in report.used]
        found[name] = {
            "used": sum(used for used, _ in pairs),
            "available": sum(available for _, available in pairs),
        }
    if family.flops:
        count = sum(number for kind, number in cells.items() if kind.startswith(family.flops))
        found["FF"] = {"used": count, "available": found["LUT"]["available"]}
    return found


def overflowing(log: str) -> dict[str, tuple[int, int]]:
    """Kinds of place of which more are used than there are, from what nextpnr printed."""
    found = {kind: (int(used), int(there)) for kind, used, there in UTILISATION.findall(log)}
    return {kind: pair for kind, pair in found.items() if pair[0] > pair[1]}


def placement(path: Path) -> list[dict]:
    """Where each cell is, from the design that nextpnr wrote: x, y, kind, and its part."""
    design = json.loads(path.read_text(encoding="utf-8"))
    module = design["modules"].get("top") or next(iter(design["modules"].values()))
    found = []
    for name, cell in module["cells"].items():
        place = PLACE.match(cell["attributes"].get("NEXTPNR_BEL", ""))
        if place:
            x, y = int(place[1]), int(place[2])
            found.append({"x": x, "y": y, "type": cell["type"], "part": words.part(name)})
    return sorted(found, key=lambda each: (each["x"], each["y"], each["type"], each["part"]))
