"""What a user says about an engine: validated, frozen, and free of Amaranth and NumPy.

:func:`load` takes a TOML file or a preset's name. ``docs/reference/configuration.md`` has all
keys; the tables of each kind of engine are in :mod:`.gemm_config` and :mod:`.lut_config`. Sizes are
bounded, so a configuration that loads can be built.
"""

import functools
import operator
import os
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from . import source
from .array_tables import ARRAYS as ARRAYS
from .attention.config import AttentionConfig
from .engine_table import EngineTable
from .errors import ConfigError, nearest, shown
from .explain import explain
from .gemm_config import MAX_ACCUMULATOR as MAX_ACCUMULATOR
from .gemm_config import MAX_LIMIT as MAX_LIMIT
from .gemm_config import MIN_ACCUMULATOR as MIN_ACCUMULATOR
from .gemm_config import PES as PES
from .gemm_config import GemmConfig
from .lut_config import LutConfig
from .transformer.config import EncoderConfig

ENGINES: dict[str, type[EngineTable]] = {
    "gemm": GemmConfig,
    "lut": LutConfig,
    "attention": AttentionConfig,
    "encoder": EncoderConfig,
}
"""Configurations by their top-level ``kind``."""


def load(origin: str | os.PathLike, overrides: Iterable[str] = ()) -> EngineTable:
    """The configuration in a TOML file, or of a preset, after ``key.path=value`` overrides.

    Raises :class:`ConfigError` for whatever is wrong with it.
    """
    label, tables = source.read(origin)
    return from_tables(source.override(tables, overrides), label)


def load_gemm(origin: str | os.PathLike, overrides: Iterable[str] = ()) -> GemmConfig:
    """The same for what takes GEMM engines alone, of any array; another kind is an error."""
    settings = load(origin, overrides)
    return of_gemm(settings, settings.name)


def of_gemm(settings: EngineTable, label: str) -> GemmConfig:
    """``settings``, if it is a GEMM engine's; else :class:`ConfigError`."""
    if not isinstance(settings, GemmConfig):
        kinds = [kind for kind, model in ENGINES.items() if issubclass(model, GemmConfig)]
        raise ConfigError(
            f"{label}: kind: this works with GEMM engines, not {settings.kind}; allowed are "
            f"{', '.join(kinds)}"
        )
    return settings


def presets(model: type[EngineTable] = EngineTable) -> list[str]:
    """Names of the presets whose configuration is a ``model``."""
    return [name for name in source.presets() if isinstance(load(name), model)]


def from_tables(tables: Mapping, label: str = "configuration") -> EngineTable:
    """The configuration that plain ``tables`` describe; ``label`` is what messages call them."""
    kind = tables.get("kind")
    if not isinstance(kind, str) or kind not in ENGINES:
        what = "is missing" if "kind" not in tables else f"{shown(kind)} is not an engine"
        allowed = f"allowed are {', '.join(ENGINES)}{nearest(kind, ENGINES)}"
        raise ConfigError(f"{label}: kind: {what}; {allowed}")
    try:
        return ENGINES[kind].model_validate(dict(tables))
    except ValidationError as error:
        raise ConfigError(f"{label}: {explain(error, ENGINES[kind])}") from error


def schema() -> dict:
    """The JSON Schema of a configuration, for editors."""
    engines = Annotated[
        functools.reduce(operator.or_, ENGINES.values()), Field(discriminator="kind")
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **TypeAdapter(engines).json_schema(),
    }
