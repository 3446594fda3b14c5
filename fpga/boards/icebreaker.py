"""1BitSquared iCEBreaker: https://1bitsquared.com/products/icebreaker.

The crystal's pin is the PLL's own pad, so that the PLL must be fed from there.
"""

FACTS = {
    "title": "1BitSquared iCEBreaker with iCE40UP5K",
    "platform": "amaranth_boards.icebreaker:ICEBreakerPlatform",
    "family": "ice40",
    "device": "iCE40UP5K",
    "package": "sg48",
    "speed": "",
    "crystal_mhz": 12.0,
    "clock_mhz": 16.5,
    "led": "led",
    "loader": "ice40_generic",
    "options": {"flag": "--up5k", "pll": "pad"},
}
