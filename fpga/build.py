"""From a configuration to a bitstream for a board, and ``build.json``, which says all about it."""

import hashlib
import importlib
import importlib.metadata
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..hw import output as outputs
from ..hw.errors import UserError, shown
from ..sim import toolchain
from . import boards, flow
from .boards import Board
from .targets import netlist, nextpnr, tools
from .targets.family import REPORT, Family, family
from .targets.fitting import too_large

MOST_SEEDS = 64
BAUD_RATES = (115_200, 3_000_000)
"""Slowest and fastest that the link is made for."""
LEAST_CYCLES = 8
"""Cycles of the engine's clock that a bit on the serial line takes at least."""


class TimingError(Exception):
    """The engine does not reach its clock; the message says where, and what to change."""


@dataclass(frozen=True)
class Request:
    """What to build. ``clock`` in MHz, ``baud`` in bits per second: ``None`` is the board's."""

    config: object
    board: str
    demo: str | None = None
    clock: float | None = None
    baud: int | None = None
    seeds: int = 1
    dsp: bool = True


@dataclass(frozen=True)
class Plan:
    """What is known before any tool runs. ``mhz``: exactly what the PLL gives."""

    request: Request
    board: Board
    family: Family
    mhz: Fraction
    baud: int
    design: flow.Design


Progress = Callable[..., None]
Core = Callable[..., str]
"""``(config, clock_frequency, baud)`` -> Verilog of module ``{config.name}_linked``."""


def build(request: Request, folder: Path, progress: Progress, core: Core | None = None) -> dict:
    """Build, and write bitstream, netlist, sources and ``build.json`` to ``folder``.

    Returns what ``build.json`` holds. Nothing is written unless all clocks reach their constraints
    (:class:`TimingError`). Raises :class:`.errors.UserError` for a board, clock or baud rate that
    cannot be, and for a design that does not fit; :class:`.toolchain.ToolError` for a tool that is
    missing or fails.
    """
    outputs.check_folder(folder)
    check(request)
    progress(f"generating {request.config.name}")
    plan = make_plan(request, core or linked())
    steps = run(plan, progress)
    if not steps.report.met:
        raise TimingError(_unmet(plan, steps))
    files, result = _result(plan, steps)
    outputs.write_folder(folder, files)
    return result


def check(request: Request) -> tuple[Board, Family]:
    """What can be seen to be wrong before anything is done: board, tools, numbers."""
    board = boards.load(request.board)
    try:
        target = family(board.family)
    except LookupError:
        raise UserError(
            f"--board {board.name}: no bitstream can be made for {board.title} without its "
            "vendor's tools; matweave package makes a project for them"
        ) from None
    for program in (tools.YOSYS, target.nextpnr, target.packer):
        tools.find(program)
    if not 1 <= request.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds {request.seeds}: allowed are 1 to {MOST_SEEDS}")
    return board, target


def make_plan(request: Request, core: Core) -> Plan:
    """Clock, link and pins of the design; no tool of the flow runs for it."""
    board, target = check(request)
    wanted = Fraction(str(request.clock if request.clock is not None else board.clock_mhz))
    clock = target.clock(board, wanted)
    baud = request.baud if request.baud is not None else board.baud
    least, most = BAUD_RATES
    most = min(most, int(clock.mhz * 1_000_000 / LEAST_CYCLES))
    if not least <= baud <= most:
        clock._MustUse__silence = True  # Amaranth warns of what nobody elaborates
        raise UserError(
            f"--baud {shown(baud)}: allowed at a clock of {float(clock.mhz):g} MHz are {least:,} "
            f"to {most:,}"
        )
    files = {"core.v": core(request.config, float(clock.mhz * 1_000_000), baud)}
    files |= _pins(board, target, clock, f"{request.config.name}_linked")
    design = flow.Design(request.config.name, board, target, files, request.dsp, float(clock.mhz))
    return Plan(request, board, target, clock.mhz, baud, design)


def linked() -> Core:
    from ..hw.link.linked import linked_verilog

    return linked_verilog


def _pins(board: Board, target: Family, clock, module: str) -> dict[str, str]:
    """``top.v`` and the constraints, from the board's platform."""
    from .boards.top import BoardTop, to_verilog

    where, name = board.platform.split(":")
    try:
        platform = getattr(importlib.import_module(where), name)()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "amaranth_boards":
            raise
        raise toolchain.ToolError(
            "amaranth-boards was not found: install it with: pip install 'matweave[fpga]'"
        ) from None
    top = BoardTop(board=board, clock=clock, module=module)
    files = platform.prepare(top, "top", emit_src=False, debug_verilog=False).files
    constraints = f"top.{target.constraints}"
    return {"top.v": to_verilog(files["top.il"]), constraints: files[constraints]}


