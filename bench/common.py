"""What every benchmark here has in common: rows that say how they came about, and bars.

A row is a configuration and its figures; a run adds tool versions, commit and machine. ``--json``
prints all of it for a program, the default a table for a person. The exit status is 1 if a bar is
not met.
"""

import argparse
import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from matweave import failure
from matweave.hw.errors import UserError
from matweave.sim import toolchain

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Bar:
    """A figure and what it must be: ``relation`` is ``<=`` or ``>=``."""

    name: str
    value: float
    relation: str
    bound: float

    @property
    def met(self) -> bool:
        return self.value <= self.bound if self.relation == "<=" else self.value >= self.bound


def parser(description: str) -> argparse.ArgumentParser:
    """Command line of a benchmark; add what it has of its own."""
    result = argparse.ArgumentParser(
        description=description.strip(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("--json", action="store_true", help="print rows and bars as JSON")
    return result


def run(main: Callable[[], int]) -> NoReturn:
    """End with the status of ``main``; of a mistake, or a tool that fails, with one line."""
    commit()  # what is committed during a long run is not what was measured
    try:
        status = main()
    except (UserError, toolchain.ToolError, KeyboardInterrupt) as error:
        status = failure.report(error, debug=bool(os.environ.get("MATWEAVE_DEBUG")))
    raise SystemExit(status)


@functools.cache
def commit() -> str:
    """The checkout's commit as first asked, ``+`` behind it where files differ from it;
    ``unknown`` elsewhere."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD").strip()
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, check=True, text=True
    ).stdout


def provenance() -> dict:
    """Tool versions, commit and machine of this run."""
    return {
        "commit": commit(),
        "tools": {"python": platform.python_version(), **toolchain.versions()},
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 2),  # as the run ends
        },
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def row(config: dict, **figures) -> dict:
    """One measurement: what was measured, and what came out."""
    return {"config": config, **figures}


def insert(page: Path, heading: str, marks: tuple[str, str], lines: list[str]) -> None:
    """Put a section into ``page`` between its marks; at its end, under a heading, where it has
    none."""
    begin, end = marks
    section = "\n".join([begin, "", *lines, "", end])
    text = page.read_text(encoding="utf-8") if page.exists() else "# Benchmarks\n\n"
    if begin in text and end in text:
        before, _, rest = text.partition(begin)
        text = before + section + rest.partition(end)[2]
    else:
        text = text.rstrip() + f"\n\n## {heading}\n\n{section}\n"
    new = page.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(page)


def verdicts(bars: list[Bar]) -> list[str]:
    """The bars in Markdown, each with a line in front."""
    lines = []
    for bar in bars:
        verdict = "met" if bar.met else "**not met**"
        value = cell(bar.value) if isinstance(bar.value, int) else f"{bar.value:,.4g}"
        text = f"{value}, must be {bar.relation} {bar.bound:,}: {verdict}"
        lines += ["", f"- {bar.name}: {text}"]
    return lines


def flat(row: dict) -> dict:
    """What of a row fits into a table: its configuration's and its own single values."""
    everything = row["config"] | row
    return {name: value for name, value in everything.items() if not isinstance(value, dict | list)}


def line(cells: Iterable[str]) -> str:
    """A line of a table in Markdown."""
    return "| " + " | ".join(cells) + " |"


def cell(value) -> str:
    """A value as tables show it: three digits of a fraction, none behind the point of a large."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def command(script: str) -> str:
    """How this run was started, without the folders of its files."""
    words = [Path(each).name if "/" in each else each for each in sys.argv[1:]]
    return " ".join([f"python bench/{script}.py", *words])


def report(title: str, rows: list[dict], bars: list[Bar], *, as_json: bool) -> int:
    """Print everything; the exit status."""
    about = provenance()
    if as_json:
        judged = [{**asdict(bar), "met": bar.met} for bar in bars]
        about = {"benchmark": title, "command": command(title), **about}
        print(json.dumps({**about, "rows": rows, "bars": judged}, indent=2))
    else:
        _print(title, about, rows, bars)
    return 0 if all(bar.met for bar in bars) else 1


def _print(title: str, about: dict, rows: list[dict], bars: list[Bar]) -> None:
    console = Console(highlight=False, width=None if os.isatty(1) else 100)
    found = [flat(each) for each in rows]
    columns = list(dict.fromkeys(name for each in found for name in each))
    table = Table(*columns, title=title)
    for each in found:
        table.add_row(*(cell(each.get(name)) for name in columns))
    console.print(table)
    if bars:
        table = Table("bar", "value", "must be", "", title="bars")
        for bar in bars:
            verdict = "[green]met[/]" if bar.met else "[red]not met[/]"
            table.add_row(bar.name, cell(bar.value), f"{bar.relation} {cell(bar.bound)}", verdict)
        console.print(table)
    tools = ", ".join(f"{name} {version}" for name, version in about["tools"].items())
    machine = about["machine"]
    console.print(
        f"commit {about['commit']}; {machine['processor']}, {machine['cores']} cores, "
        f"load {machine['load']}; {tools}"
    )
