"""What the flow builds: kinds of engines, and what it must know of each beside its Verilog.

A configuration is data of :mod:`matweave.hw` (:class:`~matweave.hw.config.GemmConfig`, a
:class:`~matweave.hw.network.config.NetworkConfig`); :func:`of` gives the :class:`.engine.Engine`
for it, by its ``kind``. A new kind is a file here and a line in :func:`kinds`.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ...hw import config as configurations
from ...hw.errors import ConfigError, nearest, shown
from .engine import Engine as Engine


def kinds() -> dict[str, type[Engine]]:
    """Every kind by the ``kind`` of its configurations."""
    from .encoder import Encoder
    from .gemm import Gemm, Lut
    from .network import NetworkEngine

    return {each.kind: each for each in (Gemm, Lut, Encoder, NetworkEngine)}


def of(config) -> Engine:
    """The engine of a configuration."""
    return kinds()[config.kind](config)


def load(origin: str | Path, overrides: Iterable[str] = ()):
    """The configuration in a file (TOML, or a network's JSON), or of a preset, after overrides.

    Raises :class:`.errors.ConfigError` for whatever is wrong with it.
    """
    for kind in kinds().values():
        if kind.reads(origin):
            return kind.load(origin, overrides)
    settings = configurations.load(origin, overrides)
    if settings.kind not in kinds():
        raise ConfigError(
            f"{settings.name}: kind: boards hold no engine of kind {settings.kind}; allowed are "
            f"{', '.join(kinds())}"
        )
    return settings


def from_tables(tables: Mapping, label: str = "configuration"):
    """The configuration that ``build.json`` tells."""
    kind = tables.get("kind")
    if not isinstance(kind, str) or kind not in kinds():
        raise ConfigError(
            f"{label}: kind: {shown(kind)} is not an engine; allowed are {', '.join(kinds())}"
            f"{nearest(kind, kinds())}"
        )
    return kinds()[kind].from_tables(tables, label)
