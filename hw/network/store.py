"""A network's layers as plain JSON types, and back: what a child process hands over, and a file.

A file is :func:`text` of the network, exact: its weights are integers. :func:`save` writes it,
``matweave import`` too (``NAME.network.json``). Reading one needs neither hls4ml nor Keras::

    network = store.load("jets.network.json")  # Network, or ConfigError
    assert store.digest(network) == ...
"""

import dataclasses
import hashlib
import json
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import output
from ..errors import ConfigError, plain
from ..fixed import Fixed, FixedOverflow, FixedRounding
from .layers import KINDS, Layer, Network

LARGEST = 1 << 26
"""Most bytes of a file that is read."""


def save(network: Network, path: str | os.PathLike) -> None:
    """Write :func:`text` to the file ``path``, at once or not at all.

    Raises :class:`~..errors.OutputError` where that is not possible.
    """
    output.write_file(path, text(network).encode())


def load(path: str | os.PathLike) -> Network:
    """The network in a file of :func:`save` or of ``matweave import``: equal, in every bit.

    Raises :class:`ConfigError`, with the file's name, if there is none in it.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{plain(path)}: cannot be read: {plain(error.strerror)}") from None
    if len(content) > LARGEST:
        raise ConfigError(f"{plain(path)}: is larger than {LARGEST >> 20} MiB")
    try:
        tables = json.loads(content)
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{plain(path)}: is not JSON; `matweave import` writes networks"
        ) from None
    try:
        return from_tables(tables)
    except ConfigError as error:
        raise ConfigError(f"{plain(path)}: {error}") from None


def text(network: Network) -> str:
    """The tables as one line of JSON; equal networks give equal text."""
    return json.dumps(to_tables(network), sort_keys=True, separators=(",", ":")) + "\n"


def to_tables(network: Network) -> dict:
    """JSON types; equal networks give equal tables."""
    return {
        "name": network.name,
        "output": network.output,
        "layers": [
            {"kind": type(each).__name__}
            | {field.name: _plain(getattr(each, field.name)) for field in dataclasses.fields(each)}
            for each in network.layers
        ],
    }


def from_tables(tables: Mapping) -> Network:
    """The network of :func:`to_tables`. Raises :class:`ConfigError` for anything else."""
    try:
        layers = tuple(_layer(dict(each)) for each in tables["layers"])
        return Network(str(tables["name"]), layers, str(tables["output"]))
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ConfigError(
            f"network: is not what matweave writes ({type(error).__name__}: {plain(error)})"
        ) from None


def digest(network: Network) -> str:
    """SHA-256 of the tables, and of the network's file without its final newline."""
    return hashlib.sha256(text(network).rstrip("\n").encode()).hexdigest()


def _plain(value):
    if isinstance(value, Fixed):
        return [value.width, value.integer, value.signed, value.rounding.value,
                value.overflow.value]  # fmt: skip
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


def _layer(table: dict) -> Layer:
    kind = KINDS[table.pop("kind")]
    declared = {each.name: each.type for each in dataclasses.fields(kind)}
    for name, value in table.items():
        table[name] = _read(declared[name], value)
    return kind(**table)


def _read(wanted, value):
    """A field's value of the type that its dataclass declares."""
    if wanted is np.ndarray:
        return _integers(value)
    if wanted is Fixed:
        return _fixed(value)
    if typing.get_origin(wanted) is tuple:
        (each, _) = typing.get_args(wanted)
        return tuple(_read(each, one) for one in value)
    if typing.get_origin(wanted) is types.UnionType:  # or None
        return None if value is None else _read(typing.get_args(wanted)[0], value)
    return wanted(value)


def _integers(value) -> np.ndarray:
    array = np.array(value)
    if array.dtype.kind not in "iu" or array.dtype == np.uint64:
        raise ValueError(f"{array.dtype} where integers must be")
    return array.astype(np.int64)


def _fixed(value) -> Fixed:
    width, integer, signed, rounding, overflow = value
    return Fixed(int(width), int(integer), bool(signed), FixedRounding(rounding),
                 FixedOverflow(overflow))  # fmt: skip