@dataclass(frozen=True)
class Steps:
    """What the steps of a build left; ``seed``: whose placement is the best."""

    synthesis: flow.Step
    netlist: netlist.Netlist
    placed: dict[int, flow.Step]
    reports: dict[int, nextpnr.Report]
    seed: int
    packed: flow.Step | None

    @property
    def report(self) -> nextpnr.Report:
        return self.reports[self.seed]


def run(plan: Plan, progress: Progress) -> Steps:
    """All steps; packing only where all clocks reach their constraints."""
    design, count = plan.design, plan.request.seeds
    name = f"{design.name} for {plan.board.name}"
    progress(f"synthesis of {name}")
    synthesis, cells = flow.synthesise(design, lambda at: progress(f"synthesis of {name}: {at}"))
    progress(f"placing and routing {name}")
    try:
        placed = flow.place_all(
            design,
            synthesis.folder / flow.NETLIST,
            list(range(1, count + 1)),
            workers(count),
            lambda at: progress(f"placing and routing {name}: {at}"),
        )
    except toolchain.ToolFailed as error:
        raise too_large(error, cells, plan) or error from None
    reports = {seed: nextpnr.Report.read(step.folder / REPORT) for seed, step in placed.items()}
    mhz = float(plan.mhz)
    seed = max(reports, key=lambda each: (reports[each].engine_clock(mhz)[2], -each))
    packed = None
    if reports[seed].met:
        progress(f"packing {name}")
        packed = flow.pack(design, placed[seed])
    return Steps(synthesis, cells, placed, reports, seed, packed)


def workers(count: int) -> int:
    """Of ``count`` placements, how many at a time."""
    return min(count, os.cpu_count() or 1)


def _unmet(plan: Plan, steps: Steps) -> str:
    """One line: by how much the clock is missed, where, and what to change."""
    mhz = float(plan.mhz)
    name, constraint, achieved = steps.report.engine_clock(mhz)
    path = nextpnr.critical_path(steps.report, name)
    where = f"; the worst path takes {path['ns']:.1f} ns {path['words']}" if path else ""
    reached = int(achieved * 10) / 10
    return (
        f"timing: {plan.request.config.name} on {plan.board.name} reaches {reached:g} MHz, "
        f"{constraint:g} MHz are wanted{where}; lower --clock, try more --seeds, or "
        + _faster(plan, path)
    )


def _faster(plan: Plan, path: dict | None) -> str:
    """What in the configuration makes an engine faster whose worst path is ``path``."""
    config = plan.request.config
    pipeline = getattr(config.array, "pipeline", 2)
    tiles = getattr(config.array, "tile_columns", 1)
    if path and "requantiser" in path["words"]:  # it multiplies 32 by 31 bits in a cycle
        if config.output.multiplier_stages < 2:
            return "set output.multiplier_stages = 2"
        return "leave the requantiser out (output.mode = 'raw')"
    if pipeline < 2:
        return f"raise array.pipeline from {pipeline}"
    if config.pe.kind == "mac" and hasattr(config.array, "tile_columns"):
        return "set pe.kind = 'mac_edge', which has a register at the array's edge"
    if tiles > 1:
        return f"lower array.tile_columns from {tiles}"
    return "lower array.rows or array.columns"


def _result(plan: Plan, steps: Steps) -> tuple[dict[str, bytes], dict]:
    """The files of a build, and ``build.json``, which is one of them."""
    from . import report

    files = _files(plan, steps)
    result = describe(plan, steps)
    result["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    placement = json.loads(files[result["placement"]])
    files |= {
        name: page.encode() for name, page in report.files(report.of(result, placement)).items()
    }
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    return files | {"build.json": text.encode()}, result


def _files(plan: Plan, steps: Steps) -> dict[str, bytes]:
    name, design = plan.request.config.name, plan.design
    placed = steps.placed[steps.seed].folder
    constraints = f"top.{plan.family.constraints}"
    files = {
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
        files[name + Path(each).suffix] = (steps.packed.folder / each).read_bytes()
    return files


def describe(plan: Plan, steps: Steps) -> dict:
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


def _versions(plan: Plan) -> dict[str, str]:
    found = {}
    for program in (tools.YOSYS, plan.family.nextpnr, plan.family.packer):
        tool = tools.find(program)
        found[tool.name] = tool.version
    for package in ("amaranth", "amaranth-boards", "matweave"):
        found[package] = importlib.metadata.version(package)
    return found
