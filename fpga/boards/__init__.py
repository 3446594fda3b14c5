"""Boards: pins and clocks, one file each.

A board is a file in this folder with a module-level literal, read without importing the file::

    FACTS = {
        "title": "Radiona ULX3S with LFE5U-85F",
        "platform": "amaranth_boards.ulx3s:ULX3S_85F_Platform",   # module:class
        "family": "ecp5",        # which of fpga/targets/ builds for it
        "device": "LFE5U-85F", "package": "CABGA381", "speed": "6",
        "crystal_mhz": 25.0,     # of the platform's default clock
        "clock_mhz": 50.0,       # the engine's, unless the user or a demo asks for another
        "led": "led",            # a resource of one bit, lit while the engine is busy
        "loader": "ulx3s",       # what openFPGALoader --board calls it, "" if it does not know it
    }

and, where they differ from the default, those keys of :class:`Board` that have one. Adding the file
adds the board (``docs/how-to/add-a-board.md``).
"""

import ast
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...hw.errors import ConfigError, UserError, nearest, plain
from ...sim import toolchain


@dataclass(frozen=True)
class Board:
    """What the flow needs to know about one board.

    ``uart``: pins of the serial port where the platform has no ``uart`` resource: ``rx``, ``tx``,
    ``conn`` (connector), ``attrs``; ``options``: what its family alone understands.
    """

    name: str
    title: str
    platform: str
    family: str
    device: str
    package: str
    speed: str
    crystal_mhz: float
    clock_mhz: float
    led: str
    loader: str
    baud: int = 1_000_000
    uart: Mapping[str, object] | None = None
    options: Mapping[str, object] = field(default_factory=dict)


def read_facts(path: Path) -> Board | None:
    """The board in ``path``; ``None`` if the file describes none.

    Raises :class:`.errors.ConfigError` for a file that is not Python, or facts that are not those
    of a board."""
    try:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.targets[0], ast.Name)
                and node.targets[0].id == "FACTS"
            ):
                return Board(name=path.stem, **ast.literal_eval(node.value))
    except (SyntaxError, TypeError, ValueError) as error:
        raise ConfigError(f"{plain(path)}: {plain(error)}") from error
    return None


@functools.cache
def boards() -> Mapping[str, Board]:
    """Every board by its name, in alphabetical order."""
    found = map(read_facts, sorted(Path(__file__).parent.glob("*.py")))
    return {board.name: board for board in found if board}


def load(name: str) -> Board:
    """The board called ``name``; :class:`.errors.UserError` with those there are, if it is none."""
    known = boards()
    if name not in known:
        raise UserError(
            f"--board {plain(name)}: is not a board; allowed are {', '.join(known)}"
            + nearest(name, known)
        )
    return known[name]


def platform(board: Board, **arguments):
    """Amaranth's platform of ``board``, made with ``arguments``.

    Raises :class:`.toolchain.ToolError` where amaranth-boards is missing."""
    where, name = board.platform.split(":")
    try:
        found = importlib.import_module(where)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "amaranth_boards":
            raise
        raise toolchain.ToolError(
            "amaranth-boards was not found: install it with: pip install 'matweave[fpga]'"
        ) from None
    return getattr(found, name)(**arguments)
