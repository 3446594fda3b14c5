"""What a build is described by: its files, and ``build.json``.

``plan`` and ``steps`` are a :class:`.build.Plan` and the :class:`.build.Steps` that it took.
"""

import importlib.metadata
from pathlib import Path

from .targets import netlist, nextpnr, tools
from .targets.family import REPORT


def files(plan, steps) -> dict[str, bytes]:
    """Name -> content of all that the steps left for the user."""
    name, design = plan.request.config.name, plan.design
    placed = steps.placed[steps.seed].folder
    constraints = f"top.{plan.family.constraints}"
    found = {
        f"{name}_linked.v": design.files["core.v"].encode(),
        "top.v": design.files["top.v"].encode(),
        "netlist.v": (steps.synthesis.folder / "netlist.v").read_bytes(),
        constraints: design.files[constraints].encode(),
        plan.family.routed: (placed / plan.family.routed).read_bytes(),
        "placement.json": (placed / "placement.json").read_bytes(),
        "nextpnr.json": (placed / REPORT).read_bytes(),
        "synthesis.log": (steps.synthesis.folder / "synthesis.log").read_bytes(),
        "place.log": (placed / "place.log").read_bytes(),
    }
    for each in plan.family.bitstreams:
        found[name + Path(each).suffix] = (steps.packed.folder / each).read_bytes()
    return found


def describe(plan, steps) -> dict:
    """``build.json`` without the hashes of files."""
    mhz, board, report = float(plan.mhz), plan.board, steps.report
    name = report.engine_clock(mhz)[0]
    placed = steps.placed[steps.seed]
    done = [steps.synthesis, placed] + ([steps.packed] if steps.packed else [])
    resources = nextpnr.resources(report, plan.family, steps.netlist.cells)
    return {
        "demo": plan.request.demo,
        "config": plan.request.config.canonical(),
        "board": {
            key: getattr(board, key)
            for key in ("name", "title", "device", "family", "package", "speed")
        },
        "clocks": [
            {"name": clock, "constraint_mhz": round(wanted, 3), "achieved_mhz": round(got, 3)}
            for clock, wanted, got in report.clocks
        ],
        "resources": resources,
        "mapping": netlist.mapping(
            steps.netlist,
            plan.family,
            plan.request.config,
            dsp=plan.request.dsp,
            available=resources["DSP"]["available"],
        ),
        "critical_path": nextpnr.critical_path(report, name),
        "placement": "placement.json",
        "seed": steps.seed,
        "seeds": [
            {"seed": seed, "achieved_mhz": round(each.engine_clock(mhz)[2], 3)}
            for seed, each in sorted(steps.reports.items())
        ],
        "files": {},
        "tools": _versions(plan),
        "commands": [step.command for step in done],
        "seconds": {
            "synthesis": steps.synthesis.seconds,
            "place_and_route": placed.seconds,
            "pack": steps.packed.seconds if steps.packed else 0.0,
        },
        "baud": plan.baud,
        "met": report.met,
    }


def _versions(plan) -> dict[str, str]:
    found = {}
    for program in (tools.YOSYS, plan.family.nextpnr, plan.family.packer):
        tool = tools.find(program)
        found[tool.name] = tool.version
    for package in ("amaranth", "amaranth-boards", "matweave"):
        found[package] = importlib.metadata.version(package)
    return found
