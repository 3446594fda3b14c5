"""The registers of a network behind a host link: one table for RTL and documentation.

Pure Python; imports no Amaranth.
"""

from ..engine.regmap import Register

ID = 0x4D54574E
"""Value of register ID: ``MTWN`` in ASCII."""
VERSION = 1
"""Value of register VERSION: of this map; changes when a driver would have to."""

REGISTERS = (
    Register("ID", 0x00, "RO", "0x4D54574E, `MTWN` in ASCII."),
    Register("VERSION", 0x04, "RO", "Version of this register map, 1."),
    Register("CLOCK_HZ", 0x08, "RO", "Frequency of the clock that the board gives, in Hz."),
    Register("SAMPLES", 0x0C, "RO", "Results given since reset, modulo 2^32."),
    Register(
        "LATENCY",
        0x10,
        "RO",
        "Cycles from a sample accepted to its result offered, as counted at the streams: of the "
        "last sample that found the engine empty. 0: there was none since reset.",
    ),
)
ADDRESS = {register.name: register.address for register in REGISTERS}
ADDRESS_WIDTH = 5
