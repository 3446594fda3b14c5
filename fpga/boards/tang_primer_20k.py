"""Sipeed Tang Primer 20K on its dock: https://wiki.sipeed.com/tangprimer20k."""

FACTS = {
    "title": "Sipeed Tang Primer 20K Dock with GW2A-18C",
    "platform": "amaranth_boards.tang_primer_20k:TangPrimer20kDockPlatform",
    "family": "gowin",
    "device": "GW2A-LV18PG256C8/I7",
    "package": "PG256",
    "speed": "C8/I7",
    "crystal_mhz": 27.0,
    "clock_mhz": 54.0,
    "led": "led",
    "loader": "tangprimer20k",
    "options": {
        "family": "GW2A-18C",
        "pll_device": "GW2A-18C",
        "pack": ["--sspi_as_gpio", "--mspi_as_gpio", "--ready_as_gpio", "--done_as_gpio"],
    },
}
