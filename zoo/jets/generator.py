"""Jets from Pythia 8 and FastJet: five classes at a pT of about 1 TeV.

Proton collisions at 13 TeV with a hard process of 950 to 1050 GeV for each class, W and Z decaying
to quarks, particles after hadronisation without neutrinos and without a detector, anti-kT with
R = 0.8. A jet counts if it has 800 to 1200 GeV, |eta| < 2.5, and one of the two outgoing
particles of the hard process within 0.4; an event gives two at most.

Jets come in blocks of one class, each with a Pythia and a seed of its own, so that the seed alone
says what they are, whatever the number of processes. Jet i has the class i modulo 5, and fewer jets
of the same seed are the first of more. Both packages are GPL and optional (``matweave[jets]``);
nothing but this module imports them, in child processes.
"""

import importlib.metadata
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from matweave.hw.errors import UserError
from matweave.sim import cache

from . import block as blocks
from .block import Block
from .data import CLASSES, Jets

PACKAGES = ("pythia8mc", "fastjet")
LARGEST = 1_000_000
"""Most jets of one call: they are all in memory."""


def generate(
    count: int,
    seed: int,
    *,
    processes: int | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Jets:
    """``count`` jets. Blocks that are made are kept (:mod:`matweave.sim.cache`), so that an
    interrupted run goes on where it was; ``progress`` is called with the number of jets.

    Raises :class:`UserError` for numbers out of range and where a package is missing.
    """
    if not 1 <= count <= LARGEST:
        raise UserError(f"jets: must be 1 to {LARGEST}, not {count}")
    if not 0 <= seed < 1 << 63:
        raise UserError(f"seed: must be 0 to 2**63 - 1, not {seed}")
    versions = installed()
    wanted = planned(count, seed)
    made = {}
    for each, arrays in _made(wanted, versions, processes or len(os.sched_getaffinity(0))):
        made[each.label, each.index] = arrays
        progress("generating jets", sum(len(each["jets"]) for each in made.values()), count)
    return _joined(wanted, made, count, seed, versions)


def installed() -> dict[str, str]:
    """The packages' versions. Raises :class:`UserError` where one is missing."""
    try:
        return {name: importlib.metadata.version(name) for name in PACKAGES}
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; it makes the jets: pip install --only-binary :all: "
            "'matweave[jets]'"
        ) from None


def planned(count: int, seed: int) -> list[Block]:
    """The blocks of ``count`` jets, those of every class."""
    return [
        Block(seed, label, start // blocks.LARGEST, min(blocks.LARGEST, share - start))
        for label in range(len(CLASSES))
        for share in [(count - label + len(CLASSES) - 1) // len(CLASSES)]
        for start in range(0, share, blocks.LARGEST)
    ]


def _made(
    wanted: list[Block], versions: dict[str, str], processes: int
) -> Iterator[tuple[Block, dict[str, np.ndarray]]]:
    """Each block and its arrays, as they are done."""
    spawn = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    count = max(1, min(processes, len(wanted)))
    pool = ProcessPoolExecutor(count, mp_context=spawn, initializer=blocks.start)
    try:
        waiting = {pool.submit(stored, each, versions): each for each in wanted}
        for done in as_completed(waiting):
            yield waiting[done], done.result()
    except BrokenProcessPool:
        raise UserError("a process that made jets was killed; is there enough memory?") from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        children = set(multiprocessing.active_children()) - others
        for child in children:
            child.terminate()
        for child in children:
            child.join()


def stored(block: Block, versions: dict[str, str]) -> dict[str, np.ndarray]:
    """The block from the cache, made if need be."""
    sources = [(Path(__file__).parent / f"{name}.py").read_bytes() for name in blocks.SOURCES]
    key = cache.digest(block, sorted(versions.items()), *sources)

    def make(folder: Path) -> None:
        np.savez(folder / "jets.npz", **blocks.make(block))

    with np.load(cache.build("jets", key, make) / "jets.npz") as arrays:
        return dict(arrays)


def _joined(wanted, made, count, seed, versions) -> Jets:
    """All blocks, the classes alternating."""
    joined = {}
    for name in ("features", "constituents", "jets"):
        each = [
            np.concatenate([made[b.label, b.index][name] for b in wanted if b.label == label])
            for label in range(min(count, len(CLASSES)))
        ]
        joined[name] = np.empty((count, *each[0].shape[1:]), np.float32)
        for label, array in enumerate(each):
            joined[name][label :: len(CLASSES)] = array
    labels = (np.arange(count) % len(CLASSES)).astype(np.int8)
    return Jets(labels=labels, **joined, recipe={"seed": seed} | versions)
