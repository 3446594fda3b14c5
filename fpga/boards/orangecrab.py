"""OrangeCrab r0.2: https://orangecrab-fpga.github.io/orangecrab-hardware/.

Its USB connector is wired to the FPGA, not to a serial bridge: the link is on the pins that the
Feather standard calls RX (0) and TX (1).
"""

FACTS = {
    "title": "OrangeCrab r0.2 with LFE5U-25F",
    "platform": "amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
    "family": "ecp5",
    "device": "LFE5U-25F",
    "package": "CSFBGA285",
    "speed": "8",
    "crystal_mhz": 48.0,
    "clock_mhz": 60.0,
    "led": "rgb_led.g",
    "loader": "orangeCrab",
    "uart": {"rx": "0", "tx": "1", "conn": ("io", 0), "attrs": {"IO_TYPE": "LVCMOS33"}},
}
