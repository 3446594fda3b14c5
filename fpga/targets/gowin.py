"""Gowin: Yosys' ``synth_gowin``, ``nextpnr-himbaechel``, Project Apicula's ``gowin_pack``."""

from fractions import Fraction

from ..boards import Board
from . import pll, pll_gowin, tools
from .family import PLACED, Family

NAME = "nextpnr-himbaechel-gowin"


class Gowin(Family):
    """``board.options``: ``family``, the database of the device; ``pll_device``: what its PLL calls
    it; ``pack``: arguments of the packer, such as which configuration pins are free."""

    name = "gowin"
    title = "Gowin LittleBee and Arora"
    nextpnr = tools.Program(NAME, f"yowasp-{NAME}", f"yowasp-{NAME}", tools.MIN_NEXTPNR)
    packer = tools.Program("gowin_pack", "gowin_pack", "apycula")
    constraints = "cst"
    routed = PLACED
    bitstreams = ("top.fs",)
    resources = {
        "LUT": ("LUT4",),
        "FF": ("DFF",),
        "BRAM": ("BSRAM",),
        "DSP": ("MULT18X18", "MULT9X9", "MULT36X36"),
        "IO": ("IOB",),
    }
    memories = {
        **{f"{kind}{x9}": "block RAM" for kind in ("SP", "SDPB", "DPB") for x9 in ("", "X9")},
        **dict.fromkeys(("SDP", "DP", "pROM", "SDPX9B", "DPX9B"), "block RAM"),
        **{f"RAM16S{kind}{width}": "LUT RAM" for kind in ("P", "DP") for width in (1, 2, 4)},
        **{f"RAM16S{width}": "LUT RAM" for width in (1, 2, 4)},
    }
    multipliers = ("MULT9X9", "MULT18X18", "MULT36X36", "MULTALU18X18", "MULTADDALU18X18")
    factor_bits = 36
    models = ("gowin/cells_sim.v",)

    def clock(self, board: Board, mhz: Fraction):
        crystal = Fraction(str(board.crystal_mhz))
        if mhz == crystal:
            return pll.Crystal(crystal)
        setting = pll_gowin.choose(crystal, mhz, board.speed)
        device = board.options["pll_device"]
        return pll_gowin.GowinPll(setting, crystal=crystal, device=device)

    def synthesis(self, board: Board, *, dsp: bool) -> str:
        return f"synth_gowin -top top{'' if dsp else ' -nodsp'}"

    def place(self, board: Board) -> list[str]:
        return [
            "--device", board.device, "--vopt", f"family={board.options['family']}",
            "--vopt", "cst=top.cst",
        ]  # fmt: skip

    def pack(self, board: Board) -> list[str]:
        return [
            "-d", board.options["family"], "-o", self.bitstreams[0],
            *board.options.get("pack", ()), self.routed,
        ]  # fmt: skip
