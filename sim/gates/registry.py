"""What a gate is, and the list of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the tests are, if this is a checkout."""


@dataclass(frozen=True)
class Context:
    """What a gate gets. ``quick``: a small part of the work, to see that the gate works."""

    seed: int
    quick: bool
    say: Callable[..., None]
    """Progress: (step, done, total)."""

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Measured:
    """The figure, whether it passes, and how it came about."""

    figure: str
    ok: bool
    detail: str = ""
    findings: tuple[str, ...] = ()
    """What to look at, one line each."""


@dataclass(frozen=True)
class Gate:
    name: str
    figure: str
    required: str
    measure: Callable[[Context], Measured]


GATES: list[Gate] = []


def gate(name: str, figure: str, required: str):
    """Register the function below as the gate ``name``."""

    def add(measure):
        GATES.append(Gate(name, figure, required, measure))
        return measure

    return add
