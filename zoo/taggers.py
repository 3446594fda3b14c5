"""The trained taggers that ship: where their files are, and what they take.

``NAME.keras`` is what hls4ml reads; ``NAME.json`` says how it was trained, with which result, and
how a jet becomes its input; ``NAME.scores.npz`` is what the held-out jets get. Where it is there,
``NAME.network.json`` is the same network as ``matweave import --logits`` writes it, which needs
neither Keras nor hls4ml (:func:`matweave.hw.network.store.load`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw.errors import UserError, plain

from .jets.data import Jets

WEIGHTS = Path(__file__).parent / "weights"
SCRIPT = Path(__file__).parent / "train"
NAMES = ("jet_deepsets", "jet_interaction", "jet_mlp", "jet_transformer")
"""Those that the script can train."""
SHAPES = {"features": (16,), "constituents": (16, 3), "particles": (15, 6)}
"""Of what a tagger takes of a jet, by name."""


@dataclass(frozen=True)
class Inputs:
    """How a jet becomes an input: ``(x - mean) * scale``, where x is its ``features``; or its
    leading ``constituents`` with ln(1 + pT / GeV) for pT; or as ``particles`` the same of fewer
    with three more numbers of each: the distance ΔR from the jet's axis, the share z in the pT of
    those that are looked at, and √z ΔR, which makes mass. The mean of constituents and particles is
    taken as 0, so that padding stays 0."""

    array: str
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def of(cls, array: str, jets: Jets) -> "Inputs":
        """Those that give the jets' values the variance 1, and features the mean 0."""
        x = raw(array, jets)
        if array == "features":
            mean, deviation = x.mean(axis=0), x.std(axis=0)
        else:
            there = x[x[..., 0] > 0]
            mean, deviation = np.zeros(x.shape[-1]), np.sqrt((there**2).mean(axis=0))
        return cls(array, tuple(map(float, mean)), tuple(map(float, 1 / deviation)))

    def __call__(self, jets: Jets) -> np.ndarray:
        """(N, shape), ``float32``; ``shape`` as in :data:`SHAPES`."""
        x = (raw(self.array, jets) - self.mean) * self.scale
        return x.astype(np.float32)


def raw(array: str, jets: Jets) -> np.ndarray:
    """``float64``, before scaling; of pT, ln(1 + pT / GeV).

    Raises :class:`UserError` where jets have no constituents.
    """
    if array == "features":
        return np.asarray(jets.features, np.float64)
    if jets.constituents is None:
        raise UserError("these jets have no constituents")
    count = SHAPES[array][0]
    x = np.array(jets.constituents[:, :count], np.float64)
    x = np.pad(x, ((0, 0), (0, count - x.shape[1]), (0, 0)))
    pt, distance = x[..., 0].copy(), np.hypot(x[..., 1], x[..., 2])
    x[..., 0] = np.log1p(pt)
    if array == "constituents":
        return x
    share = pt / pt.sum(axis=1, keepdims=True)
    return np.concatenate([x, np.stack([distance, share, np.sqrt(share) * distance], 2)], axis=2)


@dataclass(frozen=True)
class Tagger:
    name: str
    keras: Path
    network: Path
    """May not be there: only where the network is small."""
    scores: Path
    """Of the held-out jets, by the float and by the quantised model: logits, (N, 5)."""
    inputs: Inputs
    training: Mapping[str, Any]
    """The recipe, and what came out."""


def names() -> list[str]:
    return sorted(each.stem for each in WEIGHTS.glob("*.keras"))


def load(name: str) -> Tagger:
    """The tagger of that name. Raises :class:`UserError` if there is none."""
    if name not in names():
        raise UserError(f"tagger: {plain(name)!r} is none; allowed are {', '.join(names())}")
    training = json.loads((WEIGHTS / f"{name}.json").read_text())
    inputs = Inputs(**training["inputs"])
    files = (WEIGHTS / f"{name}.{kind}" for kind in ("keras", "network.json", "scores.npz"))
    return Tagger(name, *files, inputs, training)


def script_digest() -> str:
    """SHA-256 of the training script: every file of :mod:`.train`, by name."""
    total = hashlib.sha256()
    for path in sorted(SCRIPT.glob("*.py")):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()
