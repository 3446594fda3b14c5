"""The layers of a network, one after the other, on anything that multiplies as the engine does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from matweave.hw import config

from .layer import Layer

ENGINE = Path(__file__).with_name("engine.toml")

Multiply = Callable[..., np.ndarray]
"""C of one job, its arguments as :meth:`.network.Layer.job` names them."""


@dataclass(frozen=True, eq=False)
class Inference:
    """The output of every layer; the last one's are the logits."""

    outputs: list[np.ndarray]

    @property
    def predictions(self) -> np.ndarray:
        return self.outputs[-1].argmax(axis=1)


def engine() -> config.GemmConfig:
    """The engine that the network is meant for."""
    return config.load(ENGINE)


def classify(
    layers: Sequence[Layer],
    images: np.ndarray,
    multiply: Multiply,
    batch: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Inference:
    """All ``images`` (one per row) through all layers, at most ``batch`` of them per job."""
    outputs, activations = [], images
    total = len(layers) * len(images)
    for layer in layers:
        parts = []
        for start in range(0, len(images), batch):
            part = activations[start : start + batch]
            parts.append(multiply(**layer.job(part)))
            progress(len(outputs) * len(images) + start + len(part), total)
        activations = np.concatenate(parts)
        outputs.append(activations)
    return Inference(outputs)
