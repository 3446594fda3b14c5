"""Vendor's scripts with stubs for their commands, and Yosys for their cells."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from matweave.sim import cache, toolchain

MODELS = Path(__file__).with_name("vendor_models.v")
STUBS = Path(__file__).with_name("vendor_commands.tcl")
BOARDS = {"arty_a7": "vivado", "rfsoc4x2": "vivado", "de10_nano": "quartus"}


def run_tcl(folder: Path, script: str, slack: str = "0.5", hold: str = "0.1"):
    """Status, calls and standard error of ``script`` with stub commands, from another folder."""
    calls = folder.with_suffix(".calls")
    ended = subprocess.run(
        ["tclsh"],
        input=f"if {{[catch {{source {{{STUBS}}}; source {{{folder / script}}}}} message]}} "
        "{puts stderr $message; exit 1}\n",
        env=os.environ | {"CALLS": str(calls), "SLACK": slack, "HOLD_SLACK": hold},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    # Tcl takes its own lists apart.
    words = subprocess.run(
        ["tclsh"],
        input=f"foreach line [split [string trim [read [open {{{calls}}}]]] \\n] "
        "{puts [join $line \\t]}\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return ended, [line.split("\t") for line in words.splitlines()]


def yosys_cells(sources: dict[str, str], command: str) -> set[str]:
    """Types of the cells that ``command`` maps ``sources`` to; none is Yosys' own."""
    # Not in /tmp, which Yosys in WebAssembly does not see: in the cache, as the product does.
    cache.root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.root()) as name:
        work = Path(name)
        for file, text in sources.items():
            (work / file).write_text(text)
        script = [f"read_verilog {file}" for file in sources] + [command, "tee -o stat.txt stat"]
        (work / "script.ys").write_text("\n".join(script) + "\n")
        toolchain.run(
            [toolchain.yosys().path, "-q", "-s", "script.ys"],
            cwd=work, timeout=600, what=f"Yosys {command}",
        )  # fmt: skip
        told = (work / "stat.txt").read_text()
    cells = set(re.findall(r"^\s+\d+ (?:[\d.]+ )?\s*(\S+)$", told, re.MULTILINE))
    assert not [name for name in cells - {"$scopeinfo"} if name.startswith("$")], told
    return cells
