"""From a configuration to a bitstream for a board, and ``build.json``, which says all about it."""

import hashlib
import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ..hw import output as outputs
from ..hw.errors import UserError, shown
from ..sim import toolchain
from . import boards, described, engines, flow
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
    """What to build: ``config``, of any kind of :mod:`.engines`, on which board. ``clock`` in MHz,
    ``baud`` in bits per second: ``None`` is the board's."""

    config: object
    board: str
    demo: str | None = None
    clock: float | None = None
    baud: int | None = None
    seeds: int = 1
    dsp: bool = True


@dataclass(frozen=True)
class Plan:
    """What is known before any tool runs. ``request``: with the configuration as it is built;
    ``mhz``: exactly what the PLL gives."""

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
    from . import report  # noqa: F401  # of its page, made at the end, jinja2 may be missing

    if request.clock is not None and not math.isfinite(request.clock):
        raise UserError(f"--clock {request.clock}: is not a clock")
    if not 1 <= request.seeds <= MOST_SEEDS:
        raise UserError(f"--seeds {request.seeds}: allowed are 1 to {MOST_SEEDS}")
    return board, target


def make_plan(request: Request, core: Core) -> Plan:
    """Clock, link and pins of the design; no tool of the flow runs for it."""
    board, target = check(request)
    wanted = Fraction(str(request.clock if request.clock is not None else board.clock_mhz))
    clock = target.clock(board, wanted)
    clock._MustUse__silence = True  # Amaranth warns of what nobody elaborates: a request refused
    baud = request.baud if request.baud is not None else board.baud
    least, most = BAUD_RATES
    most = min(most, int(clock.mhz * 1_000_000 / LEAST_CYCLES))
    if not least <= baud <= most:
        raise UserError(
            f"--baud {shown(baud)}: allowed at a clock of {float(clock.mhz):g} MHz are {least:,} "
            f"to {most:,}"
        )
    config = engines.of(request.config).fitted(board.family, float(clock.mhz))
    request = replace(request, config=config)
    files = {"core.v": core(config, float(clock.mhz * 1_000_000), baud)}
    files |= _pins(board, target, clock, f"{config.name}_linked")
    design = flow.Design(config.name, board, target, files, request.dsp, float(clock.mhz))
    return Plan(request, board, target, clock.mhz, baud, design)


def linked() -> Core:
    """The core of any kind of engine."""
    return lambda config, clock_frequency, baud: engines.of(config).linked(clock_frequency, baud)


def _pins(board: Board, target: Family, clock, module: str) -> dict[str, str]:
    """``top.v`` and the constraints, from the board's platform."""
    from .boards.top import BoardTop, to_verilog

    platform = boards.platform(board)
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
    seed = max(
        reports, key=lambda each: (reports[each].met, reports[each].engine_clock(mhz)[2], -each)
    )
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
    name, constraint, achieved = min(steps.report.clocks, key=lambda each: each[2] / each[1])
    path = nextpnr.critical_path(steps.report, name)
    where = f"; the worst path takes {path['ns']:.1f} ns {path['words']}" if path else ""
    reached = int(achieved * 10) / 10
    faster = engines.of(plan.request.config).faster(path["words"] if path else "")
    what, advice = "", f"lower --clock, try more --seeds, or {faster}"
    if name != steps.report.engine_clock(float(plan.mhz))[0]:  # the engine's settings do not help
        what, advice = f": clock {name}", "try more --seeds"
    return (
        f"timing: {plan.request.config.name} on {plan.board.name}{what} reaches {reached:g} MHz, "
        f"{constraint:g} MHz are wanted{where}; {advice}"
    )


def _result(plan: Plan, steps: Steps) -> tuple[dict[str, bytes], dict]:
    """The files of a build, and ``build.json``, which is one of them."""
    from . import report

    files = described.files(plan, steps)
    result = described.describe(plan, steps)
    result["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    placement = json.loads(files[result["placement"]])
    files |= {
        name: page.encode() for name, page in report.files(report.of(result, placement)).items()
    }
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    return files | {"build.json": text.encode()}, result
