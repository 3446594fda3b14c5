"""What the commands of :mod:`.cli` share: their options, names to complete, and how they print."""

import json
import os
import sys
from typing import Annotated, Any

import typer


def _names(incomplete: str) -> list[str]:
    from matweave.hw import source

    return [name for name in source.presets() if name.startswith(incomplete)]


def demo_names(incomplete: str) -> list[str]:
    from matweave.fpga import demos

    return [name for name in demos.demos() if name.startswith(incomplete)]


def board_names(incomplete: str) -> list[str]:
    from matweave.fpga import boards

    return [name for name in boards.boards() if name.startswith(incomplete)]


_CONFIG_HELP = "A TOML file, or the name of a preset."
Config = Annotated[str, typer.Argument(metavar="CONFIG", help=_CONFIG_HELP, autocompletion=_names)]
Configs = Annotated[
    list[str], typer.Argument(metavar="CONFIG...", help=_CONFIG_HELP, autocompletion=_names)
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Replace one value, as array.rows=16. Repeatable."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
# Taken by the command line and by each command; main() itself looks for it.
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


def show(result: dict[str, Any], text, as_json: bool) -> None:
    """Print ``result`` as a JSON document, or what ``text`` makes of it."""
    try:
        print(json.dumps(result, indent=2) if as_json else text(result), flush=True)
    except BrokenPipeError:  # what the result means for the exit status is still to come
        discard_output()


def discard_output() -> None:
    """The reader of our output has left: it wants no more, and nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
