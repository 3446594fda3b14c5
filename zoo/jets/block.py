"""Some jets of one class, in this process: Pythia makes events, FastJet finds their jets."""

import os
import signal
from dataclasses import dataclass
from typing import Any

import numpy as np

from matweave.hw.errors import UserError

from .data import CONSTITUENTS
from .features import features

SOURCES = ("block", "data", "features")
"""The modules of this package that say what a block is."""
LARGEST = 200
"""Jets of a block."""
TRIES = 100
"""Events per jet before it is clear that there is something wrong."""

RADIUS = 0.8
MATCHED = 0.4
PT = (800.0, 1200.0)
ETA = 2.5

COMMON = (
    "Print:quiet = on", "Beams:eCM = 13000.", "PhaseSpace:pTHatMin = 950.",
    "PhaseSpace:pTHatMax = 1050.", "WeakZ0:gmZmode = 2", "23:onMode = off",
    "23:onIfAny = 1 2 3 4 5", "24:onMode = off", "24:onIfAny = 1 2 3 4 5", "Random:setSeed = on",
)  # fmt: skip
PROCESSES = (
    ("HardQCD:gg2gg", "HardQCD:qqbar2gg"),
    ("HardQCD:gg2qqbar", "HardQCD:qq2qq", "HardQCD:qqbar2qqbarNew"),
    ("WeakDoubleBoson:ffbar2WW",),
    ("WeakDoubleBoson:ffbar2gmZgmZ",),
    ("Top:gg2ttbar", "Top:qqbar2ttbar"),
)
"""Of each class."""


@dataclass(frozen=True)
class Block:
    """``count`` jets of the class ``label``; ``seed`` and ``index`` say which."""

    seed: int
    label: int
    index: int
    count: int

    @property
    def pythia_seed(self) -> int:
        state = np.random.SeedSequence([self.seed, self.label, self.index]).generate_state(1)
        return int(state[0]) % 900_000_000 + 1


def start() -> None:
    """Of a process that makes blocks: Ctrl-C ends it at once, and what C++ prints goes nowhere."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)


def make(block: Block) -> dict[str, np.ndarray]:
    """The block's jets, ``float32``: ``constituents`` (count, 32, 3), ``features`` (count, 16) of
    all constituents, ``jets`` (count, 4)."""
    pythia = _pythia(block)
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for _ in range(TRIES * block.count):
        if len(found) >= block.count:
            break
        if pythia.next():
            found += _jets(pythia)
    if len(found) < block.count:
        raise UserError(f"Pythia gave {len(found)} of {block.count} jets; is this version broken?")
    made = {"constituents": [], "features": [], "jets": []}
    for jet, constituents in found[: block.count]:
        made["jets"].append(jet)
        made["features"].append(features(constituents))
        padded = np.zeros((CONSTITUENTS, 3))
        kept = constituents[:CONSTITUENTS]
        padded[: len(kept)] = kept
        made["constituents"].append(padded)
    return {name: np.array(rows, np.float32) for name, rows in made.items()}


def _pythia(block: Block) -> Any:
    import pythia8mc

    pythia = pythia8mc.Pythia("", False)
    lines = [*COMMON, f"Random:seed = {block.pythia_seed}"]
    lines += [f"{process} = on" for process in PROCESSES[block.label]]
    for line in lines:
        if not pythia.readString(line):
            raise UserError(f"this version of pythia8mc does not know the setting {line!r}")
    if not pythia.init():
        raise UserError("Pythia did not start")
    return pythia


def _jets(pythia) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of one event: (pT, eta, phi, mass) of each jet, and its constituents by falling pT."""
    import fastjet

    partons = [pythia.process[each] for each in (5, 6)]  # what leaves a process of two to two
    partons = [(each.eta(), each.phi()) for each in partons]
    particles = [
        fastjet.PseudoJet(each.px(), each.py(), each.pz(), each.e())
        for each in pythia.event
        if each.isFinal() and each.isVisible()
    ]
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, RADIUS)
    clustered = fastjet.ClusterSequence(particles, definition)
    found = []
    for jet in fastjet.sorted_by_pt(clustered.inclusive_jets(PT[0])):
        eta, phi = jet.eta(), jet.phi_std()
        matched = any(np.hypot(eta - of[0], _wrapped(phi - of[1])) < MATCHED for of in partons)
        if jet.pt() < PT[1] and abs(eta) < ETA and matched:
            rows = [(each.pt(), each.eta(), each.phi_std()) for each in jet.constituents()]
            constituents = np.array(sorted(rows, reverse=True))
            constituents[:, 1] -= eta
            constituents[:, 2] = _wrapped(constituents[:, 2] - phi)
            found.append((np.array([jet.pt(), eta, phi, jet.m()]), constituents))
    return found[:2]


def _wrapped(phi):
    return (phi + np.pi) % (2 * np.pi) - np.pi
