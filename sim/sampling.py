"""Random configurations, good and bad, small enough to build by the hundred.

Good ones cover every array, PE, format, rounding and output; bad ones are good ones with one thing
wrong, as TOML text.
"""

import json
from collections.abc import Mapping

import numpy as np

from matweave.hw import catalog, weights
from matweave.hw.config import ARRAYS, GemmConfig, from_tables
from matweave.hw.errors import ConfigError
from matweave.hw.formats import Overflow, Rounding


def valid(seed: int, index: int) -> GemmConfig:
    """Good configuration number ``index``; arrays and PEs go round in turn."""
    rng = np.random.default_rng([seed, index])
    while True:
        try:
            return from_tables(_tables(rng, index))
        except ConfigError:  # parts that do not go together: draw again
            continue


def _tables(rng: np.random.Generator, index: int) -> dict:
    def one(*choices):
        return choices[rng.integers(len(choices))]

    def between(low, high):
        return int(rng.integers(low, high + 1))

    kinds = [*ARRAYS, "lookup"]
    kind = kinds[index % len(kinds)]
    if kind == "lookup":
        return _lookup(index, one, between)
    pes = [catalog.pes()[name] for name in catalog.fitting(kind)]
    pe = pes[index // len(kinds) % len(pes)]
    fields = ARRAYS[kind].model_fields
    array = {"kind": kind} | {
        name: between(1, 5) for name in ("rows", "columns", "depth") if name in fields
    }
    if "synchronise" in fields:
        array |= {
            "synchronise": one("fifo", "barrier"),
            "share": between(1, array["rows"]),
        }
    if "pipeline" in fields:
        array["pipeline"] = between(0, 2)
    for tile, side in (("tile_rows", "rows"), ("tile_columns", "columns")):
        if tile in fields and rng.integers(2):
            array[tile] = between(1, array[side])
    return {
        "kind": "gemm",
        "name": f"sample_{index}",
        "a": f"{one('', 'u')}int{between(2, 16)}",
        "b": f"{one('', 'u')}int{between(2, 16)}",
        "limits": {size: between(1, 24) for size in "mnk"},
        "array": array,
        "pe": {"kind": pe.name}
        | {name: one(*option["allowed"]) for name, option in pe.options.items()},
        "accumulator": {
            "width": one("exact", between(8, 48)),
            "overflow": one(*(value.value for value in Overflow)),
        },
        "output": _output(one, between),
    }


def _output(one, between) -> dict:
    return {
        "mode": one("raw", "requantized", "both"),
        "format": f"{one('', 'u')}int{between(2, 16)}",
        "rounding": one(*(value.value for value in Rounding)),
        "scale": one("channel", "tensor"),
        "multiplier_stages": one(1, 2),
    }


def _lookup(index: int, one, between) -> dict:
    k = between(2, 5)
    return {
        "kind": "lut",
        "name": f"sample_{index}",
        "a": one(*[f"int{between(2, 16)}"] * 3, "fp16", "bf16"),
        "b": one(*weights.NAMES),
        "zero_points": one("none", "channel"),
        "groups": one(1, between(2, 4)),
        "limits": {size: between(1, 24) for size in "mnk"},
        "array": {
            "kind": "lookup",
            "rows": between(1, 4),
            "columns": between(1, 9),
            "k": k,
            "sign": between(0, k - 1),
            "planes": one("parallel", "serial"),
        },
        "output": _output(one, between),
    }


NOT_A_SIZE = (0, -1, 1 << 40, 10**30, True, 2.0, "8", [8], {"x": 1})
NOT_A_WORD = ("", "nonsense", "GEMM", 5, False, [], {})
NOT_A_NAME = (
    "", "1x", "_x", "x-y", "a;b", "../x", "/x", "x\ny", "x\n\nshell id", "module", "wire", "begin",
    "clk", "RST", "entity", "x" * 64, "é", "x\u202ey", "`include", "x y", "x\u0000", 7, ["x"],
)  # fmt: skip
NOT_A_FORMAT = ("int1", "int17", "uint0", "float16", "Int8", "int8 ", 8, "", "int-8")

WRONG = (
    *((("name",), value) for value in NOT_A_NAME),
    *((path, value) for path in (("a",), ("b",), ("output", "format")) for value in NOT_A_FORMAT),
    *((("limits", size), value) for size in "mnk" for value in NOT_A_SIZE),
    *((("array", side), value) for side in ("columns",) for value in NOT_A_SIZE),
    *(
        (path, value)
        for path in (
            ("kind",), ("array", "kind"), ("pe", "kind"), ("output", "mode"),
            ("output", "rounding"), ("output", "scale"), ("accumulator", "overflow"),
            ("accumulator", "width"),
        )
        for value in NOT_A_WORD
    ),
    *(((*table, "surprise"), 1) for table in ((), ("limits",), ("array",), ("pe",), ("output",))),
    *(((table,), value) for table in ("limits", "array", "output") for value in (1, "x", [], {})
      if (table, value) != ("output", {})),
    *((("accumulator", "width"), value) for value in (0, 1, 49, 10**6)),
)  # fmt: skip
"""(path of a key, value that it must not have)."""

NOT_TOML = (
    b"", b"kind", b"kind = ", b"[[", b"\xff\xfe", b"\x00", b"kind = 'gemm'\nkind = 'gemm'",
    b"a" * 70_000, b"a." * 30_000 + b"a = 1", b"x = " + b"[" * 5_000, b"<html></html>",
    b"PK\x03\x04", b"name = '\xe9'", b"x = 01",
)  # fmt: skip


def bad(seed: int, index: int) -> bytes:
    """Bad configuration number ``index``: the text of a file."""
    if index < len(NOT_TOML):
        return NOT_TOML[index]
    path, value = WRONG[(index - len(NOT_TOML)) % len(WRONG)]
    tables = valid(seed, index).canonical()
    table = tables
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return toml(tables).encode()


def toml(tables: Mapping) -> str:
    """``tables`` (nested at most one deep, besides inline values) as TOML."""
    top = [f"{key} = {_value(value)}" for key, value in tables.items()]
    return "\n".join(top) + "\n"


def _value(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)  # JSON's strings, numbers, booleans and arrays are TOML's
