"""The register map of a GEMM engine: one table for RTL, C header, documentation and manifest.

Pure Python; imports no Amaranth.
"""

from dataclasses import dataclass, replace

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

START_WHILE_BUSY = Field("START_WHILE_BUSY", 1, 1, "Start while a job was running; ignored.")
"""In ERROR, of every engine."""


def first(id: int, version: int, illegal_size: str, *errors: Field) -> tuple[Register, ...]:
    """ID to ERROR, which every engine has at the same addresses. ``illegal_size``: the text of that
    error; ``errors``: the engine's own, from bit 2 on."""
    return (
        Register("ID", 0x00, "RO", f"0x{id:08X}, `{id.to_bytes(4, 'big').decode()}` in ASCII."),
        Register("VERSION", 0x04, "RO", f"Version of this register map, {version}."),
        CONTROL,
        STATUS,
        Register(
            "ERROR",
            0x10,
            "W1C",
            "What was refused; write ones to clear.",
            (Field("ILLEGAL_SIZE", 0, 1, illegal_size), START_WHILE_BUSY, *errors),
        ),
    )


REGISTERS = (
    *first(
        ID,
        VERSION,
        "Start with M, N or K zero or above its maximum.",
        Field("MODE_NOT_BUILT_IN", 2, 1, "Start with a MODE this engine lacks."),
        Field("ILLEGAL_SHIFT", 3, 1, "Refused: shift > 62, multiplier or zero point too wide."),
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
TABLES = ("bias", "multiplier", "shift", "zero")

WEIGHTS = Register(
    "WEIGHTS",
    0x30,
    "RW",
    "Format of B; after reset the configuration's.",
    (
        Field("BITS", 0, 4, "Of a weight, 1 to those of the configuration."),
        Field("CODING", 4, 2, "0 asymmetric, 1 two's complement, 2 -1 and 1, 3 ternary."),
    ),
)
"""Of engines with bit-serial weights."""

GROUPS = Register(
    "GROUPS",
    0x34,
    "RW",
    "Groups of K elements, 1 to those of the configuration; 1 after reset.",
)
"""Of engines whose jobs may have several."""

SUBTRACT_ZEROS = Field("SUBTRACT_ZEROS", 4, 1, "Subtract the table of zero points from B.")
"""In MODE, of engines with zero points."""

KEEP_B = Field(
    "KEEP_B",
    5,
    1,
    "Use the last job's B again: N, K, WEIGHTS and GROUPS must not be written in between, nor the "
    "engine be reset.",
)
"""In MODE, of engines whose weights may stay."""


MODE = next(register for register in REGISTERS if register.name == "MODE")


def registers(
    *,
    serial: bool = False,
    zero_points: bool = False,
    keep_b: bool = False,
    groups: int = 1,
) -> tuple[Register, ...]:
    """Those of an engine with bit-serial weights, with zero points, whose B may stay, whose jobs
    may have several groups."""
    found = [*REGISTERS, *[WEIGHTS] * serial, *[GROUPS] * (groups > 1)]
    more = (SUBTRACT_ZEROS,) * zero_points + (KEEP_B,) * keep_b
    if more:
        top = mode_width(zero_points=zero_points, keep_b=keep_b)
        doc = f"What the next job does; bits 31:{top} are ignored."
        found[REGISTERS.index(MODE)] = replace(MODE, doc=doc, fields=(*MODE.fields, *more))
    return tuple(sorted(found, key=lambda register: register.address))


def mode_width(*, zero_points: bool, keep_b: bool) -> int:
    """Bits of MODE."""
    return 6 if keep_b else 4 + zero_points


def of_manifest(content: dict) -> tuple[Register, ...]:
    """Those of the engine that a manifest is of."""
    there = content["registers"]
    return registers(
        serial="WEIGHTS" in there["addresses"],
        zero_points="zero" in there["tables"],
        keep_b=content["kind"] == "lut",
        groups=content["limits"].get("groups", 1),
    )


def addresses(registers: tuple[Register, ...]) -> dict[str, int]:
    """Byte addresses by name."""
    return {register.name: register.address for register in registers}


ADDRESS = addresses(REGISTERS)


def window(max_n: int) -> int:
    """Bytes of a channel table's window: a power of two, at least 256."""
    return max(0x100, 4 << (max_n - 1).bit_length())


def zero_window(max_n: int, zeros: int) -> int:
    """Bytes of the table of ``zeros`` zero points: at least what are before it."""
    return max(4 * window(max_n), window(zeros))


def table_addresses(max_n: int, *, per_channel: bool, zeros: int = 0) -> dict[str, int]:
    """Byte address of channel 0 of each table that exists; ``zeros``: how many zero points."""
    size = window(max_n)
    there = TABLES[:3] if per_channel else TABLES[:1]
    found = {name: size * (1 + index) for index, name in enumerate(there)}
    return found | ({"zero": zero_window(max_n, zeros)} if zeros else {})


def address_width(max_n: int, *, zeros: int = 0) -> int:
    """Bits of a byte address: four windows, the registers' and the tables'; with zero points what
    is before their table, and as much and more for that."""
    size = 2 * zero_window(max_n, zeros) if zeros else 4 * window(max_n)
    return (size - 1).bit_length()
