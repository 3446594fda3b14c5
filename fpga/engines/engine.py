"""What the flow, its report and its demos must know of an engine."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...hw import config as configurations

BITS_PER_BYTE = 10
"""On the serial line: start bit, eight data bits, stop bit."""


def digits(value: float) -> float:
    """To six digits, however small."""
    return float(f"{value:.6g}")


@dataclass(frozen=True)
class Multipliers:
    """``count`` multiplications in ``part``, of at most ``bits``; ``recoded``: why they are
    none that could be a DSP block."""

    part: str
    count: int
    bits: tuple[int, int]
    recoded: str | None = None


class Engine(ABC):
    """One kind of engine, with the configuration of one.

    A subclass in a file of its own has these; :func:`..engines.kinds` lists it.
    """

    kind: ClassVar[str]
    configuration: ClassVar[type]
    """The class of its configurations: ``kind``, ``name``, ``hash`` (SHA-256 in hex),
    ``canonical()`` (JSON types), and a sentence about the engine in the first line of its
    docstring."""

    def __init__(self, config):
        self.config = config

    @staticmethod
    @abstractmethod
    def reads(origin: str | Path) -> bool:
        """Whether ``origin`` is the name of a file of this kind, and of no other's."""

    @staticmethod
    @abstractmethod
    def load(origin: str | Path, overrides: Iterable[str]):
        """The configuration in ``origin``."""

    @staticmethod
    @abstractmethod
    def from_tables(tables: Mapping, label: str):
        """The configuration whose ``canonical()`` these tables are."""

    def fitted(self, family: str, mhz: float):
        """The configuration as it is to be built for a device of ``family`` with a clock of
        ``mhz``: where it leaves that open, with what suits them."""
        return self.config

    @abstractmethod
    def linked(self, clock_frequency: float, baud: int) -> str:
        """Verilog of the engine with its serial link: module ``NAME_linked``, ports ``clk`` (of
        ``clock_frequency`` Hz), ``rst``, ``rx``, ``tx``, ``busy``."""

    @abstractmethod
    def multipliers(self) -> Sequence[Multipliers]:
        """Those that might become DSP blocks."""

    @abstractmethod
    def faster(self, words: str) -> str:
        """What in the configuration makes an engine faster whose worst path is told by ``words``
        (of :mod:`..targets.words`)."""

    @abstractmethod
    def smaller(self, resource: str, *, dsp: bool) -> str:
        """What in the configuration makes it take less of a resource; ``dsp``: whether multipliers
        may go to LUTs instead."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """What it is, in JSON types; the key ``about`` is a phrase for the report's head."""

    @abstractmethod
    def performance(self, clock_mhz: float, fmax_mhz: float, baud: int) -> dict[str, Any]:
        """How fast it is, in JSON types: at the clock it runs at, at the one it could, and over a
        serial line. ``clock_mhz``, ``fmax_mhz``, ``baud`` and ``in_words``, a phrase, are keys of
        every kind; the page shows the others as ``report/KIND.html.j2`` says."""

    @abstractmethod
    def device(self, device):
        """The engine at a :class:`..host.Device`, as the demos' host programs take it."""


class Configured(Engine):
    """An engine whose configuration is a TOML file, or a preset: its kind is in it."""

    @staticmethod
    def reads(origin):
        return False

    @staticmethod
    def load(origin, overrides):
        return configurations.load(origin, overrides)

    @staticmethod
    def from_tables(tables, label):
        return configurations.from_tables(tables, label)

    def linked(self, clock_frequency, baud):
        from ...hw.link.linked import linked_verilog

        return linked_verilog(self.config, clock_frequency, baud)
