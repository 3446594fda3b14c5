"""What Yosys made of a design: which memory and multiplier became what, and why."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import engines
from ..engines.engine import Multipliers
from . import words
from .family import Family


@dataclass(frozen=True)
class Netlist:
    """Cells by kind; DSP blocks and memories by part; bits of each part's memories."""

    cells: Mapping[str, int]
    parts: Mapping[str, Mapping[str, int]]
    """Kind of cell -> part of the design -> how many."""
    memory: Mapping[str, str]
    """Name of a memory before mapping -> the kind that Yosys mapped it to, ``FF`` for registers."""

    @classmethod
    def read(cls, path: Path, log: str) -> "Netlist":
        """From the netlist in JSON and Yosys' log."""
        design = json.loads(path.read_text(encoding="utf-8"))
        parts = defaultdict(Counter)
        for name, cell in design["modules"]["top"]["cells"].items():
            if not cell["type"].startswith("$"):
                parts[cell["type"]][words.part(name)] += 1
        counts = {kind: sum(each.values()) for kind, each in sorted(parts.items())}
        parts = {kind: dict(sorted(each.items())) for kind, each in sorted(parts.items())}
        return cls(counts, parts, _memories(log))

    def to_json(self) -> dict:
        return {"cells": self.cells, "parts": self.parts, "memory": self.memory}

    @classmethod
    def from_json(cls, data: dict) -> "Netlist":
        return cls(data["cells"], data["parts"], data["memory"])

    def by_part(self, kinds) -> Counter:
        """Cells of ``kinds`` in each part."""
        total = Counter()
        for kind in kinds:
            total.update(self.parts.get(kind, {}))
        return total


def _memories(log: str) -> dict[str, str]:
    """Which kind of memory each became: what Yosys' pass memory_libmap logged."""
    found = {}
    for name, kind in re.findall(r"mapping memory top\.(\S+) via \$__(\w+)", log):
        found[name] = kind.strip("_")
    for name in re.findall(r"using FF mapping for memory top\.(\S+)", log):
        if "$proc_rom" not in name:  # a case statement, not a memory of ours
            found[name] = "FF"
    return dict(sorted(found.items()))


def mapping(netlist: Netlist, family: Family, config, *, dsp: bool, available: int) -> list[dict]:
    """What was wanted for each part, what it became, and why where that differs.

    ``dsp``: whether DSP blocks are allowed; ``available``: how many the device has. ``part`` says
    what ``count`` counts: DSP blocks, or multipliers in LUTs. A part that became both is two rows.
    """
    rows = _memory_rows(netlist, family)
    blocks = netlist.by_part(family.multipliers)
    multipliers = engines.of(config).multipliers()
    # Yosys names some after nets of another part; and a register file has its own, of constants.
    strays = sum(blocks.values()) - sum(blocks[each.part] for each in multipliers)
    for each in multipliers:
        why = each.recoded
        if not why and not dsp:
            why = "--no-dsp"
        elif not why and not available:
            why = "the device has no DSP blocks"
        rows += _multiplier_rows(each, family, blocks=blocks[each.part], strays=strays, why=why)
    return rows


def _memory_rows(netlist: Netlist, family: Family) -> list[dict]:
    rows = []
    places = defaultdict(set)
    for name, kind in netlist.memory.items():
        places[words.part(name)].add("registers" if kind == "FF" else _place(kind))
    for part, kinds in sorted(places.items()):
        small = part in words.TABLES.values() and "LUT RAM" in family.memories.values()
        wanted = "LUT RAM" if small else "block RAM"
        for got in sorted(kinds):
            cells = [kind for kind, place in family.memories.items() if place == got]
            why = None
            if got != wanted:
                why = {
                    "block RAM": "large enough for one",
                    "LUT RAM": "too small: it would leave a block RAM almost empty",
                    "registers": "too small, or read in the cycle of its address",
                }[got]
            count = netlist.by_part(cells)[part]
            rows.append({"part": part, "wanted": wanted, "got": got, "count": count, "why": why})
    return rows


def _place(kind: str) -> str:
    block = re.search(r"16K|RAM40|ICE40_RAM4K|GOWIN_SP|GOWIN_DP|GOWIN_SDP|SPRAM|BSRAM", kind)
    return "block RAM" if block else "LUT RAM"


def _multiplier_rows(
    these: Multipliers, family: Family, *, blocks: int, strays: int, why: str | None
) -> list[dict]:
    """``blocks``: DSP blocks with the part's name; ``strays``: those with names of other parts;
    ``why``: what rules DSP blocks out, or ``None``."""
    a, b = these.bits
    each = -(-a // family.factor_bits) * -(-b // family.factor_bits)
    missing = max(0, -(-(these.count * each - blocks) // each))
    wanted, got = "LUT" if these.recoded or why == "--no-dsp" else "DSP", "LUT"
    if not why:
        which = "these" if blocks else "all"
        why = f"Yosys took LUTs for {which}, of at most {a} by {b} bits"
        if strays:
            got = "LUT or DSP"
            why += f", or named their DSP blocks after other parts: {strays} have such names"
    rows = []
    if blocks:
        rows.append({"part": f"DSP blocks of the {these.part}", "wanted": wanted, "got": "DSP",
                     "count": blocks, "why": None})  # fmt: skip
    if missing:
        rows.append({"part": f"multipliers of the {these.part}", "wanted": wanted, "got": got,
                     "count": missing, "why": why})  # fmt: skip
    return rows
