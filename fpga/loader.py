"""A bitstream into a board, through openFPGALoader where it is installed."""

import shutil
import sys
from pathlib import Path

from ..hw.errors import UserError, plain
from ..sim import toolchain
from .boards import Board

PROGRAM = "openFPGALoader"
TIMEOUT = 300
ENDINGS = (".bit", ".bin", ".fs")
"""Of the bitstreams of ECP5, iCE40 and Gowin."""


def bitstream(folder: Path) -> Path:
    """The bitstream in ``folder``, where ``matweave build`` wrote it. Raises
    :class:`.errors.UserError` unless there is exactly one."""
    found = [path for path in sorted(folder.glob("*")) if path.suffix in ENDINGS]
    if len(found) != 1:
        raise UserError(
            f"{plain(str(folder))}: {len(found)} bitstreams ({', '.join(ENDINGS)}); name the "
            "folder that matweave build wrote"
        )
    return found[0]


def program(board: Board, path: Path) -> None:
    """Load the bitstream ``path`` into ``board``.

    It goes into the device's own memory, until the power goes; but on iCE40 boards openFPGALoader
    writes it to the board's flash, over what was there.
    Raises :class:`.toolchain.ToolError` where openFPGALoader is missing or fails.
    """
    if shutil.which(PROGRAM) is None:
        install = "apt install openfpgaloader" if sys.platform == "linux" else "see its home page"
        raise toolchain.ToolError(f"{PROGRAM} was not found; it programs boards: {install}")
    toolchain.run(
        [PROGRAM, "--board", board.loader, path],
        timeout=TIMEOUT,
        what=f"programming {board.title}",
    )
