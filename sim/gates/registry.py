"""What a gate is, and the list of them."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""Where the tests are, if this is a checkout."""


def _silent(*_) -> None:
    """What other processes say."""


@dataclass(frozen=True)
class Context:
    """What a gate gets. ``quick``: a small part of the work, to see that the gate works."""

    seed: int
    quick: bool
    say: Callable[..., None]
    """Progress: (step, done, total)."""
    workers: int = 1
    """Processes that :meth:`each` may use."""

    def each(self, work: Callable, items: Sequence) -> Iterator:
        """``work(context, item)`` of all ``items``, in their order; more processes than one tell
        what they finished, not what they do."""
        items = list(items)
        if self.workers == 1 or len(items) < 2:
            for item in items:
                yield work(self, item)
            return
        alone = Context(self.seed, self.quick, _silent)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(self.workers, len(items)), mp_context=spawn) as pool:
            started = [pool.submit(work, alone, item) for item in items]
            for done, future in enumerate(started):
                self.say(f"parts of {len(items)}", done, len(items))
                yield future.result()

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
