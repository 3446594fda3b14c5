"""The page about a build: ``matweave report``."""

from pathlib import Path
from typing import Any

from matweave.hw import output
from matweave.hw.errors import UserError, plain


def report(build: Path, target: Path) -> dict[str, Any]:
    """Write the page of ``build`` (a ``build.json``) to ``target``; every figure that is on it."""
    from matweave.fpga import report as reports

    output.check_file(target)
    if target.exists() and build.exists() and target.samefile(build):
        raise UserError(f"{plain(target)}: is what the report is made from")
    read = reports.read(build)
    figures = reports.figures(read)
    page = reports.page(figures, read.placement)
    output.write_file(target, page.encode())
    return figures | {"page": str(target)}


def text(figures: dict[str, Any]) -> str:
    p, power = figures["performance"], figures["power"]
    met = "timing met" if figures["met"] else "timing NOT met"
    used = ", ".join(
        f"{each['percent']:.0f} % of {name}"
        for name, each in figures["resources"].items()
        if each["percent"] is not None
    )
    total = power["total_mw"]
    estimate = f"{total:,.0f} mW" if total is not None else f"{power['dynamic_mw']:,.0f} mW dynamic"
    return "\n".join(
        [
            f"{figures['title']}: {p['clock_mhz']:.1f} MHz of {p['fmax_mhz']:.1f} possible; {met}",
            f"  uses        {used}",
            f"  throughput  {p['in_words']}",
            f"  power       {estimate}, an estimate",
            f"in {figures['page']}",
        ]
    )
