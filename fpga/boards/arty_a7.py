"""Digilent Arty A7-35T: https://digilent.com/reference/programmable-logic/arty-a7/start.

Built by Vivado: ``matweave package --vendor vivado --board arty_a7``.
"""

FACTS = {
    "title": "Digilent Arty A7-35T",
    "platform": "amaranth_boards.arty_a7:ArtyA7_35Platform",
    "family": "vivado",
    "device": "xc7a35ti",
    "package": "csg324",
    "speed": "1L",
    "crystal_mhz": 100.0,
    "clock_mhz": 80.0,
    "led": "led",
    "loader": "arty_a7_35t",
}
