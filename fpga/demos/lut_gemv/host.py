"""What the host does with a board that holds the engine: it reads digits with two layers of a GGUF
file's weights.

``sample.npz`` has images, labels, the layers and what each must give; :mod:`.sample` made it.
Nothing but NumPy is needed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw.weights import WeightFormat
from matweave.sim.packed import PackedLayer

SAMPLE = Path(__file__).with_name("sample.npz")
FORMAT = WeightFormat.parse("int4")
GROUP = 32
"""Weights of a block of Q4_0, which have a scale."""


def run(
    engine,
    *,
    samples: int | None = None,
    progress: Callable[..., None] = lambda done, total: None,
) -> dict[str, Any]:
    """Read the first images of the sample on a :class:`~matweave.fpga.host.GemmDevice`; the
    elements are those of both layers' products."""
    jobs = []

    def multiply(job):
        jobs.append((job, engine.job(job)))
        return jobs[-1][1].c

    with np.load(SAMPLE) as sample:
        stored = dict(sample)
    found = classified(stored, engine.config, multiply, samples, progress)
    bits = sum(job.b.size * FORMAT.width for job, _ in jobs if not job.keep_b)
    cycles = sum(result.cycles for _, result in jobs)
    return found | {"jobs": len(jobs), "cycles": cycles, "weight_bytes": bits // 8}


def rows(result: dict[str, Any]) -> dict[str, str]:
    return {
        "accuracy": f"{result['accuracy']:.1%}: {result['right']} of {result['samples']} digits",
        "results": f"all {result['elements']:,} of W x as gguf's dequantisation has them, exactly, "
        f"from {result['jobs']} jobs",
        "weights": f"{result['weight_bytes']:,} bytes, which crossed the line once",
        "engine": f"{result['cycles']:,} cycles, most of them waiting for the line",
    }


def classified(stored, config, multiply, samples=None, progress=lambda done, total: None):
    """The first images through both layers. ``multiply``: C of a job of the engine of
    ``config``."""
    activations = stored["images"][:samples].astype(np.int64)
    made, wrong, elements = layers(stored), 0, 0
    for number, layer in enumerate(made):

        def tell(done, total, number=number):
            progress(number * total + done, len(made) * total)

        found = layer.multiply(config, activations, multiply, tell).rounded()
        expected = stored[f"products_{number}"][: len(activations)]
        wrong += int((found != expected).sum())
        elements += found.size
        biased = found * stored[f"scale_{number}"] + stored[f"bias_{number}"]
        activations = hidden(biased)
    return {
        "samples": len(activations),
        "right": int((biased.argmax(axis=1) == stored["labels"][:samples]).sum()),
        "elements": elements,
        "wrong": wrong,
    }


def layers(stored) -> list[PackedLayer]:
    return [
        PackedLayer(FORMAT, stored[f"weights_{number}"], GROUP, stored[f"scales_{number}"])
        for number in range(2)
    ]


def hidden(sums: np.ndarray) -> np.ndarray:
    """ReLU, as int8 from 0 to 127."""
    return np.rint(np.clip(sums, 0, 127)).astype(np.int64)
