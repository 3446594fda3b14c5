"""``matweave build``: from a demo or a configuration to a bitstream for a board."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matweave.fpga import build as flow
from matweave.fpga import demos, engines
from matweave.hw import source
from matweave.hw.errors import UserError, nearest, plain

from .failure import CheckFailed


def request(
    design: str,
    board: str,
    overrides: list[str],
    clock: float | None,
    baud: int | None,
    seeds: int,
    dsp: bool | None,
) -> flow.Request:
    """What to build: ``design`` is a demo's name, or else a preset or file.

    What the user says goes before what the demo says of the board.
    """
    if design not in demos.demos():
        _check_name(design)
        settings = engines.load(design, overrides)
        return flow.Request(settings, board, None, clock, baud, seeds, dsp is not False)
    demo = demos.load(design)
    wanted = demo.on(board)
    settings = engines.load(demo.engine, [*wanted.set, *overrides])
    return flow.Request(
        settings,
        board,
        demo.name,
        wanted.clock if clock is None else clock,
        baud,
        seeds,
        wanted.dsp if dsp is None else dsp,
    )


def _check_name(design: str) -> None:
    """Refuse a name that is none of a demo, a preset or a file, with the nearest that is."""
    known = [*demos.demos(), *source.presets()]
    is_path = design.endswith((".toml", ".json")) or "/" in design or Path(design).is_file()
    if design not in known and not is_path:
        raise UserError(
            f"{plain(design)}: is neither a demo, a preset nor a file; `matweave list` names them"
            + nearest(design, known)
        )


def build(wanted: flow.Request, output: Path, progress: Callable[..., None]) -> dict[str, Any]:
    """What ``build.json`` holds, and the folder. :class:`CheckFailed` if timing is not met."""
    try:
        result = flow.build(wanted, output, progress)
    except flow.TimingError as error:
        raise CheckFailed(str(error)) from None
    return result | {"folder": str(output)}


def text(result: dict[str, Any]) -> str:
    """For a person: what was made, how much of the device it takes, and how fast it is."""
    board, seconds = result["board"], result["seconds"]
    rows = {"board": f"{board['title']} ({board['device']}, {board['package']})"}
    for clock in result["clocks"]:
        rows[f"clock {clock['name']}"] = (
            f"{clock['achieved_mhz']:.2f} MHz reached, {clock['constraint_mhz']:.2f} MHz wanted"
        )
    for name, count in result["resources"].items():
        if count["available"]:
            share = count["used"] / count["available"]
            rows[name] = f"{count['used']:,} of {count['available']:,} ({share:.1%})"
    path = result["critical_path"]
    if path:
        rows["worst path"] = f"{path['ns']:.1f} ns {path['words']}"
    for row in result["mapping"]:
        why = f": {row['why']}" if row["why"] else ""
        became = f"{row['count']} × {row['got']}{why}"
        rows[row["part"]] = "; ".join(filter(None, (rows.get(row["part"]), became)))
    if len(result["seeds"]) > 1:
        reached = ", ".join(f"{each['achieved_mhz']:.1f}" for each in result["seeds"])
        rows["seeds"] = f"{reached} MHz; {result['seed']} is the best"
    rows["serial line"] = f"{result['baud']:,} baud"
    rows["seconds"] = ", ".join(f"{name} {value:g}" for name, value in seconds.items())
    rows["written"] = f"{', '.join(result['files'])}, build.json in {result['folder']}"
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:{width}}{about}" for name, about in rows.items())
