"""What ``model.build()`` of hls4ml's backend does: resources, timing and bitstreams by open tools.

The result has the structure of hls4ml's own reports. Figures are text there, as hls4ml has them:

``CSynthesisReport``
    ``LUT``, ``FF``, ``DSP``, ``BRAM_18K``: of the pipeline as Yosys maps it; LUTs of carries are in
    it. ``BestLatency`` and so on in cycles. ``EstimatedClockPeriod`` in ns: what routing reached,
    the median of all seeds; not placed, what the delay model expects.
``VivadoSynthReport``
    The same resources.
``Matweave``
    What hls4ml has no place for, as numbers: ``Core`` and ``Shell`` (the pipeline with its streams)
    as :class:`~matweave.fpga.targets.resources.Resources`, ``PlaceAndRoute`` and ``Board``.
"""

import json
import math
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

from matweave.fpga import boards, loader
from matweave.fpga import build as flow
from matweave.fpga.targets import ecp5, tools
from matweave.fpga.targets.resources import CARRY_LUTS, SCRIPTS, synthesise
from matweave.hw.errors import ConfigError, UserError, shown
from matweave.hw.network.config import NetworkConfig
from matweave.hw.network.design import Design
from matweave.sim import toolchain
from matweave.sim.progress import Reporter

PLACEABLE = "ecp5"
"""The family whose nextpnr places a module without pins."""


@dataclass(frozen=True)
class Wanted:
    """The arguments of ``build``, each one that it can be. ``place``: ``None`` where it is up to
    what is installed; ``board``: of the bitstream, if any."""

    family: str | None
    place: bool | None
    seeds: int
    board: boards.Board | None
    clock: float | None


def checked(family, place, seeds, board, bitstream, clock) -> Wanted:
    """Raises :class:`ConfigError` for arguments that cannot be, or not together."""
    if isinstance(seeds, bool) or not isinstance(seeds, Integral) or seeds not in _SEEDS:
        raise ConfigError(f"seeds: must be {_SEEDS[0]} to {_SEEDS[-1]}, not {shown(seeds)}")
    if clock is not None and (
        isinstance(clock, bool) or not isinstance(clock, Real) or not 0 < clock < math.inf
    ):
        raise ConfigError(f"clock: must be a number of MHz above 0, not {shown(clock)}")
    found = None
    if board is None:
        if bitstream:
            raise ConfigError(f"bitstream: for which board? allowed are {', '.join(_buildable())}")
        if clock is not None:
            raise ConfigError("clock: is a board's, and there is no board")
    else:
        if not isinstance(board, str):
            raise ConfigError(f"board: must be a name, not {shown(board)}")
        found = boards.load(board)
        if family is None and found.family in SCRIPTS:
            family = found.family
    return Wanted(family, place, int(seeds), found if bitstream is not False else None, clock)


_SEEDS = range(1, flow.MOST_SEEDS + 1)


def _buildable() -> list[str]:
    from matweave.fpga.targets.vendor import VENDORS

    return [name for name, board in boards.boards().items() if board.family not in VENDORS]


def build(made: Design, wanted: Wanted, options: dict, folder: Path) -> dict:
    """The reports. ``options``: the model's ``Stages`` and ``ClockPeriod``; ``folder``: that of
    the project, in which the board's folder is made."""
    family = made.family
    dsp = made.multiplies
    core = synthesise(made.core, f"{made.name}_core", family, dsp=dsp)
    shell = synthesise(made.verilog, made.name, family, dsp=dsp)
    placed = _placed(made, wanted)
    performance, estimate = made.manifest["performance"], made.manifest["estimate"]
    cycles, interval = (str(performance[key]) for key in ("latency", "initiation_interval"))
    period = estimate["period_ns"]
    if placed is not None:
        period = round(1e3 / placed["fmax_mhz"], 3)
    resources = {
        "BRAM_18K": str(core.blocks),
        "FF": str(core.flops),
        "LUT": str(core.luts + CARRY_LUTS[family] * core.carries),
    }
    found = {
        "CSynthesisReport": {
            "TargetClockPeriod": str(options["ClockPeriod"]),
            "EstimatedClockPeriod": str(period),
            "BestLatency": cycles,
            "WorstLatency": cycles,
            "IntervalMin": interval,
            "IntervalMax": interval,
            "DSP": str(core.dsps),
            **resources,
        },
        "VivadoSynthReport": {"DSP48E": str(core.dsps), **resources},
        "Matweave": {"family": family, "Core": core.as_dict(), "Shell": shell.as_dict()},
    }
    if placed is not None:
        found["Matweave"]["PlaceAndRoute"] = placed
    if wanted.board is not None:
        found["Matweave"]["Board"] = _bitstream(made, wanted, options, folder / wanted.board.name)
    return found


def _placed(made: Design, wanted: Wanted) -> dict | None:
    """The pipeline by itself on a device of its family, if that is wanted and can be."""
    from matweave.fpga.targets import pipelines

    if made.family != PLACEABLE:
        if wanted.place:
            raise ConfigError(
                f"place: no open tool places a pipeline by itself on {made.family}; allowed is "
                f"family={PLACEABLE!r}, or name a board"
            )
        return None
    if wanted.place is None:
        try:
            tools.find(ecp5.NEXTPNR)
        except toolchain.ToolError:
            return None
    elif not wanted.place:
        return None
    placed = pipelines.place(made, wanted.seeds)
    return {
        "device": pipelines.DEVICE,
        "fmax_mhz": round(placed.fmax, 3),
        "fmax_mhz_by_seed": [round(each.fmax, 3) for each in placed.usages],
        "latency_cycles": placed.cycles,
        "latency_ns": round(placed.latency_ns, 3),
    }


def _bitstream(made: Design, wanted: Wanted, options: dict, folder: Path) -> dict:
    """The network with its host link, built for the board into ``folder``."""
    clock = wanted.clock
    if clock is None and options["ClockPeriod"] is not None:
        clock = 1e3 / options["ClockPeriod"]
    config = NetworkConfig(made.network, stages=options["Stages"], **made.options)
    request = flow.Request(config, wanted.board.name, clock=clock, seeds=wanted.seeds)
    with Reporter() as progress:
        try:
            built = flow.build(request, folder, progress)
        except flow.TimingError as error:
            raise UserError(str(error)) from None
    speed = json.loads((folder / "figures.json").read_text(encoding="utf-8"))["performance"]
    return {
        "name": wanted.board.name,
        "folder": str(folder),
        "bitstream": str(loader.built(folder).bitstream),
        "clock_mhz": speed["clock_mhz"],
        "fmax_mhz": speed["fmax_mhz"],
        "latency_cycles": speed["latency_cycles"],
        "latency_ns": speed["latency_ns"],
        "resources": built["resources"],
        "seconds": built["seconds"],
    }
