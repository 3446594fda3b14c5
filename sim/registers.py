"""The register map as ``docs/decisions/0001-interfaces.md`` states it.

Written from the page and not from the RTL, so that a mistake in one shows against the other.
"""

import enum


class Register(enum.IntEnum):
    """Byte addresses."""

    ID = 0x00
    VERSION = 0x04
    CONTROL = 0x08
    STATUS = 0x0C
    ERROR = 0x10
    M = 0x14
    N = 0x18
    K = 0x1C
    MODE = 0x20
    ZERO_POINT = 0x24
    MULTIPLIER = 0x28
    SHIFT = 0x2C
    CYCLES = 0x40
    STALL_A = 0x44
    STALL_B = 0x48
    STALL_C0 = 0x4C
    STALL_C = 0x50
    TILES = 0x54
    MAX_M = 0x60
    MAX_N = 0x64
    MAX_K = 0x68
    GEOMETRY = 0x6C


WEIGHTS = 0x30
"""Of engines with bit-serial weights; the others have no register there."""
GROUPS = 0x34
"""Of engines whose jobs may have several groups."""

ID_VALUE = 0x4D545756
VERSION_VALUE = 1

COUNTERS = ("CYCLES", "STALL_A", "STALL_B", "STALL_C0", "STALL_C", "TILES")
READ_WRITE = ("M", "N", "K", "MODE", "ZERO_POINT", "MULTIPLIER", "SHIFT")
READ_ONLY = ("ID", "VERSION", "STATUS", *COUNTERS, "MAX_M", "MAX_N", "MAX_K", "GEOMETRY")


class Control(enum.IntFlag):
    START = 1
    SOFT_RESET = 2
    CLEAR_COUNTERS = 4


class Status(enum.IntFlag):
    BUSY = 1
    DONE = 2
    ERROR = 4


class Error(enum.IntFlag):
    ILLEGAL_SIZE = 1
    START_WHILE_BUSY = 2
    MODE_NOT_BUILT_IN = 4
    NO_MODEL = 4  # the same bit of an encoder
    ILLEGAL_SHIFT = 8
    NO_CONTEXT = 8  # the same bit of a decoder


class Mode(enum.IntFlag):
    ADD_C0 = 1
    ADD_BIAS = 2
    REQUANTIZE = 4
    RELU = 8
    SUBTRACT_ZEROS = 16
    KEEP_B = 32


class NetworkRegister(enum.IntEnum):
    """Byte addresses of a network behind a host link (``docs/reference/registers.md``)."""

    ID = 0x00
    VERSION = 0x04
    CLOCK_HZ = 0x08
    SAMPLES = 0x0C
    LATENCY = 0x10


NETWORK_ID_VALUE = 0x4D54574E
NETWORK_VERSION_VALUE = 1


class AttentionRegister(enum.IntEnum):
    """Byte addresses of an attention engine (``docs/decisions/0013-attention.md``)."""

    ID = 0x00
    VERSION = 0x04
    CONTROL = 0x08
    STATUS = 0x0C
    ERROR = 0x10
    QUERIES = 0x14
    KEYS = 0x18
    KV_HEADS = 0x1C
    MODE = 0x20
    GROUP = 0x24
    POSITION = 0x28
    WINDOW = 0x2C
    LOGIT_MULTIPLIER = 0x30
    LOGIT_SHIFT = 0x34
    MULTIPLIER = 0x38
    SHIFT = 0x3C
    ZERO_POINT = 0x40
    CYCLES = 0x44
    STALL_Q = 0x48
    STALL_K = 0x4C
    STALL_V = 0x50
    STALL_O = 0x54
    MAX_QUERIES = 0x60
    MAX_KEYS = 0x64
    MAX_KV_HEADS = 0x68
    MAX_GROUP = 0x6C


ATTENTION_ID_VALUE = 0x4D545741


class AttentionMode(enum.IntFlag):
    CAUSAL = 1
    WINDOWED = 2
    PARTIAL = 4


class EncoderRegister(enum.IntEnum):
    """Byte addresses of an encoder, and from POSITION on of a decoder
    (``docs/decisions/0015-transformer-layers.md``)."""

    ID = 0x00
    VERSION = 0x04
    CONTROL = 0x08
    STATUS = 0x0C
    ERROR = 0x10
    TOKENS = 0x14
    MODE = 0x18
    CYCLES = 0x1C
    STALL_B = 0x20
    STALL_P = 0x24
    STALL_X = 0x28
    STALL_Y = 0x2C
    MAX_TOKENS = 0x30
    WIDTH = 0x34
    HEADS = 0x38
    HIDDEN = 0x3C
    LAYERS = 0x40
    POSITION = 0x44
    CACHED = 0x48
    CONTEXT = 0x4C


ENCODER_ID_VALUE = 0x4D545745


class EncoderMode(enum.IntFlag):
    LOAD = 1


class Response(enum.IntEnum):
    """AXI responses."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def tables(max_n: int) -> dict[str, int]:
    """Byte addresses of the channel tables of an engine whose ``limits.n`` is ``max_n``."""
    window = 4 * (1 << (max_n - 1).bit_length())
    step = max(window, 0x100)
    return {"bias": step, "multiplier": 2 * step, "shift": 3 * step}


def zero_table(max_n: int, entries: int = 0) -> int:
    """Byte address of the table of zero points, of engines that have it: behind the others, at a
    multiple of its size. ``entries``: if more than one per channel."""
    return max(4 * tables(max_n)["bias"], 4 << (max(entries, 1) - 1).bit_length())
