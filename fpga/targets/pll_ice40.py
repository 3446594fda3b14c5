"""The PLL of Lattice iCE40, ``SB_PLL40`` (FPGA-TN-02052, iCE40 sysCLOCK PLL), feedback SIMPLE."""

from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Instance, Module, Signal

from .pll import Limits, Setting, clock_pin, nearest

LIMITS = Limits("the PLL of an iCE40", pfd=(10, 133), vco=(533, 1066), output=(16, 275))
FILTERS = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5), (133, 6))
"""FILTER_RANGE by the frequency in MHz that the phase detector is below."""


def choose(crystal: Fraction, wanted: Fraction) -> Setting:
    """Dividers for ``wanted`` MHz."""
    return nearest(wanted, LIMITS, _settings(crystal, wanted))


def _settings(crystal: Fraction, wanted: Fraction):
    for reference in range(16):
        pfd = crystal / (reference + 1)
        for output in range(1, 7):
            multiple = int(wanted * 2**output / pfd)  # the best is this or the next one
            for feedback in range(max(0, multiple - 1), min(128, multiple + 1)):
                vco = pfd * (feedback + 1)
                parameters = {
                    "DIVR": reference,
                    "DIVF": feedback,
                    "DIVQ": output,
                    "FILTER_RANGE": _filter(pfd),
                }
                yield Setting(vco / 2**output, pfd, vco, parameters)


def _filter(pfd: Fraction) -> int:
    return next((value for most, value in FILTERS if pfd < most), 6)


class IcePll(Elaboratable):
    """``o``: the clock of ``setting``, from the board's default clock; ``locked``.

    ``pad``: the clock's pin is the PLL's own pad, and nothing else can read it."""

    WIDTHS = {"DIVR": 4, "DIVF": 7, "DIVQ": 3, "FILTER_RANGE": 3}

    def __init__(self, setting: Setting, *, pad: bool):
        self.setting, self.mhz, self.pad = setting, setting.mhz, pad
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        if self.pad:
            kind = "SB_PLL40_PAD"
            source = {"i_PACKAGEPIN": platform.request(platform.default_clk, dir="-").io}
        else:
            kind = "SB_PLL40_CORE"
            source = {"i_REFERENCECLK": clock_pin(m, platform)}
        m.submodules.pll = Instance(
            kind,
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            **{
                f"p_{name}": Const(value, self.WIDTHS[name])
                for name, value in self.setting.parameters.items()
            },
            **source,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.o,
            o_LOCK=self.locked,
        )
        return m
