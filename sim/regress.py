"""The long form of the tests: every gate measured, one table. ``make regress`` runs it::

    python -m matweave.sim.regress [--quick] [--only NAME]… [--json FILE] [--markdown FILE]

Exit status 1 if a gate fails, 2 if an option is wrong. Progress and table need no terminal.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import toolchain
from .gates import CHECKOUT, GATES, Context, Gate, Measured
from .progress import Reporter

SEED = 20261122


@dataclass(frozen=True)
class Row:
    """A gate and what it gave."""

    gate: Gate
    measured: Measured
    seconds: float
    command: str
    """By which it was measured."""
    commit: str

    def tables(self) -> dict:
        return {
            "name": self.gate.name,
            "figure": self.gate.figure,
            "required": self.gate.required,
            "measured": self.measured.figure,
            "detail": self.measured.detail,
            "passed": self.measured.ok,
            "findings": list(self.measured.findings),
            "seconds": round(self.seconds, 1),
            "command": self.command,
            "commit": self.commit,
            "date": today(),
        }


SOURCES = ("hw", "sim", "fpga", "matweave", "tests", "pyproject.toml", "setup.py")
"""What a figure depends on; the page with the table does not count."""


def commit(checkout: Path = CHECKOUT) -> str:
    """The commit of ``checkout``, with ``-dirty`` if its sources are others, or ``unknown``."""

    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(checkout), *arguments], capture_output=True, check=True, text=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != checkout.resolve():
            return "unknown"  # installed into somebody else's repository
        changed = git("status", "--porcelain", "--", *SOURCES)
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def measure(gate: Gate, context: Context, command: str = "") -> Row:
    """Run one gate; whatever goes wrong in it is its figure."""
    start, before = time.monotonic(), commit()
    try:
        measured = gate.measure(context)
    except Exception as error:
        if os.environ.get("MATWEAVE_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        text = " ".join(str(error).split())[:300]
        measured = Measured("not measured", False, f"{type(error).__name__}: {text}")
    seconds, after = time.monotonic() - start, commit()
    if before != after:  # the sources were changed while it ran
        before = before.removesuffix("-dirty") + "-dirty"
    return Row(gate, measured, seconds, command, before)


def report(rows: list[Row], seed: int, quick: bool) -> dict:
    """Everything that the run found, as JSON types."""
    return {
        "seed": seed,
        "quick": quick,
        "passed": all(row.measured.ok for row in rows),
        "tools": toolchain.versions(),
        "gates": [row.tables() for row in rows],
    }


def show(found: dict, console: Console) -> None:
    """The table, and below it what needs a look."""
    table = Table(title=f"matweave: gates, seed {found['seed']}{', quick' * found['quick']}")
    for column in ("gate", "required", "measured", "", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for row in found["gates"]:
        table.add_row(
            f"{row['name']}: {row['figure']}",
            row["required"],
            row["measured"] + (f"\n{row['detail']}" if row["detail"] else ""),
            "pass" if row["passed"] else "FAIL",
            f"{row['seconds']:,.0f}",
        )
    console.print(table, markup=False)
    for row in found["gates"]:
        for line in row["findings"]:
            console.print(f"{row['name']}: {line}", markup=False, highlight=False, soft_wrap=True)


BEGIN, END = "<!-- gates: made by the command below -->", "<!-- end of gates -->"


def markdown(found: dict) -> str:
    """The table for ``docs/reference/verification.md``."""
    dates = sorted({row["date"] for row in found["gates"]})
    commits = {row["commit"] for row in found["gates"]}
    commands = {row["command"]: [] for row in found["gates"]}
    for row in found["gates"]:
        commands[row["command"]].append(f"`{row['name']}`")
    whose = len(commits) > 1
    versions = ", ".join(f"{name} {version}" for name, version in found["tools"].items())
    lines = [
        BEGIN,
        "",
        f"Measured {' to '.join(dates[:1] + dates[1:][-1:])}; {versions}.",
        "",
        "commit: " + ("see the table" if whose else f"`{next(iter(commits), 'unknown')}`"),
        "",
    ]
    if len(commands) == 1:
        lines += [f"command: `{next(iter(commands))}`"]
    else:
        lines += [f"- `{command}`: {', '.join(names)}" for command, names in commands.items()]
    lines += [
        "",
        "| gate | required | measured | | seconds |" + " commit |" * whose,
        "|---|---|---|---|--:|" + "---|" * whose,
    ]
    for row in found["gates"]:
        measured = row["measured"] + (f"; {row['detail']}" if row["detail"] else "")
        verdict = "pass" if row["passed"] else "**FAIL**"
        cells = (f"`{row['name']}`: {row['figure']}", row["required"], measured, verdict)
        escaped = " | ".join(cell.replace("|", "\\|") for cell in cells)
        head, dash, dirty = row["commit"].partition("-")
        last = f" `{head[:12]}{dash}{dirty}` |" if whose else ""
        lines.append(f"| {escaped} | {row['seconds']:,.0f} |{last}")
    measured = {row["name"] for row in found["gates"]}
    lines += [
        f"| `{gate.name}`: {gate.figure} | {gate.required} | not measured in this table | | |"
        + " |" * whose
        for gate in GATES
        if gate.name not in measured
    ]
    findings = [(row["name"], line) for row in found["gates"] for line in row["findings"]]
    if findings:
        lines += ["", "What those gates found:", ""]
        lines += [f"- `{name}`: `{line.replace('`', '')}`" for name, line in findings]
    return "\n".join([*lines, "", END])


def insert(page: Path, found: dict) -> None:
    """Put the table into ``page`` between its two marks."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: has no marks {BEGIN!r} and {END!r}")
    new = page.with_suffix(".new")
    new.write_text(before + markdown(found) + after, encoding="utf-8")
    new.replace(page)


