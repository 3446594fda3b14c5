"""The command of :mod:`.cli` that is about encoders and decoders."""

from pathlib import Path
from typing import Annotated

import typer

from matweave.sim.progress import Reporter

from .options import Config, Debug, Json, Set, show


def calibrate(
    config: Config,
    weights: Annotated[
        Path,
        typer.Argument(
            metavar="WEIGHTS",
            help=".safetensors or .npz, with the names of PyTorch's TransformerEncoder or of "
            "transformers' Llama, or .onnx.",
        ),
    ],
    samples: Annotated[
        Path, typer.Argument(metavar="X.npy", help="Sequences × tokens × width floats.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.npz", help="Where to.")],
    function: Annotated[
        str | None,
        typer.Option(help="Of the hidden layer: gelu, gelu_tanh, relu or silu; ONNX files say it."),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Added to variances in the float model; 1e-5 unless given, ONNX files say it. The "
            "engine's is model.epsilon."
        ),
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Choose an encoder's or decoder's scales from sample data, and quantise its weights."""
    from . import calibrating

    with Reporter() as progress:
        result = calibrating.calibrate(
            config,
            overrides or [],
            weights,
            samples,
            output,
            progress,
            function=function,
            epsilon=epsilon,
        )
    show(result, calibrating.text, as_json)


COMMANDS = (calibrate,)
