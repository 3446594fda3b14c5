"""The register map of an attention engine: one table for RTL, C header, documentation, manifest.

Pure Python; imports no Amaranth.
"""

from ..engine.regmap import Field, Register, first
from .shape import LOGIT_MULTIPLIER_BITS, MAX_SHIFT, Shape

ID = 0x4D545741
"""Value of register ID: ``MTWA`` in ASCII."""
VERSION = 1
"""Value of register VERSION: of this map; changes when a driver would have to."""
ADDRESS_WIDTH = 8

REGISTERS = (
    *first(
        ID,
        VERSION,
        "Start with a size of zero or above its maximum, POSITION + QUERIES above KEYS with "
        "CAUSAL, or WINDOWED without CAUSAL or with a WINDOW of zero or above MAX_KEYS.",
        Field("MODE_NOT_BUILT_IN", 2, 1, "Start with PARTIAL, which this engine lacks."),
        Field("ILLEGAL_SCALE", 3, 1, "A multiplier, shift or zero point that was refused."),
    ),
    Register("QUERIES", 0x14, "RW", "Positions with queries, 1 to MAX_QUERIES."),
    Register("KEYS", 0x18, "RW", "Keys of each KV head, 1 to MAX_KEYS."),
    Register("KV_HEADS", 0x1C, "RW", "Heads of K and V, 1 to MAX_KV_HEADS."),
    Register(
        "MODE",
        0x20,
        "RW",
        "What the next job does; bits 31:3 are ignored.",
        (
            Field("CAUSAL", 0, 1, "Keys behind a query's position do not count."),
            Field("WINDOWED", 1, 1, "Of those before it only the last WINDOW count."),
            Field("PARTIAL", 2, 1, "States instead of results."),
        ),
    ),
    Register("GROUP", 0x24, "RW", "Query heads to each KV head, 1 to MAX_GROUP."),
    Register("POSITION", 0x28, "RW", "Of the first query; 0 is that of the first key."),
    Register("WINDOW", 0x2C, "RW", "Keys that a query sees, its own included; 1 to MAX_KEYS."),
    Register("LOGIT_MULTIPLIER", 0x30, "RW", f"{LOGIT_MULTIPLIER_BITS} bits, of q · k."),
    Register("LOGIT_SHIFT", 0x34, "RW", f"0 to {MAX_SHIFT}, right, of q · k."),
    Register("MULTIPLIER", 0x38, "RW", "Of a result; 30 bits less those of the reciprocal."),
    Register("SHIFT", 0x3C, "RW", "Of a result, right; 0 to the manifest's `max_shift`."),
    Register("ZERO_POINT", 0x40, "RW", "Signed 17 bits, added to a result."),
    Register("CYCLES", 0x44, "RO", "Cycles of the job so far; counters are modulo 2^32."),
    Register("STALL_Q", 0x48, "RO", "Cycles in which the next query was missing."),
    Register("STALL_K", 0x4C, "RO", "Cycles in which the next beat of K was missing."),
    Register("STALL_V", 0x50, "RO", "Cycles in which the next beat of V was missing."),
    Register("STALL_O", 0x54, "RO", "Cycles in which a result was valid and not accepted."),
    Register("MAX_QUERIES", 0x60, "RO", "Largest QUERIES."),
    Register("MAX_KEYS", 0x64, "RO", "Largest KEYS."),
    Register("MAX_KV_HEADS", 0x68, "RO", "Largest KV_HEADS."),
    Register("MAX_GROUP", 0x6C, "RO", "Largest GROUP."),
)
ADDRESS = {register.name: register.address for register in REGISTERS}


def of_manifest(content: dict) -> tuple[Register, ...]:
    """Those of the engine that a manifest is of: they are the same in all."""
    return REGISTERS


def widths(shape: Shape) -> dict[str, int]:
    """Bits of each register of numbers that a job is told; sizes have 32."""
    return {
        "QUERIES": 32,
        "KEYS": 32,
        "KV_HEADS": 32,
        "GROUP": 32,
        "MODE": 3,
        "POSITION": 32,
        "WINDOW": 32,
        "LOGIT_MULTIPLIER": LOGIT_MULTIPLIER_BITS,
        "LOGIT_SHIFT": 6,
        "MULTIPLIER": shape.multiplier_bits,
        "SHIFT": 6,
        "ZERO_POINT": 17,
    }
