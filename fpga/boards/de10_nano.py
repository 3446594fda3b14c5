"""Terasic DE10-Nano: https://www.terasic.com.tw/, its serial port on the GPIO header.

Built by Quartus: ``matweave package --vendor quartus --board de10_nano``.
"""

FACTS = {
    "title": "Terasic DE10-Nano",
    "platform": "amaranth_boards.de10_nano:DE10NanoPlatform",
    "family": "quartus",
    "device": "5CSEBA6",
    "package": "U23",
    "speed": "I7",
    "crystal_mhz": 50.0,
    "clock_mhz": 50.0,
    "led": "led",
    "loader": "de10nano",
}
