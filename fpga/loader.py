"""A bitstream into a board, through openFPGALoader where it is installed."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from ..hw.errors import UserError, plain
from ..sim import toolchain
from .boards import Board

PROGRAM = "openFPGALoader"
TIMEOUT = 300
ENDINGS = (".bit", ".bin", ".fs")
"""Of the bitstreams of ECP5 and Nexus, iCE40, Gowin."""


@dataclass(frozen=True)
class Built:
    """What ``matweave build`` wrote to a folder: the bitstream, and what it is."""

    bitstream: Path
    board: str
    baud: int
    tables: dict
    """The engine's configuration."""


def built(folder: Path) -> Built:
    """What is in ``folder``. Raises :class:`.errors.UserError` if that is no finished build."""
    from . import report

    build = report.read(folder / "build.json")
    found = [folder / name for name in build.files if Path(name).suffix in ENDINGS]
    if len(found) != 1 or not found[0].is_file():
        raise UserError(f"{plain(str(folder))}: has no bitstream ({', '.join(ENDINGS)})")
    return Built(found[0], build.board.name, build.baud, build.config)


def program(board: Board, path: Path) -> None:
    """Load the bitstream ``path`` into ``board``.

    It goes into the device's own memory, until the power goes; but on iCE40 boards openFPGALoader
    writes it to the board's flash, over what was there.
    Raises :class:`.errors.UserError` for a board that openFPGALoader does not know,
    :class:`.toolchain.ToolError` where it is missing or fails.
    """
    if not board.loader:
        raise UserError(f"--program: {PROGRAM} does not know {board.title}")
    if shutil.which(PROGRAM) is None:
        install = "apt install openfpgaloader" if sys.platform == "linux" else "see its home page"
        raise toolchain.ToolError(f"{PROGRAM} was not found; it programs boards: {install}")
    toolchain.run(
        [PROGRAM, "--board", board.loader, path],
        timeout=TIMEOUT,
        what=f"programming {board.title}",
    )
