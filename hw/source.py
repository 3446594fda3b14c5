"""From a file, a preset's name and ``key=value`` overrides to plain tables.

A hostile file costs no more than reading it: size and nesting are bounded before the parser sees
the text (a 50,000-part dotted key takes Python's parser 10 s and 2 GB).
"""

import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from .errors import ConfigError, nearest, plain, shown

MAX_BYTES = 64 * 1024
"""Largest configuration file."""

MAX_DEPTH = 64
"""Deepest nesting of brackets, and most parts of one dotted key; a configuration needs two."""

PRESETS = Path(__file__).with_name("presets")


def presets() -> dict[str, Path]:
    """Every preset's file by its name, in alphabetical order."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.toml"))}


def read(source: str | os.PathLike) -> tuple[str, dict]:
    """The tables of ``source`` and what to call it in messages.

    A :class:`~pathlib.Path`, or a string with a directory separator or that ends in ``.toml``, is a
    file; any other string is the name of a preset, or else of a file in the current folder.
    Raises :class:`ConfigError` if it cannot be read or parsed.
    """
    text = os.fspath(source)
    if "\0" in text:
        raise ConfigError(f"{plain(text)}: is neither a preset nor a file")
    if isinstance(source, str) and not text.endswith(".toml") and not re.search(r"[/\\]", text):
        known = presets()
        if text in known:
            return f"preset {text}", _parse(_read_bytes(known[text], text), f"preset {text}")
        if not Path(text).is_file():
            raise ConfigError(
                f"{plain(text)}: is neither a preset nor a file; `matweave list` names the presets"
                + nearest(text, known)
            )
    label = plain(text)
    return label, _parse(_read_bytes(Path(text), label), label)


def override(tables: dict, assignments: Iterable[str]) -> dict:
    """A copy of ``tables`` in which each ``key.path=value`` has replaced or added one value.

    A value that is TOML is taken as that (``8``, ``true``, ``"exact"``), any other as a string.
    """
    tables = _copy(tables)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        path = [part.strip() for part in key.split(".")]
        if not equals or len(path) > MAX_DEPTH:
            raise ConfigError(f"--set {shown(assignment)}: is not of the form key.path=value")
        if not all(re.fullmatch(r"[A-Za-z0-9_-]+", part, re.ASCII) for part in path):
            raise ConfigError(f"--set {shown(assignment)}: {shown(key)} is not a dotted key")
        table = tables
        for depth, part in enumerate(path[:-1]):
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                where = ".".join(path[: depth + 1])
                raise ConfigError(f"--set {shown(assignment)}: {where} is a value, not a table")
        table[path[-1]] = _value(value.strip(), f"--set {shown(assignment)}")
    return tables


def _value(text: str, label: str) -> object:
    try:
        tables = _parse(f"value = {text}".encode(), label)
    except ConfigError:
        return text
    return tables["value"] if tables.keys() == {"value"} else text


def _copy(value: object) -> object:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _read_bytes(path: Path, label: str) -> bytes:
    try:
        if path.is_file():
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        elif path.exists():
            raise ConfigError(f"{label}: is not a regular file")
        else:
            raise ConfigError(f"{label}: does not exist")
    except OSError as error:
        raise ConfigError(f"{label}: cannot be read: {plain(error.strerror)}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{label}: is larger than the {MAX_BYTES // 1024} KiB allowed")
    return data


def _parse(data: bytes, label: str) -> dict:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{label}: is not TOML: not UTF-8 at byte {error.start}") from error
    if _nesting(text) > MAX_DEPTH:
        raise ConfigError(f"{label}: is nested more deeply than the {MAX_DEPTH} levels allowed")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: an integer of 4,301 digits, too
        raise ConfigError(f"{label}: is not TOML: {plain(error)}") from error


def _nesting(text: str) -> int:
    """An upper bound on the depth of brackets and of dotted keys, in one linear pass.

    Strings and comments are not recognised: what is in them counts too, hence the generous limit.
    """
    deepest = depth = dots = 0
    for character in text:
        if character in "[{":
            depth += 1
        elif character in "]}":
            depth = max(0, depth - 1)
        if character == ".":
            dots += 1
        elif character in "=,\n[{":
            dots = 0
        deepest = max(deepest, depth, dots + 1)
    return deepest
