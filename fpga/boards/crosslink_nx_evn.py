"""Lattice CrossLink-NX evaluation board, LIFCL-40-EVN (FPGA-EB-02028).

Its clock is the 12 MHz of the USB bridge (jumper JP2 must be set): the 125 MHz oscillator goes to
the SerDes alone, and the one in the FPGA is not exact enough for a serial line (7 %).

As the board is delivered, its USB bridge is not wired to the pins of ``uart`` (resistors R15 and
R17 are missing), so the link is on PMOD0, in the order of Digilent's Pmod USBUART: the FPGA sends
on pin 2 and receives on pin 3.
"""

from amaranth.build import Attrs, Clock, Connector, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import LatticePlatform

FACTS = {
    "title": "Lattice LIFCL-40-EVN (CrossLink-NX)",
    "platform": "matweave.fpga.boards.crosslink_nx_evn:CrossLinkNXEVNPlatform",
    "family": "nexus",
    "device": "LIFCL-40",
    "package": "BG400",
    "speed": "9",
    "crystal_mhz": 12.0,
    "clock_mhz": 12.0,
    "led": "led",
    "loader": "crosslinknx_evn",
    "uart": {"rx": "3", "tx": "2", "conn": ("pmod", 0), "attrs": {"IO_TYPE": "LVCMOS33"}},
    "options": {"grade": "C"},
}

LVCMOS33 = Attrs(IO_TYPE="LVCMOS33")


def _each(name: str, kind, direction: str, pins: str) -> list[Resource]:
    """A resource of one bit for each of ``pins``, numbered from 0."""
    return [
        Resource(name, number, kind(pin, dir=direction), LVCMOS33)
        for number, pin in enumerate(pins.split())
    ]


class CrossLinkNXEVNPlatform(LatticePlatform):
    """amaranth-boards has no board with a Nexus device. Pins as in litex-boards
    (``lattice_crosslink_nx_evn.py``) and in the examples of Project Oxide (``evn.pdc``)."""

    device = "LIFCL-40"
    package = "BG400"
    speed = "9"
    default_clk = "clk12"
    resources = [
        Resource("clk12", 0, Pins("L13", dir="i"), Clock(12e6), LVCMOS33),
        *_each("led", PinsN, "o", "E17 F13 G13 F14 L16 L15 L20 L19 R17 R18 U20 T20 W20 V20"),
        *_each("button", PinsN, "i", "G14 G15"),
        *_each("switch", Pins, "i", "N14 M14 M16 M15 N15 N16 M17 M18"),
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("F16", dir="i")),
            Subsignal("tx", Pins("F18", dir="o")),
            LVCMOS33,
        ),
    ]
    connectors = [
        Connector("pmod", 0, "D10 D9 D7 D8 - - D6 D5 D4 D3 - -"),
        Connector("pmod", 1, "E10 E9 E7 E8 - - E4 E3 E2 F1 - -"),
        Connector("pmod", 2, "J2 J1 K2 K1 - - K3 K4 D17 E18 - -"),
    ]
