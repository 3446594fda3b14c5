"""From a float model and sample data to an encoder's integers: ``matweave calibrate``.

The file is one of :mod:`matweave.sim.transformer.store`.
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
LLAMA = {"causal": True, "gated": True, "norm": "rms", "order": "pre", "rotary": "halves"}
"""What an engine's ``[model]`` says for layers as Llama has them."""
SAME = 1e-3
"""How far a graph, in float32, may be from the float model, relative to the largest result."""


def calibrate(
    origin: str,
    overrides: Iterable[str],
    weights: Path,
    samples: Path,
    path: Path,
    progress: Callable[..., None],
    *,
    function: str | None = None,
    epsilon: float | None = None,
) -> dict[str, Any]:
    """Write the parameters of the engine ``origin`` to ``path``; what was found. ``function``: of
    the hidden layer, ``epsilon``: added to variances, where the file does not say."""
    if function is not None and function not in floating.FUNCTIONS:
        raise UserError(
            f"--function: {plain(function)} is no function of the hidden layer; allowed are "
            f"{', '.join(floating.FUNCTIONS)}"
        )
    if epsilon is not None and not 0 < epsilon < 1:
        raise UserError(f"--epsilon: {epsilon:g} is none; it must be above 0 and below 1")
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
    tensors, details, not_run = read(weights, settings, function, epsilon)
    progress("running the float model")
    try:
        found = calibrated(settings, tensors, data, details)
        ranges.check(settings, found.parameters)
    except ValueError as error:
        raise UserError(f"{plain(weights)}: {plain(error)}") from None
    compared = data[:COMPARED]
    progress("running the golden model")
    numbers = golden.for_config(settings)
    integers = found.quantised(compared, settings.activation)
    results = [golden.encoder(each, found.parameters, numbers) for each in integers]
    real = floating.encoder(compared, tensors, settings, details=details)
    file = store.to_bytes(found, settings)
    output.write_file(path, file)
    error = np.array(results) * found.y - real
    return {
        "engine": settings.name,
        "sequences": len(data),
        "tokens": data.shape[1],
        "function": details.function,
        "epsilon": details.epsilon,
        **({"not_run": not_run} if not_run else {}),
        "scale_x": found.x,
        "scale_y": found.y,
        "compared": len(compared),
        "rms": float(np.sqrt((real**2).mean())),
        "rms_error": float(np.sqrt((error**2).mean())),
        "file": str(path),
        "bytes": len(file),
    }


def text(result: dict[str, Any]) -> str:
    share = result["rms_error"] / result["rms"] if result["rms"] else 0.0
    not_run = ""
    if "not_run" in result:
        not_run = "the file's graph was not compared with the float model: {not_run}\n"
    return (
        "{engine}: scales from {sequences:,} sequences of {tokens} tokens; x is in steps of "
        "{scale_x:.4g}, y of {scale_y:.4g}\n"
        "the hidden layer's function is {function}, {epsilon:.3g} is added to variances\n"
        + not_run
        + "golden model against float, {compared} sequences: rms error {rms_error:.4g}, "
        "{share:.2%} of the result's\n"
        "{file}: {bytes:,} bytes"
    ).format(share=share, **result)


def read(
    path: Path,
    settings: EncoderConfig,
    function: str | None = None,
    epsilon: float | None = None,
) -> tuple[dict[str, np.ndarray], floating.Details, str | None]:
    """The tensors of a float model, from a file that a child reads; what that says beside; and why
    a graph was not compared with the float model."""
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
    not_run, usual = header.pop("not_run", None), header.pop("usual_function", None)
    for name, given in (("function", function), ("epsilon", epsilon)):
        if given is not None and header.setdefault(name, given) != given:
            raise UserError(f"--{name}: {plain(path.name)} has {plain(header[name])} itself")
    if usual is not None:
        header.setdefault("function", usual)
        _of_llama(path, settings)
    details = floating.Details(**header)
    of_graph = [tensors.pop(f"check.{name}", None) for name in "xy"]
    if of_graph[0] is not None:
        _same(path, settings, tensors, details, *of_graph)
    return tensors, details, not_run


def _of_llama(path: Path, settings: EncoderConfig) -> None:
    """Refuse an engine that would make something else of a file with Llama's names."""
    model = settings.model
    for name, wanted in LLAMA.items():
        if getattr(model, name) != wanted:
            word = str(wanted).lower() if wanted is True else repr(wanted)
            raise UserError(
                f"{plain(path.name)}: has a Llama's tensors, and {settings.name} another kind of "
                f"layers; set model.{name} = {word}"
            )


def _same(path: Path, settings: EncoderConfig, tensors, details, x, y) -> None:
    """Refuse a file whose graph makes something else of ``x`` than ``y``: other heads, a mask, a
    step that encoders do not have."""
    try:
        x, y = (np.atleast_3d(each.T).T for each in (x, y))
        # Sequences may be the first dimension or the second.
        results = [
            floating.encoder(x.swapaxes(*axes), tensors, settings, details=details).swapaxes(*axes)
            for axes in ((0, 0), (0, 1))
        ]
        far = min(np.abs(result - y).max() for result in results) / max(np.abs(y).max(), 1e-9)
    except ValueError as error:
        raise UserError(f"{plain(path.name)}: {plain(error)}") from None
    if not far <= SAME:
        raise UserError(
            f"{plain(path.name)}: its graph gives other results than this engine's model, by "
            f"{far:.2g} of the largest: see that model.heads, model.order and model.norm are the "
            "file's, and that it masks nothing"
        )
