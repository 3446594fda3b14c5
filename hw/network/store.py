"""A network's layers as plain JSON types, and back: what a child process hands over, and a file."""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping

import numpy as np

from ..errors import ConfigError
from ..fixed import Fixed, FixedOverflow, FixedRounding
from .layers import KINDS, Layer, Network


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
        raise ConfigError(f"network: is not what matweave writes ({error})") from None


def digest(network: Network) -> str:
    """SHA-256 of the tables."""
    text = json.dumps(to_tables(network), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
        return np.array(value, np.int64)
    if wanted is Fixed:
        return _fixed(value)
    if typing.get_origin(wanted) is tuple:
        (each, _) = typing.get_args(wanted)
        return tuple(_read(each, one) for one in value)
    if typing.get_origin(wanted) is types.UnionType:  # or None
        return None if value is None else _read(typing.get_args(wanted)[0], value)
    return wanted(value)


def _fixed(value) -> Fixed:
    width, integer, signed, rounding, overflow = value
    return Fixed(int(width), int(integer), bool(signed), FixedRounding(rounding),
                 FixedOverflow(overflow))  # fmt: skip
