"""``build.json`` as ``matweave build`` writes it: read, and checked before anything is drawn.

Keys that are not here are left alone: a later version may say more.
"""

import json
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...hw.errors import UserError, described, plain, shown

MAX_BYTES = 256 * 1024 * 1024
"""Of a file that is read; a placement of the largest device has a few dozen MiB."""

Count = Annotated[int, Field(ge=0, le=10**9, strict=True)]
Megahertz = Annotated[float, Field(ge=0.001, le=1e6, allow_inf_nan=False)]
Duration = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=10_000, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Board(_Part):
    name: Text
    title: Text
    device: Text
    family: Text
    package: Text
    speed: Text


class Clock(_Part):
    """``constraint_mhz`` is what it runs at, ``achieved_mhz`` what it could."""

    name: Text
    constraint_mhz: Megahertz
    achieved_mhz: Megahertz


class Resource(_Part):
    used: Count
    available: Count


class Mapping(_Part):
    """What a part should have become, what it is, and why where the two differ."""

    part: Text
    wanted: Text
    got: Text
    count: Count
    why: Text | None = None


class Segment(_Part):
    kind: Text
    ns: Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
    cell: Text
    net: Text | None = None


class CriticalPath(_Part):
    """``words``: from where to where, in the engine's terms."""

    clock: Text
    ns: Duration
    from_: Annotated[Text, Field(alias="from")]
    to: Text
    words: Text
    segments: Annotated[list[Segment], Field(max_length=10_000)]


class Cell(_Part):
    """A placed cell: its tile, what it is, and which part of the design it belongs to."""

    x: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    y: Annotated[int, Field(ge=0, le=10_000, strict=True)]
    type: Text
    part: Text


class Seed(_Part):
    seed: Annotated[int, Field(strict=True)]
    achieved_mhz: Megahertz


class Build(_Part):
    """All of ``build.json``; :func:`read` has put the placement in if it was in a file beside."""

    demo: Text | None = None
    config: dict[str, Any]
    board: Board
    clocks: Annotated[list[Clock], Field(min_length=1, max_length=100)]
    resources: Annotated[dict[Text, Resource], Field(min_length=1, max_length=100)]
    mapping: Annotated[list[Mapping], Field(max_length=10_000)]
    critical_path: CriticalPath | None
    placement: list[Cell] | Text
    seed: Annotated[int, Field(strict=True)]
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=10_000)]
    files: dict[Text, Text]
    tools: dict[Text, Text]
    commands: list[list[Text]]
    seconds: dict[Text, Duration]
    baud: Annotated[int, Field(ge=50, le=10**9, strict=True)]
    met: Annotated[bool, Field(strict=True)]

    @property
    def engine_clock(self) -> Clock:
        """The clock of the engine: that of the critical path, or else the first."""
        name = self.critical_path.clock if self.critical_path else None
        return next((each for each in self.clocks if each.name == name), self.clocks[0])


def read(path: Path) -> Build:
    """The build that the file ``path`` describes, with its placement.

    Raises :class:`UserError`, one line, if it is not that of a build, or damaged.
    """
    build = _checked(TypeAdapter(Build), _json(path), path)
    if isinstance(build.placement, list):
        return build
    name = build.placement
    # A file beside it, no path: a report is of what is in the folder of its build.
    if Path(name).name != name or "\0" in name:
        raise UserError(f"{plain(path)}: placement: {shown(name)} is not the name of a file")
    beside = path.parent / name
    cells = _checked(TypeAdapter(list[Cell]), _json(beside), beside)
    return build.model_copy(update={"placement": cells})


def of(result: dict[str, Any], placement: list[dict[str, Any]]) -> Build:
    """The build that ``result`` describes, which a flow of ours has just made."""
    return TypeAdapter(Build).validate_python(result | {"placement": placement})


def _json(path: Path) -> Any:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"{plain(path)}: cannot be read: {plain(error.strerror)}") from None
    if len(data) > MAX_BYTES:
        raise UserError(f"{plain(path)}: is larger than {MAX_BYTES // 2**20} MiB")
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{plain(path)}: is not JSON, or not all of it is there: line {error.lineno}, column "
            f"{error.colno}: {plain(error.msg)}"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{plain(path)}: is not JSON: it is not UTF-8") from None
    except RecursionError:
        raise UserError(f"{plain(path)}: is not that of a build: nested too deeply") from None


def _checked(adapter: TypeAdapter, data: Any, path: Path) -> Any:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise UserError(f"{plain(path)}: {_explain(error)}") from None


def _explain(error: ValidationError) -> str:
    """``key.path: what is wrong`` of the first thing wrong."""
    errors = error.errors(include_url=False)
    first = errors[0]
    where = ".".join(plain(part) for part in first["loc"])
    what = {
        "missing": "is missing",
        "model_type": f"must be a table, not {described(first['input'])}",
        "dict_type": f"must be a table, not {described(first['input'])}",
        "list_type": f"must be an array, not {described(first['input'])}",
    }.get(first["type"], plain(first["msg"][:1].lower() + first["msg"][1:]))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    prefix = f"{where}: " if where else ""
    return f"is not that of a build: {prefix}{what}{more}"
