"""Real Digital RFSoC 4x2, with a Zynq UltraScale+: https://www.realdigital.org/hardware/rfsoc-4x2.

Built by Vivado: ``matweave package --vendor vivado --board rfsoc4x2``. The processor is not used;
its serial port is its own, so the link is on PMOD0, in the order of Digilent's Pmod USBUART: the
FPGA sends on pin 2 and receives on pin 3.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Resource
from amaranth_boards.rfsoc4x2 import RFSoC4x2Platform

FACTS = {
    "title": "Real Digital RFSoC 4x2 with ZU48DR",
    "platform": "matweave.fpga.boards.rfsoc4x2:RFSoC4x2",
    "family": "vivado",
    "device": "xczu48dr",
    "package": "ffvg1517",
    "speed": "2-e",
    "crystal_mhz": 100.0,
    "clock_mhz": 125.0,
    "led": "led",
    "loader": "",
    "uart": {"rx": "3", "tx": "2", "conn": ("pmod", 0), "attrs": {"IOSTANDARD": "LVCMOS18"}},
}


class RFSoC4x2(RFSoC4x2Platform):
    """amaranth-boards 0.0.21 gives the 100 MHz clock the pins of the DDR4's 200 MHz. It is on AM15
    and AN15 (``CLK_100`` in the board's list of constraints)."""

    resources = [
        Resource(
            "clk", 0, DiffPairs("AM15", "AN15", dir="i"), Clock(100e6), Attrs(IOSTANDARD="LVDS")
        ),
        *(each for each in RFSoC4x2Platform.resources if (each.name, each.number) != ("clk", 0)),
    ]
