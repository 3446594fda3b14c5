"""Puts runs of benchmarks, as ``--json`` printed them, into a page: a table each, and its bars.

A section stands between marks that name the benchmark: another run of it takes its place. At first
it comes at the end of the page, under ``--heading``.
"""

import argparse
import json
from pathlib import Path

import common

from matweave.hw.errors import UserError

SHOWN = 6
"""Most bars of which each has a line."""


def section(run: dict) -> list[str]:
    """Markdown of one run: how it was made, its rows and its bars."""
    tools = run["tools"]
    lines = [
        f"Measured by `{run['command']}` at commit {run['commit']}, with Yosys {tools['yosys']}."
    ]
    # A table for each kind of rows: those whose configurations have the same keys.
    kinds = {}
    for row in run["rows"]:
        kinds.setdefault(tuple(row["config"]), []).append(common.flat(row))
    for rows in kinds.values():
        lines += ["", *(_single(rows[0]) if len(run["rows"]) == 1 else _table(rows))]
    return lines + _judged([_bar(each) for each in run["bars"]])


def _judged(bars: list[common.Bar]) -> list[str]:
    """The bars; of many the ones that are not met, and how many are."""
    if len(bars) <= SHOWN:
        return common.verdicts(bars)
    met = sum(bar.met for bar in bars)
    missed = common.verdicts([bar for bar in bars if not bar.met])
    return [*missed, "", f"Of {len(bars)} bars {met} are met."]


def _single(row: dict) -> list[str]:
    """One row has its figures below each other."""
    figures = [common.line([name.replace("_", " "), common.cell(row[name])]) for name in row]
    return ["| | |", "|---|--:|", *figures]


def _table(rows: list[dict]) -> list[str]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    numbers = [
        all(isinstance(row.get(name), int | float | None) for row in rows) for name in columns
    ]
    lines = [
        common.line(name.replace("_", " ") for name in columns),
        "|" + "|".join("--:" if each else "---" for each in numbers) + "|",
    ]
    return lines + [common.line(common.cell(row.get(name)) for name in columns) for row in rows]


def _bar(given: dict) -> common.Bar:
    return common.Bar(given["name"], given["value"], given["relation"], given["bound"])


def read(path: Path) -> dict:
    """A run; raises :class:`UserError` for a file that is none."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{path}: is no run; give what a benchmark printed with --json") from None
    if not isinstance(run, dict) or not {"benchmark", "command", "rows", "bars"} <= run.keys():
        raise UserError(f"{path}: is no run; give what a benchmark printed with --json")
    return run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.strip())
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN.json")
    parser.add_argument("--markdown", required=True, type=Path, metavar="FILE", help="the page")
    parser.add_argument("--heading", help="of a section that is new; by default the benchmark's")
    arguments = parser.parse_args()
    for run in [read(path) for path in arguments.runs]:
        name = run["benchmark"]
        marks = f"<!-- {name}: made by bench/page.py -->", f"<!-- end of {name} -->"
        common.insert(arguments.markdown, arguments.heading or name, marks, section(run))
    return 0


if __name__ == "__main__":
    common.run(main)
