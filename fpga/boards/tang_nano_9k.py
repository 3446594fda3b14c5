"""Sipeed Tang Nano 9K: https://wiki.sipeed.com/tangnano9k."""

FACTS = {
    "title": "Sipeed Tang Nano 9K with GW1NR-9C",
    "platform": "amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    "family": "gowin",
    "device": "GW1NR-LV9QN88PC6/I5",
    "package": "QN88P",
    "speed": "C6/I5",
    "crystal_mhz": 27.0,
    "clock_mhz": 27.0,
    "led": "led",
    "loader": "tangnano9k",
    "options": {
        "family": "GW1N-9C",
        "pll_device": "GW1NR-9C",
        "pack": ["--sspi_as_gpio", "--mspi_as_gpio"],
    },
}
