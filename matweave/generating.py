"""An engine's files from its configuration: ``matweave generate``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from matweave.hw import config, output


def generate(
    origin: str, folder: Path, overrides: Iterable[str], progress: Callable[..., None]
) -> dict[str, Any]:
    """Write the files of the engine to ``folder``, all or none; what was written."""
    settings = config.load(origin, overrides)
    output.check_folder(folder)
    progress(f"generating {settings.name}")
    from matweave.hw import emit

    generated = emit.generate(settings)
    output.write_folder(folder, generated.files)
    return {
        "name": settings.name,
        "hash": settings.hash,
        "folder": str(folder),
        "files": {name: len(text.encode()) for name, text in generated.files.items()},
        "macs_per_cycle": settings.macs_per_cycle,
    }


def text(result: dict[str, Any]) -> str:
    width = max(map(len, result["files"]))
    # Of bit-serial weights a fraction.
    peak = round(result["macs_per_cycle"], 2)
    lines = [f"{result['name']}: {peak} multiply-accumulates per cycle"]
    lines += [f"  {name:{width}}  {size:>9,} bytes" for name, size in result["files"].items()]
    return "\n".join([*lines, f"in {result['folder']}"])
