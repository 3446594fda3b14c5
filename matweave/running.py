"""Matrices through an engine's compiled Verilog: ``matweave run``.

Integers, or where the engine takes them floats: A, C0 and bias are of its formats, C is float32.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from matweave.hw import config, output
from matweave.hw.errors import UserError, plain, shown
from matweave.hw.formats import Format
from matweave.sim import packed
from matweave.sim.golden import lut, operands

from . import matrices, packing
from .failure import CheckFailed

MULTIPLIER = Format(31, signed=False)
MAX_SHIFT = 62
ZERO_POINT = Format(17)


@dataclass(frozen=True)
class Files:
    """Where the operands are; ``multiplier`` and ``shift`` may be numbers."""

    a: Path
    b: Path
    c0: Path | None = None
    bias: Path | None = None
    multiplier: str | None = None
    shift: str | None = None


def run(
    origin: str,
    overrides: Iterable[str],
    files: Files,
    zero_point: int | None,
    relu: bool,
    check: bool,
    target: Path,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Write C to ``target`` and tell what it took.

    C is written only if it equals the golden model's (or ``check`` is off); otherwise
    :class:`CheckFailed` is raised.
    """
    settings = config.load_gemm(origin, overrides)
    output.check_file(target)
    job = _operands(settings, files) | {"relu": relu}
    job |= _requantisation(settings, files, zero_point, job["b"].shape[1])
    from matweave.sim import native

    progress(f"building the simulator of {settings.name}")
    with native.Engine(settings) as engine:
        m, n, k = len(job["a"]), job["b"].shape[1], job["b"].shape[0]
        progress(f"multiplying {m} × {k} by {k} × {n}")
        result = engine.gemm(**job)
    if check:
        progress("comparing with the golden model")
        from matweave.sim.golden import gemm

        _compare(gemm.for_config(settings)(**job), result.c)
    output.write_file(target, matrices.to_npy(result.c))
    return {
        "name": settings.name,
        "c": str(target),
        "shape": [m, n, k],
        "cycles": result.cycles,
        "utilisation": result.utilisation,
        "counters": result.counters,
        "checked": check,
    }


def text(result: dict[str, Any]) -> str:
    m, n, k = result["shape"]
    verdict = "equals the golden model" if result["checked"] else "not checked"
    return (
        f"{result['name']}: {m} × {k} by {k} × {n} in {result['cycles']} cycles, "
        f"utilisation {result['utilisation']:.1%}; {verdict}; wrote {result['c']}"
    )


def run_layer(
    origin: str,
    overrides: Iterable[str],
    a: Path,
    folder: Path,
    check: bool,
    target: Path,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Write ``y = A · Wᵀ``, float64, of the layer in ``folder`` (:mod:`.packing`) to ``target``.

    The engine's sums must be the golden model's, unless ``check`` is off; what scales make of them
    is exact and rounded once.
    """
    settings = config.load(origin, overrides)
    output.check_file(target)
    layer = packing.load(folder, settings)
    n, k = layer.shape
    rows = matrices.load_numbers(a, "A", settings.a, ("M", k))
    from matweave.sim import native
    from matweave.sim.golden import gemm

    golden, cycles = gemm.for_config(settings), []

    def multiply(job):
        result = engine.job(job)
        cycles.append(result.cycles)
        if check:
            _compare(golden(**job.arguments()), result.c)
        return result.c

    progress(f"building the simulator of {settings.name}")
    with native.Engine(settings) as engine:
        what = f"multiplying {len(rows)} × {k} by {k} × {n}"
        try:
            found = layer.multiply(
                settings, rows, multiply, lambda done, total: progress(what, done, total)
            )
        except packed.NotFinite as error:
            raise UserError(f"A {plain(a)}: {plain(error)}") from None
    output.write_file(target, matrices.to_npy(found.rounded()))
    peak = settings.geometry.macs / settings.b_beats(layer.format)
    return {
        "name": settings.name,
        "c": str(target),
        "shape": [len(rows), n, k],
        "format": str(layer.format),
        "group": layer.group,
        "jobs": len(cycles),
        "cycles": sum(cycles),
        "utilisation": len(rows) * n * k / (peak * sum(cycles)),
        "checked": check,
    }


def _operands(settings: config.GemmConfig, files: Files) -> dict[str, Any]:
    a = matrices.load_numbers(files.a, "A", settings.a, ("M", "K"))
    b = matrices.load(files.b, "B", settings.b, (a.shape[1], "N"))
    try:
        lut.weights("b", b, settings.b, b.shape)
    except ValueError as error:  # 0 is between the binary weights
        raise UserError(f"B {plain(files.b)}: {plain(error)}") from None
    for letter, size in (("m", len(a)), ("n", b.shape[1]), ("k", len(b))):
        if size > (limit := getattr(settings.limits, letter)):
            raise UserError(
                f"{letter.upper()} is {size}; {settings.name} takes 1 to {limit} (limits.{letter})"
            )
    job = {"a": a, "b": b}
    if files.c0:
        size = len(a), b.shape[1]
        job["c0"] = matrices.load_numbers(files.c0, "C0", settings.result_format, size)
    if files.bias:
        job["bias"] = matrices.load_numbers(files.bias, "bias", settings.bias_format, (b.shape[1],))
    return job


def _requantisation(
    settings: config.GemmConfig, files: Files, zero_point: int | None, n: int
) -> dict[str, Any]:
    mode = settings.output.mode
    given = [files.multiplier, files.shift]
    if given == [None, None]:
        if mode == "requantized":
            raise UserError(f"--multiplier and --shift are needed: {settings.name} requantizes")
        if zero_point is not None:
            raise UserError("--zero-point needs --multiplier and --shift")
        return {}
    if None in given:
        raise UserError("--multiplier and --shift are needed together")
    if mode == "raw":
        raise UserError(f"--multiplier: {settings.name} gives raw results only (output.mode)")
    zero_point = zero_point or 0
    if not ZERO_POINT.min <= zero_point <= ZERO_POINT.max:
        raise UserError(
            f"--zero-point: {shown(zero_point)} is out of range; "
            f"allowed are {ZERO_POINT.min} to {ZERO_POINT.max}"
        )
    per_channel = settings.output.scale == "channel"
    return {
        "multiplier": _scale("--multiplier", files.multiplier, MULTIPLIER.max, n, per_channel),
        "shift": _scale("--shift", files.shift, MAX_SHIFT, n, per_channel),
        "zero_point": zero_point,
        "requantize": True,
    }


def _scale(option: str, value: str, most: int, n: int, per_channel: bool) -> np.ndarray | int:
    if value.isascii() and value.removeprefix("-").isdigit():
        if len(value) > 20 or not 0 <= int(value) <= most:
            raise UserError(f"{option}: {value[:20]} is out of range; allowed are 0 to {most}")
        return np.full(n, int(value)) if per_channel else int(value)
    if not per_channel:
        raise UserError(
            f"{option}: {shown(value)} is not an integer; this engine has one scale per tensor"
        )
    loaded = matrices.load(Path(value), option, Format(32, signed=False), (n,))
    return matrices.check_range(loaded, f"{option} {shown(value)}", 0, most)


def _compare(expected: np.ndarray, found: np.ndarray) -> None:
    if wrong := np.argwhere(operands.differences(found, expected)).tolist():
        i, j = wrong[0]
        raise CheckFailed(
            f"{len(wrong)} of {expected.size} elements differ from the golden model; C[{i}, {j}] "
            f"is {found[i, j]} and should be {expected[i, j]}"
        )
