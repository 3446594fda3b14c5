"""Quantised weights as an engine takes them: ``matweave pack``.

The folder has ``weights.bin``, the beats of the engine's stream B, job after job; ``scales.npy``
and where there are any ``zeros.npy``, ``offsets.npy`` (rows of W, groups) and ``order.npy`` (K);
``layer.json`` says what they are, and which beats are those of which job.
"""

import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw import config, output
from matweave.hw.errors import ConfigError, UserError, plain, shown
from matweave.hw.formats import Format
from matweave.hw.weights import NAMES, WeightFormat
from matweave.sim import layout, packed
from matweave.sim.packed import PackedLayer

from . import child, matrices, weight_file

KIND = "layer"
LAYER = "layer.json"
WEIGHTS = "weights.bin"
LARGEST = 1 << 26
"""Bytes of ``layer.json``."""


@dataclass(frozen=True)
class Source:
    """Where the weights are: a GGUF or safetensors file with a ``tensor`` of it and a ``layout``,
    or integers in an ``.npy`` file with their ``format``, ``scales`` and ``zeros``."""

    file: Path
    tensor: str | None = None
    layout: str | None = None
    format: str | None = None
    scales: Path | None = None
    zeros: Path | None = None


def pack(
    origin: str,
    overrides: Iterable[str],
    source: Source,
    folder: Path,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Write the weights of ``source`` as the engine ``origin`` takes them to ``folder``; what was
    written."""
    settings = config.load(origin, overrides)
    if refusal := packed.refusal(settings):
        raise UserError(refusal)
    output.check_folder(folder)
    progress(f"reading {source.file.name}")
    layer, tensor = _read(source)
    if refusal := layer.refusal(settings):
        raise UserError(refusal)
    progress(f"packing {tensor}")
    beats, parts, at = [], [], 0
    nothing = np.zeros((1, layer.shape[1]), np.int64)
    for part in layer.parts(settings):
        beats.append(layer.job(settings, nothing, part).pack(settings)["b"])
        parts.append(_place(part) | {"beat": at, "beats": len(beats[-1])})
        at += len(beats[-1])
    n, k = layer.shape
    files = {WEIGHTS: np.concatenate(beats).tobytes()}
    for name in weight_file.ARRAYS[1:]:
        if (array := getattr(layer, name)) is not None:
            files[f"{name}.npy"] = matrices.to_npy(array)
    about = {
        "kind": KIND,
        "engine": settings.name,
        "configuration_sha256": settings.hash,
        "tensor": tensor,
        "format": str(layer.format),
        "n": n,
        "k": k,
        "group": layer.group,
        "beat_bytes": beats[0].shape[1],
        "arrays": [name.removesuffix(".npy") for name in files if name != WEIGHTS],
        "jobs": parts,
    }
    files[LAYER] = (json.dumps(about, indent=1) + "\n").encode()
    output.write_folder(folder, files)
    return {
        **{key: about[key] for key in ("engine", "tensor", "format", "n", "k", "group")},
        "jobs": len(parts),
        "bits_per_weight": round(8 * len(files[WEIGHTS]) / (n * k), 3),
        "folder": str(folder),
        "files": {name: len(content) for name, content in files.items()},
    }


def _place(part: packed.Part) -> dict[str, list[int]]:
    """Which weights are in a job."""
    return {"n": [part.n0, part.n1], "k": [part.k0, part.k1], "groups": [part.g0, part.g1]}


def text(result: dict[str, Any]) -> str:
    width = max(map(len, result["files"]))
    lines = [
        "{tensor}: {n} × {k} {format} weights in groups of {group}, {bits_per_weight:g} bits each "
        "with padding, {jobs} jobs of {engine}".format(**result)
    ]
    lines += [f"  {name:{width}}  {size:>9,} bytes" for name, size in result["files"].items()]
    return "\n".join([*lines, f"in {result['folder']}"])


def _read(source: Source) -> tuple[PackedLayer, str]:
    """The layer, and what it is called."""
    given = [source.format, source.scales, source.zeros]
    if source.file.suffix.lower() == ".npy":
        if (source.tensor, source.layout) != (None, None):
            raise UserError("--tensor and --layout are for .gguf and .safetensors files")
        return _arrays(source), plain(source.file.stem)
    if given != [None, None, None]:
        raise UserError("--format, --scales and --zeros are for .npy files")
    request = {"path": str(source.file), "tensor": source.tensor, "layout": source.layout}
    answer = child.ask("matweave.weight_file", request)
    try:
        # Only plain arrays, whatever the child was made to write.
        with np.load(io.BytesIO(answer), allow_pickle=False) as found:
            arrays = dict(found)
        header = json.loads(arrays.pop("header").tobytes())
        if "error" in header:
            raise UserError(header["error"])
        return _layer(header["format"], header["group"], arrays), plain(header["tensor"])
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise UserError(f"{plain(source.file)}: {plain(error)}") from None


def _layer(format: str, group: int, arrays: dict[str, np.ndarray]) -> PackedLayer:
    return PackedLayer(
        format=WeightFormat.parse(format),
        group=group,
        **{name: arrays[name] for name in weight_file.ARRAYS if name in arrays},
    )


def _arrays(source: Source) -> PackedLayer:
    """Of ``.npy`` files: weights (N × K), scales and zeros (N × groups)."""
    if source.format not in NAMES:
        what = "is needed" if source.format is None else f"{shown(source.format)} is none"
        raise UserError(f"--format: {what} for .npy; allowed are {', '.join(NAMES)}")
    if source.scales is None:
        raise UserError("--scales: is needed for .npy")
    format = WeightFormat.parse(source.format)
    weights = matrices.load(source.file, "weights", format, ("N", "K"))
    n, k = weights.shape
    scales = matrices.load_reals(source.scales, "--scales", (n, "groups"))
    groups = scales.shape[1]
    zeros = source.zeros
    if zeros is not None:
        zeros = matrices.load(zeros, "--zeros", Format(format.width + 1, False), (n, groups))
    if k % groups:
        raise UserError(f"--scales: {groups} groups do not divide K, which is {k}")
    try:
        return PackedLayer(format, weights, k // groups, scales, zeros)
    except ValueError as error:
        raise UserError(f"{plain(source.file)}: {plain(error)}") from None


def load(folder: Path, settings: config.GemmConfig) -> PackedLayer:
    """The layer that :func:`pack` wrote to ``folder`` for the engine ``settings``."""
    about = _about(folder)
    if about.get("configuration_sha256") != settings.hash:
        raise UserError(
            f"{plain(folder)}: was packed for {shown(about.get('engine'))} in another "
            f"configuration than {settings.name} has; pack it again"
        )
    try:
        return _loaded(folder, about, settings)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise ConfigError(f"{plain(folder)}: is not as it was packed: {plain(error)}") from None


def _about(folder: Path) -> dict:
    path = folder / LAYER
    try:
        if not path.is_file() or os.stat(path).st_size > LARGEST:
            raise UserError(f"{plain(folder)}: is no folder of `matweave pack`: it has no {LAYER}")
        about = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{plain(path)}: cannot be read: {plain(error)}") from error
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise UserError(f"{plain(path)}: is not a layer's")
    return about


def _loaded(folder: Path, about: dict, settings: config.GemmConfig) -> PackedLayer:
    format = WeightFormat.parse(about["format"])
    n, k, group = about["n"], about["k"], about["group"]
    if not 1 <= n * k <= weight_file.LARGEST or k % group:
        raise ValueError(f"{n} × {k} weights in groups of {group}")
    shape = (n, k // group)
    arrays = {"scales": matrices.load_reals(folder / "scales.npy", "scales", shape)}
    if "zeros" in about["arrays"]:
        limits = Format(format.width + 1, False)
        arrays["zeros"] = matrices.load(folder / "zeros.npy", "zeros", limits, shape)
    if "offsets" in about["arrays"]:
        arrays["offsets"] = matrices.load_reals(folder / "offsets.npy", "offsets", shape)
    if "order" in about["arrays"]:
        arrays["order"] = matrices.load(folder / "order.npy", "order", Format(32), (k,))
    geometry, serial = settings.geometry, settings.serial
    bytes_ = geometry.b_lanes * (1 if serial else format.width) // 8
    data = np.fromfile(folder / WEIGHTS, np.uint8)
    beats = data[: len(data) // bytes_ * bytes_].reshape(-1, bytes_)
    if len(data) % bytes_ or sum(job["beats"] for job in about["jobs"]) != len(beats):
        raise ValueError(f"{WEIGHTS} has {len(data)} bytes")
    at = 0
    for job, part in zip_longest(about["jobs"], packed.parts(settings, (n, k), group)):
        if not (job and part) or job != _place(part) | {"beat": at, "beats": job["beats"]}:
            raise ValueError(f"jobs are not those of a layer with N = {n}, K = {k}")
        at += job["beats"]
    weights = np.zeros((n, k), np.int64)
    for job in about["jobs"]:
        (n0, n1), (k0, k1), (g0, g1) = job["n"], job["k"], job["groups"]
        part = beats[job["beat"] : job["beat"] + job["beats"]]
        each = layout.ungrouped(part, g1 - g0, -(-(n1 - n0) // geometry.n))
        length = (k1 - k0) // (g1 - g0)
        b = [layout.unpack_weights(x, length, n1 - n0, geometry, format, serial) for x in each]
        weights[n0:n1, k0:k1] = np.concatenate(b).T
    return PackedLayer(format=format, weights=weights, group=group, **arrays)
