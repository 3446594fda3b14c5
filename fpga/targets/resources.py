"""What a module takes of an FPGA, by synthesis alone: cells as Yosys maps them.

Before placement, so without route-throughs and packing; the same scripts as the published
comparisons of networks use (ABC9, and no DSP blocks unless they are asked for).
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass

from ...hw.errors import ConfigError, nearest, shown
from ...sim import netlist

SCRIPTS = {
    "xcup": "synth_xilinx -family xcup -nodsp -abc9 -flatten -noiopad -noclkbuf -top {top}",
    "ecp5": "synth_ecp5 -nodsp -abc9 -top {top}",
    "ice40": "synth_ice40 -abc9 -top {top}",
}
"""By family: UltraScale+, ECP5 and iCE40."""

CARRY_LUTS = {"xcup": 0, "ecp5": 2, "ice40": 0}
"""LUTs that a carry cell consists of: those of CARRY8 and SB_CARRY are counted as LUTs, those of
CCU2C not."""


@dataclass(frozen=True)
class Resources:
    """``luts``: LUT1 to LUT6, or LUT4; ``inverters``: INV, which Yosys counts apart; ``carries``:
    CARRY4 or CARRY8, CCU2C (two LUT4 each, which are not in ``luts``), or SB_CARRY (one bit);
    ``flops``: flip-flops; ``memories``: LUT and block RAM cells, ``blocks``: the latter alone;
    ``dsps``: DSP blocks."""

    luts: int
    inverters: int
    carries: int
    flops: int
    memories: int
    dsps: int = 0
    blocks: int = 0

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


def synthesise(
    verilog: str, top: str, family: str, *, dsp: bool = False, apart: bool = False
) -> Resources:
    """Map module ``top`` to ``family``, with DSP blocks if ``dsp``; cached by content. ``apart``:
    modules stay, so that each is mapped once, however many instances of it are counted: faster
    for large designs, and somewhat more cells. Raises :class:`ConfigError` for an unknown
    family, and :class:`.toolchain.ToolError` where Yosys is missing or fails."""
    if family not in SCRIPTS:
        raise ConfigError(
            f"family: {shown(family)} is none; allowed are {', '.join(SCRIPTS)}"
            f"{nearest(family, SCRIPTS)}"
        )
    mapping = SCRIPTS[family].format(top=top)
    if dsp:
        mapping = mapping.replace(" -nodsp", "").replace("synth_ice40", "synth_ice40 -dsp")
    if apart:
        # Xilinx' script is flat only where it is told to be, the others unless they are.
        flat = " -flatten" in mapping
        mapping = mapping.replace(" -flatten", "") if flat else mapping + " -noflatten"
    script = f"read_verilog design.v\n{mapping}\n"
    script += "tee -q -o stat.json stat -json\n"
    folder = netlist.yosys("resources", script, {"design.v": verilog})
    return _counted(json.loads((folder / "stat.json").read_text()))


def _counted(stat: dict) -> Resources:
    cells = Counter(stat["design"]["num_cells_by_type"])

    def count(*prefixes):
        return sum(n for kind, n in cells.items() if kind.startswith(prefixes))

    return Resources(
        luts=count("LUT", "SB_LUT4"),
        inverters=count("INV"),
        carries=count("CARRY", "CCU2C", "SB_CARRY"),
        flops=count("FD", "TRELLIS_FF", "SB_DFF"),
        dsps=count("DSP48", "MULT18X18D", "SB_MAC16"),
        memories=count("RAM", "SRL", "TRELLIS_DPR16X4", "DP16KD", "SB_RAM40"),
        blocks=count("RAMB", "DP16KD", "SB_RAM40"),
    )
