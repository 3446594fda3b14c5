"""A model file to Verilog: ``matweave import``."""

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matweave.hw import names, output
from matweave.hw.errors import ConfigError, UserError, plain

from . import child


def import_model(
    path: Path,
    folder: Path,
    name: str | None,
    weights: Path | None,
    precision: str | None,
    logits: bool,
    softmax: str | None,
    functions: str | None,
    options: Mapping[str, Any],
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Write the network in ``path`` to ``folder``, all or nothing; what was written. ``options``:
    those of :func:`~matweave.hw.network.design.design`, with a ``clock`` in MHz for the period."""
    from matweave.hw.network import timing
    from matweave.hw.network.reading.nearest import wanted_tables
    from matweave.hw.network.reading.softmax import wanted_softmax

    options = dict(options)
    clock, family = options.pop("clock"), options["family"]
    timing.family(family)
    wanted_softmax(softmax)
    wanted_tables(functions)
    if clock is not None and not 0 < clock < math.inf:
        raise ConfigError(f"clock: must be above 0 MHz and finite, not {clock:g}")
    name = re.sub(r"\W+", "_", path.stem, flags=re.ASCII) if name is None else name
    if reason := names.refusal(name):
        raise ConfigError(f"name: {plain(name)!r} {reason}; --name gives another")
    output.check_folder(folder)
    progress(f"reading {path.name}")
    tables, warnings = read_file(
        path, name, weights=weights, precision=precision, logits=logits, softmax=softmax,
        functions=functions,
    )  # fmt: skip
    from matweave.hw.network import store
    from matweave.hw.network.design import design

    progress(f"generating {name}")
    network = store.from_tables(tables)
    made = design(
        network,
        **options | {"fold": _cycles(options["fold"])},
        period=None if clock is None else 1000 / clock,
    )
    files = {**made.files, f"{name}.network.json": store.text(network)}
    output.write_folder(folder, files)
    performance, estimate = made.manifest["performance"], made.manifest["estimate"]
    return {
        "name": name,
        "folder": str(folder),
        "files": {name: len(text.encode()) for name, text in files.items()},
        "layers": len(network.layers),
        "latency": performance["latency"],
        "initiation_interval": performance["initiation_interval"],
        "family": family,
        "period_ns": estimate["period_ns"],
        "adders": estimate["adders"],
        "register_bits": estimate["register_bits"],
        "luts": estimate["luts"],
        "multipliers": estimate["multipliers"],
        "warnings": warnings,
    }


def read_model(path: Path, name: str, **options) -> dict:
    """The network of :func:`read_file`."""
    return read_file(path, name, **options)[0]


def read_file(
    path: Path,
    name: str,
    *,
    weights: Path | None = None,
    precision: str | None = None,
    logits: bool = False,
    softmax: str | None = None,
    functions: str | None = None,
) -> tuple[dict, list[str]]:
    """The tables (:mod:`matweave.hw.network.store`) of the network in a file, which a process of
    its own reads (:mod:`.model_file`), and what to be aware of, a line each."""
    answer = _child(
        {"path": str(path), "name": name, "precision": precision, "logits": logits,
         "softmax": softmax, "tables": functions,
         "weights": None if weights is None else str(weights)}
    )  # fmt: skip
    return answer["network"], [plain(line) for line in answer["warnings"]]


def _child(request: dict) -> dict:
    answer = json.loads(child.ask("matweave.model_file", request).decode(errors="replace"))
    if "error" in answer:
        raise UserError(answer["error"])
    return answer


def _multipliers(count: int) -> str:
    return f"{count} multipliers, " if count else ""


def _every(cycles: int) -> str:
    return "per cycle" if cycles == 1 else f"every {cycles} cycles"


def _cycles(fold: str | None) -> int | str | None:
    """The option as :func:`~matweave.hw.network.design.design` takes it."""
    return int(fold) if fold is not None and re.fullmatch(r"[0-9]{1,9}", fold) else fold


def text(result: dict[str, Any]) -> str:
    width = max(map(len, result["files"]))
    lines = [
        f"{result['name']}: {result['adders']} adders, {_multipliers(result['multipliers'])}about "
        f"{result['luts']} LUT4; {result['latency']} cycles, one sample "
        f"{_every(result['initiation_interval'])}; about {result['period_ns']:g} ns a stage on "
        f"{result['family']}"
    ]
    lines += [f"  {name:{width}}  {size:>9,} bytes" for name, size in result["files"].items()]
    warnings = [f"warning: {line}" for line in result["warnings"]]
    return "\n".join([*lines, f"in {result['folder']}", *warnings])
