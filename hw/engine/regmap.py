"""The register map of a GEMM engine: one table for RTL, C header, documentation and manifest.

Pure Python; imports no Amaranth.
"""

from dataclasses import dataclass

ID = 0x4D545756
"""Value of register ID: ``MTWV`` in ASCII."""
VERSION = 1
"""Value of register VERSION: of this map; changes when a driver would have to."""


MAX_SHIFT = 62
"""Largest right shift of a requantisation."""


@dataclass(frozen=True)
class Field:
    """Bits ``low`` to ``low + width - 1`` of a register."""

    name: str
    low: int
    width: int
    doc: str


@dataclass(frozen=True)
class Register:
    """A 32-bit register at byte ``address``; ``access`` is RO, RW, WO or W1C."""

    name: str
    address: int
    access: str
    doc: str
    fields: tuple[Field, ...] = ()


CONTROL = Register(
    "CONTROL",
    0x08,
    "WO",
    "Commands; reads as 0.",
    (
        Field("START", 0, 1, "Start a job with the parameters in the registers."),
        Field(
            "SOFT_RESET",
            1,
            1,
            "Abort the job, empty all buffers; registers keep. Wins over START.",
        ),
        Field("CLEAR_COUNTERS", 2, 1, "Zero the counters (a start does so too)."),
    ),
)
STATUS = Register(
    "STATUS",
    0x0C,
    "RO",
    "What the engine is doing.",
    (
        Field("BUSY", 0, 1, "A job is running."),
        Field("DONE", 1, 1, "The job started last has finished."),
        Field("ERROR", 2, 1, "ERROR is not zero."),
    ),
)
"""Registers that every engine has alike."""

REGISTERS = (
    Register("ID", 0x00, "RO", "0x4D545756, `MTWV` in ASCII."),
    Register("VERSION", 0x04, "RO", "Version of this register map, 1."),
    CONTROL,
    STATUS,
    Register(
        "ERROR",
        0x10,
        "W1C",
        "What was refused; write ones to clear.",
        (
            Field("ILLEGAL_SIZE", 0, 1, "Start with M, N or K zero or above its maximum."),
            Field("START_WHILE_BUSY", 1, 1, "Start while a job was running; ignored."),
            Field("MODE_NOT_BUILT_IN", 2, 1, "Start with a MODE this engine lacks."),
            Field("ILLEGAL_SHIFT", 3, 1, "Refused: shift > 62, multiplier or zero point too wide."),
        ),
    ),
    Register("M", 0x14, "RW", "Rows of A and C, 1 to MAX_M."),
    Register("N", 0x18, "RW", "Columns of B and C, 1 to MAX_N."),
    Register("K", 0x1C, "RW", "Columns of A and rows of B, 1 to MAX_K."),
    Register(
        "MODE",
        0x20,
        "RW",
        "What the next job does; bits 31:4 are ignored.",
        (
            Field("ADD_C0", 0, 1, "Add the C0 stream."),
            Field("ADD_BIAS", 1, 1, "Add the bias table."),
            Field("REQUANTIZE", 2, 1, "Scale, round and clamp to the output format."),
            Field("RELU", 3, 1, "Negative results become zero (the zero point)."),
        ),
    ),
    Register("ZERO_POINT", 0x24, "RW", "Signed 17 bits, added after scaling."),
    Register("MULTIPLIER", 0x28, "RW", "0 to 2^31 - 1; ignored where scales are per channel."),
    Register("SHIFT", 0x2C, "RW", "0 to 62, right; ignored where scales are per channel."),
    Register("CYCLES", 0x40, "RO", "Cycles of the job so far; counters are modulo 2^32."),
    Register("STALL_A", 0x44, "RO", "Cycles in which the next beat of A was missing."),
    Register("STALL_B", 0x48, "RO", "Cycles in which the next beat (or block) of B was missing."),
    Register("STALL_C0", 0x4C, "RO", "Cycles in which a result waited for C0."),
    Register("STALL_C", 0x50, "RO", "Cycles in which C was valid and not accepted."),
    Register("TILES", 0x54, "RO", "Tiles that have been given to the array."),
    Register("MAX_M", 0x60, "RO", "Largest M."),
    Register("MAX_N", 0x64, "RO", "Largest N."),
    Register("MAX_K", 0x68, "RO", "Largest K."),
    Register(
        "GEOMETRY",
        0x6C,
        "RO",
        "The array's dataflow.",
        (Field("STATIONARY", 0, 8, "0 output stationary, 1 weight stationary."),),
    ),
)
ADDRESS = {register.name: register.address for register in REGISTERS}
TABLES = ("bias", "multiplier", "shift")


def window(max_n: int) -> int:
    """Bytes of a channel table's window: a power of two, at least 256."""
    return max(0x100, 4 << (max_n - 1).bit_length())


def table_addresses(max_n: int, *, per_channel: bool) -> dict[str, int]:
    """Byte address of channel 0 of each table that exists."""
    size = window(max_n)
    present = TABLES if per_channel else TABLES[:1]
    return {name: size * (1 + index) for index, name in enumerate(present)}


def address_width(max_n: int) -> int:
    """Bits of a byte address: four windows, the registers' and the tables'."""
    return (4 * window(max_n) - 1).bit_length()
