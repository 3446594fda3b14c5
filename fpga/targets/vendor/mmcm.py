"""The PLL of AMD's devices, ``MMCME2_BASE`` and ``MMCME4_BASE``, at speed grade -1, the slowest
(DS181 and DS925, "MMCM Switching Characteristics"; UG472, UG572)."""

from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Elaboratable, Instance, Module, Signal

from ....hw.errors import UserError
from ..pll import Limits, Setting, clock_pin, nearest

EIGHTH = 8
"""Multiplier and divider are in eighths."""


@dataclass(frozen=True)
class Kind:
    """The MMCM of a series of devices: its ``primitive``, its ``limits``, and the most that its
    oscillator's frequency is multiplied by (``CLKFBOUT_MULT_F``)."""

    primitive: str
    limits: Limits
    multiplier: int


KINDS = {
    "xc7": Kind(
        "MMCME2_BASE",
        Limits("the MMCM of a 7 series device", (10, 450), (600, 1200), (4.69, 464)),
        64,
    ),
    "xczu": Kind(
        "MMCME4_BASE",
        Limits("the MMCM of a Zynq UltraScale+", (10, 450), (800, 1600), (6.25, 667)),
        128,
    ),
}
"""By how the names of devices begin."""


def kind(device: str) -> Kind:
    """The MMCM that ``device`` has. Raises :class:`UserError` if that is not known."""
    for start, found in KINDS.items():
        if device.startswith(start):
            return found
    raise UserError(f"--clock: the PLL of {device} is not known; those of {', '.join(KINDS)}… are")


def choose(kind: Kind, crystal: Fraction, wanted: Fraction) -> Setting:
    """Output CLKOUT0 for ``wanted`` MHz. Parameters but ``D`` are in eighths."""
    return nearest(wanted, kind.limits, _settings(kind, crystal, wanted))


def _settings(kind: Kind, crystal: Fraction, wanted: Fraction):
    least, most = kind.limits.vco
    for divider in range(1, int(crystal / 10) + 1):
        pfd = crystal / divider
        for multiplier in range(2 * EIGHTH, kind.multiplier * EIGHTH + 1):
            vco = pfd * multiplier / EIGHTH
            if not least <= vco <= most:
                continue
            nearest_output = round(vco * EIGHTH / wanted)
            for output in range(nearest_output - 1, nearest_output + 2):
                # Between 1 and 2 there are no fractions.
                if output == EIGHTH or 2 * EIGHTH <= output <= 128 * EIGHTH:
                    parameters = {"D": divider, "M": multiplier, "O": output}
                    yield Setting(vco * EIGHTH / output, pfd, vco, parameters)


class Mmcm(Elaboratable):
    """``o``: the clock of ``setting``, from the board's default clock; ``locked``."""

    def __init__(self, kind: Kind, crystal: Fraction, setting: Setting):
        self.kind, self.crystal, self.setting, self.mhz = kind, crystal, setting, setting.mhz
        self.o = Signal()
        self.locked = Signal()

    def elaborate(self, platform):
        m = Module()
        feedback, output = Signal(), Signal()
        parameters = self.setting.parameters
        m.submodules.pll = Instance(
            self.kind.primitive,
            p_CLKIN1_PERIOD=float(1000 / self.crystal),
            p_DIVCLK_DIVIDE=parameters["D"],
            p_CLKFBOUT_MULT_F=parameters["M"] / EIGHTH,
            p_CLKOUT0_DIVIDE_F=parameters["O"] / EIGHTH,
            i_CLKIN1=clock_pin(m, platform),
            i_CLKFBIN=feedback,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=feedback,
            o_CLKOUT0=output,
            o_LOCKED=self.locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=output, o_O=self.o)
        return m
