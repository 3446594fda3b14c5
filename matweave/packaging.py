"""A vendor's project package of an engine: ``matweave package``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from matweave.hw import config, output


def package(
    origin: str,
    vendor: str,
    part: str | None,
    board: str | None,
    clock: float | None,
    baud: int | None,
    folder: Path,
    overrides: Iterable[str],
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Write the package of the engine to ``folder``, all or nothing; what was written."""
    from matweave.fpga.targets import vendor as vendors

    settings = config.load_gemm(origin, overrides)
    target = vendors.target(vendor, part=part, clock=clock, board=board, baud=baud)
    output.check_folder(folder)
    progress(f"packaging {settings.name} for {vendor}")
    files = vendors.files(settings, target)
    output.write_folder(folder, files)
    return {
        "name": settings.name,
        "hash": settings.hash,
        "vendor": vendor,
        "part": target.part,
        "board": board,
        "clock_mhz": target.clock,
        "folder": str(folder),
        "files": {name: len(text.encode()) for name, text in files.items()},
    }


def text(result: dict[str, Any]) -> str:
    width = max(map(len, result["files"]))
    lines = [
        f"{result['name']}: a project for {result['vendor']}, {result['part']} at "
        f"{result['clock_mhz']:g} MHz; not a bitstream, README.md says how to make one"
    ]
    lines += [f"  {name:{width}}  {size:>9,} bytes" for name, size in result["files"].items()]
    return "\n".join([*lines, f"in {result['folder']}"])
