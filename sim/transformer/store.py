"""A calibrated model as plain arrays by name, and back."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from ..golden.attention.streaming import Scale
from ..golden.transformer import Dense, Layer, Parameters, SumNorm
from .calibration import Calibrated

KINDS = {
    **dict.fromkeys(("q", "k", "v", "output", "up", "down"), Dense),
    **dict.fromkeys(("logit", "scale"), Scale),
    **dict.fromkeys(("norm_attention", "norm_hidden"), SumNorm),
}
"""What a layer is made of."""


def to_arrays(model: Calibrated) -> dict[str, np.ndarray]:
    """``table``, ``scale_x``, ``scale_y``, ``layers.0.q.weights``, … and ``first.gain``, …,
    ``angles`` where there are any."""
    found = {
        "scale_x": np.float64(model.x),
        "scale_y": np.float64(model.y),
        "table": np.asarray(model.parameters.table),
    }
    for number, layer in enumerate(model.parameters.layers):
        for part in KINDS:
            found |= _fields(f"layers.{number}.{part}", getattr(layer, part))
    if model.parameters.first is not None:
        found |= _fields("first", model.parameters.first)
    if model.parameters.angles is not None:
        found["angles"] = model.parameters.angles
    return {name: np.asarray(value) for name, value in found.items()}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Calibrated:
    """The inverse; :class:`KeyError` for what is missing."""
    layers = []
    while f"layers.{len(layers)}.q.weights" in arrays:
        of = f"layers.{len(layers)}"
        layers.append(
            Layer(**{part: _part(arrays, f"{of}.{part}", cls) for part, cls in KINDS.items()})
        )
    first = _part(arrays, "first", SumNorm) if "first.gain" in arrays else None
    angles = np.asarray(arrays["angles"], np.int64) if "angles" in arrays else None
    parameters = Parameters(np.asarray(arrays["table"], np.int64), tuple(layers), first, angles)
    return Calibrated(parameters, float(arrays["scale_x"]), float(arrays["scale_y"]))


def _fields(name: str, part) -> dict:
    return {f"{name}.{field.name}": getattr(part, field.name) for field in dataclasses.fields(part)}


def _part(arrays, name: str, cls):
    values = {}
    for field in dataclasses.fields(cls):
        value = np.asarray(arrays[f"{name}.{field.name}"])
        values[field.name] = value.astype(np.int64) if value.ndim else int(value)
    return cls(**values)
