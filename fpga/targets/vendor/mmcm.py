"""The PLL of AMD's 7 series, ``MMCME2_BASE`` (DS181, MMCM, speed grade -1; UG472)."""

from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Instance, Module, Signal

from ..pll import Limits, Setting, nearest

LIMITS = Limits("the MMCM of a 7 series device", pfd=(10, 450), vco=(600, 1200), output=(4.69, 464))
EIGHTH = 8
"""Multiplier and divider are in eighths."""


def choose(crystal: Fraction, wanted: Fraction) -> Setting:
    """Output CLKOUT0 for ``wanted`` MHz. Parameters but ``D`` are in eighths."""
    return nearest(wanted, LIMITS, _settings(crystal, wanted))


def _settings(crystal: Fraction, wanted: Fraction):
    for divider in range(1, int(crystal / 10) + 1):
        pfd = crystal / divider
        for multiplier in range(2 * EIGHTH, 64 * EIGHTH + 1):
            vco = pfd * multiplier / EIGHTH
            if not 600 <= vco <= 1200:
                continue
            nearest_output = round(vco * EIGHTH / wanted)
            for output in range(nearest_output - 1, nearest_output + 2):
                # Between 1 and 2 there are no fractions.
                if output == EIGHTH or 2 * EIGHTH <= output <= 128 * EIGHTH:
                    parameters = {"D": divider, "M": multiplier, "O": output}
                    yield Setting(vco * EIGHTH / output, pfd, vco, parameters)


class Mmcm(Elaboratable):
    """``o``: the clock of ``setting``, from the board's default clock; ``locked``."""

    def __init__(self, crystal: Fraction, setting: Setting):
        self.crystal, self.setting, self.mhz = crystal, setting, setting.mhz
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        feedback, output = Signal(), Signal()
        parameters = self.setting.parameters
        m.submodules.pll = Instance(
            "MMCME2_BASE",
            p_CLKIN1_PERIOD=float(1000 / self.crystal),
            p_DIVCLK_DIVIDE=parameters["D"],
            p_CLKFBOUT_MULT_F=parameters["M"] / EIGHTH,
            p_CLKOUT0_DIVIDE_F=parameters["O"] / EIGHTH,
            i_CLKIN1=platform.request(platform.default_clk).i,
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=output,
            o_LOCKED=self.locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=output, o_O=self.o)
        return m
