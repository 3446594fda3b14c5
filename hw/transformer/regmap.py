"""The register map of transformer layers: one table for RTL, C header, documentation and manifest.

Pure Python; imports no Amaranth.
"""

from dataclasses import replace

from ..engine.regmap import Field, Register, first

ID = 0x4D545745
"""Value of register ID: ``MTWE`` in ASCII."""
VERSION = 1
"""Value of register VERSION: of this map; changes when a driver would have to."""
ADDRESS_WIDTH = 8

_ENCODER = (
    *first(
        ID,
        VERSION,
        "Start with TOKENS of zero or above MAX_TOKENS.",
        Field("NO_MODEL", 2, 1, "Start without LOAD, and no model has been loaded whole."),
    ),
    Register("TOKENS", 0x14, "RW", "Tokens of a job, 1 to MAX_TOKENS."),
    Register(
        "MODE",
        0x18,
        "RW",
        "What the next job does; bits 31:1 are ignored.",
        (Field("LOAD", 0, 1, "The model comes first; else the one that is there is used."),),
    ),
    Register("CYCLES", 0x1C, "RO", "Cycles of the job so far; counters are modulo 2^32."),
    Register("STALL_B", 0x20, "RO", "Cycles in which the next beat of weights was missing."),
    Register("STALL_P", 0x24, "RO", "Cycles in which the next parameter was missing."),
    Register("STALL_X", 0x28, "RO", "Cycles in which the next beat of tokens was missing."),
    Register("STALL_Y", 0x2C, "RO", "Cycles in which a result was valid and not accepted."),
    Register("MAX_TOKENS", 0x30, "RO", "Largest TOKENS."),
    Register("WIDTH", 0x34, "RO", "Elements of a token."),
    Register("HEADS", 0x38, "RO", "Heads of attention."),
    Register("HIDDEN", 0x3C, "RO", "Elements of the hidden layer."),
    Register("LAYERS", 0x40, "RO", "Layers."),
)
_DECODER = (
    Register("POSITION", 0x44, "RW", "Decoders: of the job's first token, 0 to CACHED."),
    Register("CACHED", 0x48, "RO", "Decoders: tokens whose keys and values are there."),
    Register("CONTEXT", 0x4C, "RO", "Decoders: largest POSITION + TOKENS."),
)
_NO_CONTEXT = Field(
    "NO_CONTEXT", 3, 1, "Decoders: start at a POSITION above CACHED, or with LOAD above 0."
)
_OF_DECODER = {
    "ILLEGAL_SIZE": "Start with TOKENS of zero or above MAX_TOKENS; decoders: or POSITION + TOKENS "
    "above CONTEXT."
}


def registers(*, decoder: bool) -> tuple[Register, ...]:
    """Those of an encoder, or of a decoder."""
    if not decoder:
        return _ENCODER
    found = [*_ENCODER, *_DECODER]
    place = next(n for n, register in enumerate(found) if register.name == "ERROR")
    error = found[place]
    fields = (replace(each, doc=_OF_DECODER.get(each.name, each.doc)) for each in error.fields)
    found[place] = replace(error, fields=(*fields, _NO_CONTEXT))
    return tuple(found)


def of_manifest(content: dict) -> tuple[Register, ...]:
    """Those of the engine that a manifest is of."""
    return registers(decoder="POSITION" in content["registers"]["addresses"])


def addresses(*, decoder: bool) -> dict[str, int]:
    """Byte addresses by name."""
    return {register.name: register.address for register in registers(decoder=decoder)}
