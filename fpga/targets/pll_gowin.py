"""The PLL of Gowin GW1NR-9 and GW2A, ``rPLL`` (DS117E and DS226E; UG286E, "rPLL")."""

from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Instance, Module, Signal

from .pll import Limits, Setting, clock_pin, nearest

LIMITS = {
    "C6/I5": Limits("the PLL of a GW1NR-9 C6/I5", (3, 400), (400, 1200), (3.125, 600)),
    "C8/I7": Limits("the PLL of a GW2A-18 C8/I7", (3, 500), (500, 1250), (3.90625, 625)),
}
"""By speed grade."""
OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)


def choose(crystal: Fraction, wanted: Fraction, speed: str) -> Setting:
    """Dividers for ``wanted`` MHz in a device of a speed grade."""
    return nearest(wanted, LIMITS[speed], _settings(crystal, wanted))


def _settings(crystal: Fraction, wanted: Fraction):
    for reference in range(64):
        pfd = crystal / (reference + 1)
        multiple = int(wanted / pfd)  # the best is this or the next one
        for feedback in range(max(0, multiple - 1), min(64, multiple + 1)):
            output = pfd * (feedback + 1)
            for divider in OUTPUT_DIVIDERS:
                parameters = {
                    "IDIV_SEL": reference,
                    "FBDIV_SEL": feedback,
                    "ODIV_SEL": divider,
                }
                yield Setting(output, pfd, output * divider, parameters)


class GowinPll(Elaboratable):
    """``o``: the clock of ``setting``, from the board's default clock; ``locked``.

    ``device``: what the primitive calls the device."""

    def __init__(self, setting: Setting, *, crystal: Fraction, device: str):
        self.setting, self.mhz = setting, setting.mhz
        self.crystal, self.device = crystal, device
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        m.submodules.pll = Instance(
            "rPLL",
            p_FCLKIN=f"{float(self.crystal):g}",
            p_DEVICE=self.device,
            **{f"p_{name}": value for name, value in self.setting.parameters.items()},
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_SDIV_SEL=2,
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false",
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            i_CLKIN=clock_pin(m, platform),
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=self.o,
            o_LOCK=self.locked,
        )
        return m
