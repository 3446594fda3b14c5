"""What the host does with a board that holds the engine: it reads digits with a transformer.

``sample.npz`` has images, labels, the calibrated model, what the host adds to it (``embed``,
``position``, ``head``), what the engine must give, and what the float model reads; :mod:`.sample`
made it. Nothing but NumPy is needed, and matplotlib for the picture.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw import config
from matweave.sim.transformer import store
from matweave.sim.transformer.jobs import EncoderJob

from .training import logits, tokens

SAMPLE = Path(__file__).with_name("sample.npz")
ENGINE = Path(__file__).with_name("engine.toml")


def engine():
    """The engine's configuration."""
    return config.load(ENGINE)


def run(
    engine,
    *,
    samples: int | None = None,
    progress: Callable[..., None] = lambda done, total: None,
) -> dict[str, Any]:
    """Read the first images of the sample on an :class:`~matweave.fpga.host.EncoderDevice`."""
    jobs = []

    def encode(job):
        jobs.append(engine.job(job))
        return jobs[-1].c

    with np.load(SAMPLE) as sample:
        stored = dict(sample)
    found = read(stored, engine.config, encode, samples, progress)
    return found | {"cycles": [job.cycles for job in jobs]}


def read(stored, settings, encode, samples=None, progress=lambda done, total: None):
    """The first images, on anything that does an encoder's jobs; the model goes with the first."""
    model = store.from_arrays(stored)
    images, labels = stored["images"][:samples], stored["labels"][:samples]
    integers = model.quantised(tokens(stored, images), settings.activation)
    results = []
    for number, x in enumerate(integers):
        results.append(encode(EncoderJob(x, model.parameters, load=number == 0)))
        progress(number + 1, len(integers))
    found = np.array(results)
    classes = logits(stored, found * model.y).argmax(axis=1)
    return {
        "samples": len(images),
        "right": int((classes == labels).sum()),
        "float_right": int((stored["float_read"][: len(images)] == labels).sum()),
        "read": classes.tolist(),
        "elements": found.size,
        "wrong": int((found != stored["results"][: len(images)]).sum()),
    }


def rows(result: dict[str, Any]) -> dict[str, str]:
    cycles, samples = result["cycles"], result["samples"]
    return {
        "accuracy": f"{result['accuracy']:.1%}: {result['right']} of {samples} digits "
        f"({result['float_right'] / samples:.1%} in float)",
        "results": f"all {result['elements']:,} as the golden model's",
        "engine": f"{cycles[0]:,} cycles for the first image with the model, "
        f"{cycles[-1]:,} for the last; the line's time is in them",
    }


def pictures(result: dict[str, Any]) -> dict[str, bytes]:
    """The attention maps of the first images that were read."""
    from . import picture

    with np.load(SAMPLE) as sample:
        return {"attention.png": picture.png(dict(sample), engine(), result["read"])}
