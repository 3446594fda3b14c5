"""From a float model and sample data to an encoder's integers: ``matweave calibrate``.

The file has the arrays of :mod:`matweave.sim.transformer.store` and ``configuration_sha256``, of
the engine that they are for.
"""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw import config, output
from matweave.hw.errors import UserError, plain
from matweave.hw.transformer.config import EncoderConfig
from matweave.sim.golden import transformer as golden
from matweave.sim.transformer import floating, ranges, store
from matweave.sim.transformer.calibration import calibrate as calibrated

from . import child, matrices

COMPARED = 16
"""Sequences of the samples that the golden model runs."""


def calibrate(
    origin: str,
    overrides: Iterable[str],
    weights: Path,
    samples: Path,
    path: Path,
    progress: Callable[..., None],
    *,
    function: str = "gelu",
) -> dict[str, Any]:
    """Write the parameters of the engine ``origin`` to ``path``; what was found. ``function``: of
    the hidden layer."""
    if function not in floating.FUNCTIONS:
        raise UserError(
            f"--function: {plain(function)} is no function of the hidden layer; allowed are "
            f"{', '.join(floating.FUNCTIONS)}"
        )
    settings = config.load(origin, overrides)
    if not isinstance(settings, EncoderConfig):
        raise UserError(f"{settings.name}: calibration is for encoders, not kind {settings.kind}")
    output.check_file(path)
    model = settings.model
    data = matrices.load_reals(samples, "samples", ("sequences", "tokens", model.width))
    if data.shape[1] > model.context:
        raise UserError(
            f"samples {plain(samples)}: have {data.shape[1]} tokens; {settings.name} takes at most "
            f"{model.context}"
        )
    progress(f"reading {weights.name}")
    tensors = read(weights, settings)
    progress("running the float model")
    try:
        found = calibrated(settings, tensors, data, function)
        ranges.check(settings, found.parameters)
    except ValueError as error:
        raise UserError(f"{plain(weights)}: {plain(error)}") from None
    compared = data[:COMPARED]
    progress("running the golden model")
    numbers = golden.for_config(settings)
    integers = found.quantised(compared, settings.activation)
    results = [golden.encoder(each, found.parameters, numbers) for each in integers]
    real = floating.encoder(compared, tensors, settings, function=function)
    arrays = store.to_arrays(found) | {"configuration_sha256": np.array(settings.hash)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    output.write_file(path, buffer.getvalue())
    error = np.array(results) * found.y - real
    return {
        "engine": settings.name,
        "sequences": len(data),
        "tokens": data.shape[1],
        "scale_x": found.x,
        "scale_y": found.y,
        "compared": len(compared),
        "rms": float(np.sqrt((real**2).mean())),
        "rms_error": float(np.sqrt((error**2).mean())),
        "file": str(path),
        "bytes": len(buffer.getvalue()),
    }


def text(result: dict[str, Any]) -> str:
    share = result["rms_error"] / result["rms"] if result["rms"] else 0.0
    return (
        "{engine}: scales from {sequences:,} sequences of {tokens} tokens; x is in steps of "
        "{scale_x:.4g}, y of {scale_y:.4g}\n"
        "golden model against float, {compared} sequences: rms error {rms_error:.4g}, "
        "{share:.2%} of the result's\n"
        "{file}: {bytes:,} bytes"
    ).format(share=share, **result)


def read(path: Path, settings: EncoderConfig) -> dict[str, np.ndarray]:
    """The tensors of a float model, from a file that a child reads."""
    shapes = {name: list(shape) for name, shape in floating.shapes(settings).items()}
    answer = child.ask("matweave.tensor_file", {"path": str(path), "shapes": shapes})
    try:
        # Only plain arrays, whatever the child was made to write.
        with np.load(io.BytesIO(answer), allow_pickle=False) as found:
            tensors = dict(found)
        header = json.loads(tensors.pop("header").tobytes())
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UserError(f"{plain(path)}: {plain(error)}") from None
    if "error" in header:
        raise UserError(header["error"])
    return tensors
