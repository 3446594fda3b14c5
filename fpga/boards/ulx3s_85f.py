"""Radiona ULX3S, the largest: https://radiona.org/ulx3s/."""

FACTS = {
    "title": "Radiona ULX3S with LFE5U-85F",
    "platform": "amaranth_boards.ulx3s:ULX3S_85F_Platform",
    "family": "ecp5",
    "device": "LFE5U-85F",
    "package": "CABGA381",
    "speed": "6",
    "crystal_mhz": 25.0,
    "clock_mhz": 50.0,
    "led": "led",
    "loader": "ulx3s",
}
