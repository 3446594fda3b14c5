"""Engines with their serial link, on boards: what they take, and how fast they run there.

``python bench/fpga.py --boards`` measures; this is its second part. Beside each engine stands the
same one with plain multipliers (PE ``mac``), in DSP blocks where the board has them.
"""

import statistics
import sys
import time
from fractions import Fraction

import common

SIZES = [f"limits.{name}=64" for name in "mnk"]
STREAMS = ["array.pipeline=2", "output.mode='raw'", *SIZES]
ENGINES = {
    "8x8 streams": ("gemm_matrix_8x8", STREAMS),
    "8x8 streams, ent": ("gemm_matrix_8x8", [*STREAMS, "pe.kind='ent'"]),
    "8x8 systolic": ("gemm_os_8x8_textbook", ["pe.kind='mac_edge'", *STREAMS[1:]]),
    "digits": ("digits", []),
    "digits-ent": ("digits-ent", []),
    "2x2": ("tiny_os", ["array.rows=2", "array.columns=2", "array.tile_columns=1"]),
    "4x1": ("tiny_os", ["array.rows=4", "array.columns=1", "array.tile_columns=1"]),
}
"""What an engine is called in the table -> preset or demo, and overrides."""
BAR = "8x8 streams"
BAR_BOARD, BAR_MHZ, BAR_BLOCKS = "ulx3s_85f", 80, 64


def settings(name: str, plain: bool):
    """The configuration of an engine, or of the same with plain multipliers."""
    from matweave.fpga import demos
    from matweave.hw import config

    origin, overrides = ENGINES[name]
    if origin in demos.demos():
        origin = demos.load(origin).engine
    return config.load(origin, [*overrides, *(["pe.kind='mac'"] if plain else [])])


def measure(name: str, board: str, seeds: int, clock: float, *, plain: bool) -> dict:
    """One row: an engine placed ``seeds`` times at a clock that it is asked to reach."""
    from matweave.fpga import build, flow
    from matweave.fpga.targets import netlist, nextpnr
    from matweave.fpga.targets.family import REPORT

    config = settings(name, plain)
    print(f"{name} ({config.pe.kind}) on {board}", file=sys.stderr, flush=True)
    started = time.monotonic()
    plan = build.make_plan(build.Request(config=config, board=board, clock=clock), build.linked())
    synthesis, cells = flow.synthesise(plan.design)
    placed = flow.place_all(
        plan.design,
        synthesis.folder / flow.NETLIST,
        list(range(1, seeds + 1)),
        build.workers(seeds),
        lambda phase: None,
    )
    reports = [nextpnr.Report.read(step.folder / REPORT) for step in placed.values()]
    reached = [report.engine_clock(float(plan.mhz))[2] for report in reports]
    used = nextpnr.resources(reports[0], plan.family, cells.cells)
    there = used["DSP"]["available"]
    multipliers = [
        f"{row['count']} {row['got']}"
        for row in netlist.mapping(cells, plan.family, config, dsp=True, available=there)
        if row["part"].endswith(" of the array")
    ]
    tools_took = synthesis.seconds + sum(step.seconds for step in placed.values())
    row = common.row({"engine": name, "pe": config.pe.kind, "board": board})
    row |= {kind: count["used"] for kind, count in used.items() if kind != "IO"}
    row |= {
        "multipliers": " + ".join(multipliers),
        "MHz median": round(statistics.median(reached), 1),
        "MHz best": round(max(reached), 1),
        "seeds": seeds,
        "wanted": float(round(Fraction(plan.mhz), 2)),
        "GMAC/s": round(config.geometry.macs * max(reached) / 1e3, 3),
        "s": round(tools_took),
        "s now": round(time.monotonic() - started),
    }
    return row


def table(engines, boards, seeds: int, clock: float) -> tuple[list[dict], list]:
    """All rows, and the bars that they are judged by."""
    rows = []
    for board in boards:
        for name in engines:
            row = measure(name, board, seeds, clock, plain=False)
            if row["config"]["pe"] != "mac":
                plain = measure(name, board, seeds, clock, plain=True)
                rows.append(plain)
                row["MHz ×"] = round(row["MHz best"] / plain["MHz best"], 2)
                row["LUT ×"] = round(row["LUT"] / plain["LUT"], 2)
            rows.append(row)
    return rows, _bars(rows)


def _bars(rows: list[dict]) -> list:
    bars = []
    for row in rows:
        about = row["config"]
        if (about["engine"], about["board"]) == (BAR, BAR_BOARD):
            title = f"{BAR} on {BAR_BOARD} ({about['pe']})"
            count, kind = row["multipliers"].split()
            blocks = int(count) if kind == "DSP" else 1_000
            for which in ("median", "best"):
                value = row[f"MHz {which}"]
                bars.append(common.Bar(f"{title}, MHz, {which}", value, ">=", BAR_MHZ))
            bars.append(common.Bar(f"{title}, DSP blocks of 64 MACs", blocks, "<=", BAR_BLOCKS))
    return bars
