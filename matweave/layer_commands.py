"""The command of :mod:`.cli` that is about layers of quantised weights."""

from pathlib import Path
from typing import Annotated

import typer

from matweave.sim.progress import Reporter

from .options import Config, Debug, Json, Set, show


def pack(
    config: Config,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights: .gguf, .safetensors or .npy (N × K).")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to.")],
    tensor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which, of a file that has several.")
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="gptq|gptq-wrap|gptq-v2|awq",
            help="Of .safetensors; gptq: zero points are stored less one, and the largest code is "
            "one more (gptq-wrap: is 0).",
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Of .npy: as b of CONFIG.")
    ] = None,
    scales: Annotated[
        Path | None, typer.Option("--scales", metavar="NPY", help="Of .npy: N × groups floats.")
    ] = None,
    zeros: Annotated[
        Path | None, typer.Option("--zeros", metavar="NPY", help="Of .npy: N × groups integers.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Pack a quantised layer's weights as a lookup engine takes them."""
    from . import packing

    source = packing.Source(file, tensor, layout, weights, scales, zeros)
    with Reporter() as progress:
        result = packing.pack(config, overrides or [], source, output, progress)
    show(result, packing.text, as_json)


COMMANDS = (pack,)
