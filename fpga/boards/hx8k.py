"""Lattice iCE40-HX8K breakout board."""

FACTS = {
    "title": "Lattice iCE40HX8K-B-EVN",
    "platform": "amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    "family": "ice40",
    "device": "iCE40HX8K",
    "package": "ct256",
    "speed": "",
    "crystal_mhz": 12.0,
    "clock_mhz": 36.0,
    "led": "led",
    "loader": "ice40_generic",
    "options": {"flag": "--hx8k", "pll": "core"},
}