def merged(path: Path, found: dict) -> dict:
    """``found``, and the gates of the report in ``path`` that were not measured again."""
    if not path.is_file():
        return found
    old = json.loads(path.read_text(encoding="utf-8"))
    if (old["seed"], old["quick"]) != (found["seed"], found["quick"]):
        return found
    unknown = dict.fromkeys(("command", "commit", "date"), "unknown")  # by an earlier version
    rows = {row["name"]: unknown | row for row in (*old["gates"], *found["gates"])}
    gates = [rows[gate.name] for gate in GATES if gate.name in rows]
    return found | {"gates": gates, "passed": all(row["passed"] for row in gates)}


def main(arguments: list[str] | None = None) -> int:
    names = [gate.name for gate in GATES]
    parser = argparse.ArgumentParser(prog="python -m matweave.sim.regress", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="this gate; repeatable")
    parser.add_argument("--quick", action="store_true", help="a small part of each gate's work")
    parser.add_argument("--seed", type=int, default=SEED, help="of every random choice")
    parser.add_argument("--json", type=Path, help="write the report to this file")
    parser.add_argument(
        "--update", action="store_true", help="keep the other gates of the file of --json"
    )
    parser.add_argument("--markdown", type=Path, help="put the table into this page, at its marks")
    options = parser.parse_args(arguments)
    if options.update and not options.json:
        parser.error("--update needs --json")
    chosen = [gate for gate in GATES if not options.only or gate.name in options.only]
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    command = " ".join(
        [
            "python -m matweave.sim.regress",
            *(f"--only {gate.name}" for gate in chosen if options.only),
            *["--quick"] * options.quick,
            f"--seed {options.seed}",
        ]
    )
    rows = []
    with Reporter(line_every=10) as say:
        for gate in chosen:
            say(gate.name)
            rows.append(
                measure(
                    gate, Context(options.seed, options.quick, say, os.cpu_count() or 1), command
                )
            )
            row = rows[-1]
            verdict = "pass" if row.measured.ok else "FAIL"
            print(f"{verdict} {gate.name}: {row.measured.figure} ({row.seconds:.0f} s)",
                  file=sys.stderr, flush=True)  # fmt: skip
    found = report(rows, options.seed, options.quick)
    if options.update:
        found = merged(options.json, found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if options.markdown:
        insert(options.markdown, found)
    show(found, Console(width=None if sys.stdout.isatty() else 140))
    return 0 if found["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
