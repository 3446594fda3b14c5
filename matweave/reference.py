"""The reference of every configuration key, in Markdown: ``matweave schema --markdown``.

Made from the models themselves, so that it cannot be out of date; a test compares it with
``docs/reference/configuration.md``.
"""

import enum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from matweave.hw import array_tables, catalog, config, cost, gemm_config, lut_config, source
from matweave.hw.attention import config as attention
from matweave.hw.transformer import config as transformer

_HEAD = """\
# Configuration

A configuration is a TOML file (UTF-8, at most {kib} KiB) or the name of a preset. Anything that is
not described here is refused, with the nearest valid name; so are floats and booleans where an
integer is meant. `--set key.path=value` replaces one value on the command line.

This page is made by `matweave schema --markdown`; `matweave schema` prints the JSON Schema, with
which an editor checks and completes a file.
"""

_TAIL = """\
## What must fit together

- `accumulator.width`, where given, is at least the widths of `a` and `b` together. It may be less
  than the largest sum needs: `overflow` says what happens then.
- Arrays that accumulate inside the PE: {inside}. A PE that only adds
  modulo 2^width ({modular}) cannot saturate there, so a given width with `overflow = "saturate"` is
  refused. The other arrays accumulate outside of the PE.
- `output.rounding = "tflite_double"` needs a result of 32 bits: an accumulator of at most 32.
- An engine has at most {multipliers:,} multipliers, {buffers:,} bits of buffers and {stream:,} bits
  in its widest stream, all computed before anything is built.

## Presets

{presets}
"""


def markdown() -> str:
    """The whole page."""
    modular = [f"`{name}`" for name, pe in catalog.pes().items() if not pe.saturates_in_array]
    inside = [f"`{kind}`" for kind in config.ARRAYS if kind in catalog.ACCUMULATES_IN_PE]
    parts = [
        _HEAD.format(kib=source.MAX_BYTES // 1024),
        _section("Top level", config.GemmConfig),
        _section("`[limits]`", gemm_config.Limits),
        "## `[array]`\n\n`kind` chooses one of these.\n",
        *(_section(f'`kind = "{kind}"`', array, 3) for kind, array in config.ARRAYS.items()),
        "## `[pe]`\n\n`kind` chooses one of these; without it, `mac`.\n",
        *(_section(f'`kind = "{kind}"`', pe, 3) for kind, pe in config.PES.items()),
        _section("`[accumulator]`", gemm_config.Accumulator),
        _section("`[output]`", gemm_config.Output),
        _section('`kind = "lut"`', config.LutConfig),
        _section("Its `[array]`", array_tables.Lookup, 3),
        _section("Its `[accumulator]`", lut_config.LookupAccumulator, 3),
        _section('`kind = "attention"`', config.AttentionConfig),
        *(_section(f"Its `[{name}]`", model, 3) for name, model in attention.TABLES.items()),
        _section('`kind = "encoder"`', config.EncoderConfig),
        *(_section(f"Its `[{name}]`", model, 3) for name, model in transformer.TABLES.items()),
        _TAIL.format(
            modular=", ".join(modular) or "none at present",
            inside=", ".join(inside),
            multipliers=cost.MAX_MULTIPLIERS,
            buffers=cost.MAX_BUFFER_BITS,
            stream=cost.MAX_STREAM_BITS,
            presets="\n".join(_presets()),
        ),
    ]
    return "\n".join(parts).rstrip()


def _presets() -> list[str]:
    from .listing import catalogue

    rows = [f"| `{name}` | {about} |" for name, about in catalogue()["presets"].items()]
    return ["| name | what it is |", "|---|---|", *rows]


def _section(title: str, model: type[BaseModel], level: int = 2) -> str:
    about = model.__doc__.strip().replace("``", "`")
    rows = [_row(name, field) for name, field in model.model_fields.items()]
    head = ["| key | allowed | default | |", "|---|---|---|---|"]
    return "\n".join([f"{'#' * level} {title}\n", about, "", *head, *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    return f"| `{name}` | {_allowed(name, field)} | {_default(field)} | {field.description or ''} |"


def _allowed(name: str, field: FieldInfo) -> str:
    annotation, bounds = field.annotation, _bounds(field)
    if bounds:
        return bounds
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if annotation is bool:
        return "`true`, `false`"
    if name in ("array", "pe") or (
        isinstance(annotation, type) and issubclass(annotation, BaseModel)
    ):
        return "a table, below"
    if name == "name":
        return "letters, digits, `_`; at most 63, a letter first; no HDL keyword, not `clk`, `rst`"
    words = [arg for arg in get_args(annotation) if isinstance(arg, str | int)]
    if words:
        return ", ".join(f"`{word}`" for word in words)
    if name == "width":
        return f"`exact`, {config.MIN_ACCUMULATOR} to {config.MAX_ACCUMULATOR}"
    schemas = (getattr(each, "json_schema", None) for each in field.metadata)
    return _formats(next(schema["enum"] for schema in schemas if schema))


def _formats(names: list[str]) -> str:
    """Names of formats, those of all widths from one to another as such."""
    found, kinds = [], {}
    for name in names:
        kinds.setdefault(name.rstrip("0123456789"), []).append(name)
    for prefix, of_kind in kinds.items():
        widths = [int(name.removeprefix(prefix) or 0) for name in of_kind]
        if len(widths) > 1 and widths == list(range(widths[0], widths[-1] + 1)):
            found.append(f"`{of_kind[0]}` to `{of_kind[-1]}`")
        else:
            found += [f"`{name}`" for name in of_kind]
    return ", ".join(found)


def _bounds(field: FieldInfo) -> str:
    low = next((each.ge for each in field.metadata if hasattr(each, "ge")), None)
    high = next((each.le for each in field.metadata if hasattr(each, "le")), None)
    return "" if low is None else f"{low} to {high}"


def _default(field: FieldInfo) -> str:
    default: Any = field.default
    if isinstance(default, BaseModel):
        return "all defaults"
    if isinstance(default, enum.Enum):
        default = default.value
    if field.default_factory:
        return "see right"
    if isinstance(default, bool):
        default = str(default).lower()
    return "required" if default is PydanticUndefined else f"`{default}`"
