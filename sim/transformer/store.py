"""A calibrated model as plain arrays by name, and back."""

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from matweave.hw.errors import ConfigError, plain
from matweave.hw.transformer.config import EncoderConfig

from ..golden.attention.streaming import Scale
from ..golden.transformer import Dense, Layer, Parameters, SumNorm
from .calibration import Calibrated

KINDS = {
    **dict.fromkeys(("q", "k", "v", "output", "up", "down"), Dense),
    **dict.fromkeys(("logit", "scale"), Scale),
    **dict.fromkeys(("norm_attention", "norm_hidden"), SumNorm),
    "gate": Dense,
    "gated": Scale,
}
"""What a layer is made of; without a gate, of all but the last two."""
OF_GATES = ("gate", "gated")


def to_arrays(model: Calibrated) -> dict[str, np.ndarray]:
    """``table``, ``scale_x``, ``scale_y``, ``layers.0.q.weights``, … and ``first.gain``, …,
    ``angles`` where there are any."""
    found = {
        "scale_x": np.float64(model.x),
        "scale_y": np.float64(model.y),
        "table": np.asarray(model.parameters.table),
    }
    for number, layer in enumerate(model.parameters.layers):
        for part in _parts(layer.gate is not None):
            found |= _fields(f"layers.{number}.{part}", getattr(layer, part))
    if model.parameters.first is not None:
        found |= _fields("first", model.parameters.first)
    if model.parameters.angles is not None:
        found["angles"] = model.parameters.angles
    return {name: np.asarray(value) for name, value in found.items()}


def to_bytes(model: Calibrated, config: EncoderConfig) -> bytes:
    """The ``.npz`` file that :func:`load` reads: the arrays, and ``configuration_sha256``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **to_arrays(model), configuration_sha256=np.array(config.hash))
    return buffer.getvalue()


def load(path: str | Path, config: EncoderConfig) -> Calibrated:
    """The model that was calibrated for the engine of ``config``, from its file.

    Raises :class:`ConfigError` for a file that is none, lacks arrays, or is another engine's.
    """
    name = plain(Path(path).name)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        what = (
            "there is no such file" if isinstance(error, FileNotFoundError) else "is no .npz file"
        )
        raise ConfigError(f"{name}: {what}") from None
    if str(arrays.get("configuration_sha256")) != config.hash:
        raise ConfigError(
            f"{name}: was calibrated for another configuration than {config.name} has; calibrate "
            "it again"
        )
    try:
        return from_arrays(arrays)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Calibrated:
    """The inverse of :func:`to_arrays`; :class:`ConfigError` for what is missing."""
    try:
        return _from_arrays(arrays)
    except KeyError as error:
        raise ConfigError(f"{plain(error.args[0])}: is missing in the calibrated model") from None


def _from_arrays(arrays: Mapping[str, np.ndarray]) -> Calibrated:
    layers = []
    while f"layers.{len(layers)}.q.weights" in arrays:
        of = f"layers.{len(layers)}"
        parts = _parts(f"{of}.gate.weights" in arrays)
        layers.append(Layer(**{part: _part(arrays, f"{of}.{part}", KINDS[part]) for part in parts}))
    first = _part(arrays, "first", SumNorm) if "first.gain" in arrays else None
    angles = np.asarray(arrays["angles"], np.int64) if "angles" in arrays else None
    parameters = Parameters(np.asarray(arrays["table"], np.int64), tuple(layers), first, angles)
    return Calibrated(parameters, float(arrays["scale_x"]), float(arrays["scale_y"]))


def _parts(gated: bool) -> list[str]:
    return [part for part in KINDS if gated or part not in OF_GATES]


def _fields(name: str, part) -> dict:
    return {f"{name}.{field.name}": getattr(part, field.name) for field in dataclasses.fields(part)}


def _part(arrays, name: str, cls):
    values = {}
    for field in dataclasses.fields(cls):
        value = np.asarray(arrays[f"{name}.{field.name}"])
        values[field.name] = value.astype(np.int64) if value.ndim else int(value)
    return cls(**values)
