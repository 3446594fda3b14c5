"""What a user says about a network's engine: the network itself, and how to pipeline it.

The counterpart of :class:`~..config.GemmConfig` for an engine that is made from a stored network.
Free of Amaranth until :attr:`NetworkConfig.design` is asked for.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import names, source
from ..errors import ConfigError, nearest, plain, shown
from . import store, timing
from .fold.matrix import DEFAULT_PE
from .fold.options import STREAM, Reuse, cycles
from .layers import Network

KIND = "network"
OPTIONS = ("stages", "period", "family", "fold", "reuse", "pe", "dsps", "luts")
SUFFIX = ".json"
"""Of the file of a network, as ``matweave import`` writes it."""


@dataclass(frozen=True, eq=False)
class NetworkConfig:
    """A network of constant weights: a pipeline that takes one sample per clock cycle, or folded.

    ``stages``: as many ranks of registers; ``period``: as few as reach a clock of so many ns;
    neither: whoever builds it decides. ``family``: whose delays, ``None``: those of the device that
    it is built for. ``fold``: cycles per sample, ``None``: 1, ``tokens``: one for each token, which
    the input's first axis counts. ``reuse``: cycles of the layers that are on arrays, all that can
    be or by name, ``None``: none is; ``pe``: what the arrays are made of. ``dsps``: products of two
    values that may become DSP blocks; ``luts``: a budget that chooses ``fold`` and ``reuse``
    (:func:`.design.design`). Raises :class:`ConfigError` for what none of them can be."""

    network: Network
    stages: int | None = None
    period: float | None = None
    family: str | None = None
    fold: int | str | None = None
    reuse: int | Mapping[str, int] | None = None
    pe: str = DEFAULT_PE
    dsps: int = 0
    luts: int | None = None

    kind = KIND

    def __post_init__(self):
        if reason := names.refusal(self.name):
            raise ConfigError(f"network {plain(self.name)!r}: {reason}")
        timing.check(self.stages, self.period)
        if self.family is not None:
            if not isinstance(self.family, str):
                raise ConfigError(f"family: must be a name, not {shown(self.family)}")
            timing.family(self.family)
        if self.fold == STREAM:
            raise ConfigError(
                "fold: 'stream' is not for boards yet, whose link sends whole samples; allowed are "
                "'tokens' or a number of cycles"
            )
        cycles(self.network, self.fold)
        Reuse.of(self.reuse, self.pe)
        for name, least in (("dsps", 0), ("luts", 1)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise ConfigError(
                    f"{name}: must be a whole number from {least} on, not {shown(value)}"
                )

    @property
    def name(self) -> str:
        return self.network.name

    def canonical(self) -> dict:
        """All of it, as JSON types."""
        options = {name: getattr(self, name) for name in OPTIONS}
        return {
            "kind": KIND,
            "name": self.name,
            **options,
            "network": store.to_tables(self.network),
        }

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def identity(self) -> str:
        """SHA-256 of the network alone: all that results and streams depend on."""
        return store.digest(self.network)

    @functools.cached_property
    def design(self):
        """Its :class:`.design.Design`; takes seconds for a large network."""
        from .design import DEFAULT_FAMILY, design

        family = DEFAULT_FAMILY if self.family is None else self.family
        return design(
            self.network, fold=self.fold, reuse=self.reuse, pe=self.pe, stages=self.stages,
            period=self.period, family=family, dsps=self.dsps, luts=self.luts,
        )  # fmt: skip


def load(path: Path, overrides: Iterable[str] = ()) -> NetworkConfig:
    """The network in a file of :func:`.store.save`, with ``option=value`` overrides."""
    return _with(store.load(path), source.override({}, overrides), "--set")


def from_tables(tables: Mapping, label: str = "configuration") -> NetworkConfig:
    """The configuration of :meth:`NetworkConfig.canonical`."""
    options = dict(tables)
    network = options.pop("network", None)
    if not isinstance(network, Mapping):
        raise ConfigError(f"{label}: network: must be a table, not {shown(network)}")
    options.pop("kind", None)
    options.pop("name", None)
    return _with(store.from_tables(network), options, label)


def _with(network: Network, options: Mapping, label: str) -> NetworkConfig:
    for name in options:
        if name not in OPTIONS:
            raise ConfigError(
                f"{label}: {plain(name)}: is not an option of a network; allowed are "
                f"{', '.join(OPTIONS)}{nearest(name, OPTIONS)}"
            )
    return dataclasses.replace(NetworkConfig(network), **options)
