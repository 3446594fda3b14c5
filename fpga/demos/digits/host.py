"""What the host does with a board that holds the engine: it reads handwritten digits.

``sample.npz`` has held-out images with their labels, the network, and what it must give;
:mod:`.sample` made it. Nothing is trained here, and nothing but NumPy is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .inference import Multiply, classify
from .layer import Layer

SAMPLE = Path(__file__).with_name("sample.npz")
SCALE = ("multiplier", "shift", "zero_point")


def run(
    engine,
    *,
    samples: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Classify the first images of the sample on a :class:`~matweave.fpga.host.GemmDevice`."""
    jobs = []

    def multiply(**job):
        jobs.append(engine.gemm(**job))
        return jobs[-1].c

    found = classified(multiply, engine.config.limits.m, samples, progress)
    return found | {"jobs": len(jobs), "cycles": sum(job.cycles for job in jobs)}


def rows(result: dict[str, Any]) -> dict[str, str]:
    return {
        "accuracy": f"{result['accuracy']:.1%}: {result['right']} of {result['samples']} digits",
        "results": f"all {result['elements']:,} as expected, from {result['jobs']} jobs",
        "engine": f"{result['cycles']:,} cycles, most of them waiting for the line",
    }


def classified(
    multiply: Multiply,
    batch: int,
    images: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Classify the first ``images`` of the sample, at most ``batch`` per job, on anything that
    multiplies as the engine does; ``elements`` are hidden activations and logits."""
    with np.load(SAMPLE) as sample:
        stored = dict(sample)
    layers = tuple(_layer(stored, number) for number in range(2))
    pixels = stored["images"][:images].astype(np.int64)
    found = classify(layers, pixels, multiply, batch, progress)
    expected = [stored[f"output_{number}"][: len(pixels)] for number in range(2)]
    pairs = list(zip(found.outputs, expected, strict=True))
    return {
        "samples": len(pixels),
        "right": int((found.predictions == stored["labels"][: len(pixels)]).sum()),
        "elements": sum(values.size for _, values in pairs),
        "wrong": sum(int((values != should).sum()) for values, should in pairs),
    }


def _layer(stored: dict[str, np.ndarray], number: int) -> Layer:
    scale = {name: stored[f"{name}_{number}"] for name in SCALE if f"{name}_{number}" in stored}
    if scale:
        scale["zero_point"] = int(scale["zero_point"])
    return Layer(stored[f"weights_{number}"], stored[f"bias_{number}"], **scale)
