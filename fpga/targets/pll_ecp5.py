"""The PLL of Lattice ECP5, ``EHXPLLL`` (FPGA-DS-02012, "sysCLOCK PLL Timing"; FPGA-TN-02200)."""

from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Instance, Module, Signal

from .pll import Limits, Setting, clock_pin, nearest

LIMITS = Limits("the PLL of an ECP5", pfd=(10, 400), vco=(400, 800), output=(3.125, 400))


def choose(crystal: Fraction, wanted: Fraction) -> Setting:
    """Output CLKOS for ``wanted`` MHz; CLKOP, at most 400 MHz, is fed back."""
    return nearest(wanted, LIMITS, _settings(crystal, wanted))


def _settings(crystal: Fraction, wanted: Fraction):
    for reference in range(1, int(crystal / 10) + 1):
        pfd = crystal / reference
        # The oscillator runs at a multiple of the PFD's frequency: which, and how it is made.
        for multiple in range(int(400 / pfd), int(800 / pfd) + 1):
            vco = pfd * multiple
            feedback = _feedback(pfd, multiple)
            if feedback is None:
                continue
            divider = round(vco / wanted)
            for output in {max(1, divider - 1), max(1, divider), divider + 1}:
                if output <= 128:
                    parameters = {
                        "CLKI_DIV": reference,
                        "CLKFB_DIV": feedback,
                        "CLKOP_DIV": multiple // feedback,
                        "CLKOS_DIV": output,
                    }
                    yield Setting(vco / output, pfd, vco, parameters)


def _feedback(pfd: Fraction, multiple: int) -> int | None:
    """The largest divider of the feedback for which CLKOP is within its limits."""
    least, most = LIMITS.output
    for divider in range(min(multiple, 80), 0, -1):
        if (
            multiple % divider == 0
            and multiple // divider <= 128
            and least <= pfd * divider <= most
        ):
            return divider
    return None


class EcpPll(Elaboratable):
    """``o``: the clock of ``setting``, from the board's default clock; ``locked``."""

    def __init__(self, setting: Setting):
        self.setting, self.mhz = setting, setting.mhz
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        feedback = Signal()
        dividers = self.setting.parameters
        m.submodules.pll = Instance(
            "EHXPLLL",
            # As Lattice's own tool sets the loop filter.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            **{f"p_{name}": value for name, value in dividers.items()},
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOS_ENABLE="ENABLED",
            p_CLKOP_CPHASE=dividers["CLKOP_DIV"] - 1,
            p_CLKOS_CPHASE=dividers["CLKOS_DIV"] - 1,
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=clock_pin(m, platform),
            i_CLKFB=feedback,
            **{
                f"i_{name}": Const(0)
                for name in (
                    "RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP",
                    "PHASELOADREG", "PLLWAKESYNC", "ENCLKOP", "ENCLKOS", "ENCLKOS2", "ENCLKOS3",
                )
            },
            o_CLKOP=feedback,
            o_CLKOS=self.o,
            o_LOCK=self.locked,
        )  # fmt: skip
        return m
