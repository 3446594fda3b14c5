"""Complete designs with real data: one folder each, with its engine, data and host program.

A folder with a ``demo.toml`` is a demo, called as the folder with ``-`` for ``_``::

    title = "Handwritten digits on 64 multipliers"
    engine = "engine.toml"      # the default; a file of any kind of engine (fpga/engines/)
    set = ["fold=tokens"]       # overrides of the engine on every board

    [boards.icebreaker]         # where a board needs other values; all keys may be missing
    clock = 12.0                # MHz of the engine
    set = ["array.rows=1"]      # more of them
    dsp = false                 # multipliers in LUTs

Its module ``host`` is the host program::

    def run(engine, *, samples, progress) -> dict   # engine: what Engine.device gives
    def rows(result) -> dict[str, str]              # what a person is told of it
    def pictures(result) -> dict[str, bytes]        # files by name; may be missing

``samples`` is how many, ``None`` for all; ``progress`` is called with (done, total), and may be
told a phrase about the last one as well. The result has
``samples``, how many are ``right``, and how many of all ``elements`` (results of the engine) are
``wrong``, that is not those that the sample says; and whatever else ``rows`` needs, in JSON types.
"""

import functools
import importlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...hw.errors import ConfigError, UserError, nearest, plain

FILE = "demo.toml"


@dataclass(frozen=True)
class Variant:
    """What a demo wants on one board; ``clock`` in MHz, ``None`` for the board's."""

    clock: float | None = None
    set: tuple[str, ...] = ()
    dsp: bool = True


@dataclass(frozen=True)
class Demo:
    """One folder. ``package``: the Python package that it is."""

    name: str
    title: str
    folder: Path
    engine: Path
    boards: Mapping[str, Variant]
    set: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        return f"{__name__}.{self.folder.name}"

    @property
    def host(self):
        """The module that is its host program."""
        return importlib.import_module(f"{self.package}.host")

    def on(self, board: str) -> Variant:
        """What the demo wants on a board."""
        own = self.boards.get(board, Variant())
        return replace(own, set=(*self.set, *own.set))


def read(folder: Path) -> Demo:
    """The demo in ``folder``; :class:`.errors.ConfigError` if its ``demo.toml`` is not right."""
    path = folder / FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        boards = {
            board: Variant(**{**values, "set": tuple(values.get("set", ()))})
            for board, values in tables.pop("boards", {}).items()
        }
        engine = folder / tables.pop("engine", "engine.toml")
        tables["set"] = tuple(tables.get("set", ()))
        name = folder.name.replace("_", "-")
        return Demo(name=name, folder=folder, engine=engine, boards=boards, **tables)
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{plain(path)}: {plain(error)}") from error


@functools.cache
def demos() -> Mapping[str, Demo]:
    """Every demo by its name, in alphabetical order."""
    folders = (path.parent for path in sorted(Path(__file__).parent.glob(f"*/{FILE}")))
    return {demo.name: demo for demo in map(read, folders)}


def load(name: str) -> Demo:
    """The demo called ``name``; :class:`.errors.UserError` with those there are, if it is none."""
    if name not in demos():
        raise UserError(
            f"{plain(name)}: is not a demo; allowed are {', '.join(demos())}"
            + nearest(name, demos())
        )
    return demos()[name]
