"""The ``matweave`` command: what it takes and what it prints. The work is done elsewhere.

Standard output carries results only (with ``--json`` one JSON document); progress and errors go to
standard error. Simulators and Amaranth are loaded by the commands that need them.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
import typer.core

import matweave
from matweave.hw.errors import UserError
from matweave.sim.progress import Reporter

from . import data, encoder_commands, failure, implementing, layer_commands
from .options import Config, Configs, Debug, Json, Set, discard_output, show


class _Group(typer.core.TyperGroup):
    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise failure.Interrupted from error


app = typer.Typer(
    name="matweave",
    cls=_Group,
    help="From a short configuration to a verified tensor engine in Verilog.",
    epilog="Built simulators are kept in MATWEAVE_CACHE_DIR (else XDG_CACHE_HOME/matweave, else "
    "~/.cache/matweave), which may be deleted at any time. MATWEAVE_DEBUG=1 is --debug.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status (:mod:`matweave.failure` names them)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    failure.terminate_cleanly()
    for stream in (sys.stdout, sys.stderr):  # "×" on a terminal that has none is no error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = app(arguments, prog_name="matweave", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else failure.OK
    except BrokenPipeError:
        discard_output()
        return failure.OK
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # which Typer makes a status of 1
            discard_output()
            return failure.OK
        raise
    except BaseException as error:
        return failure.report(error, failure.debugging(arguments))


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"matweave {matweave.__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Debug = False,
):
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command("list")
def list_(as_json: Json = False, debug: Debug = False):
    """List engines, arrays, processing elements, presets, demos and boards."""
    from . import listing

    show(listing.catalogue(), listing.text, as_json)


@app.command()
def schema(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The reference in Markdown instead.")
    ] = False,
    debug: Debug = False,
):
    """Print the JSON Schema of a configuration, for editors."""
    from matweave.hw import config

    from . import reference

    print(reference.markdown() if markdown else json.dumps(config.schema(), indent=2), end="\n")


@app.command()
def generate(
    config: Config,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to.")],
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Write an engine's Verilog, manifest and register map to a folder."""
    from . import generating

    with Reporter() as progress:
        result = generating.generate(config, output, overrides or [], progress)
    show(result, generating.text, as_json)


@app.command("import")
def import_(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Keras .h5, .json or .keras, or .onnx.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the module; by default the file's.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE.h5", help="Of a model in a .json file.")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(metavar="TYPE", help="Where the model says none; by default ap_fixed<16,6>."),
    ] = None,
    logits: Annotated[
        bool, typer.Option("--logits", help="Leave a final Softmax out: results are its inputs.")
    ] = False,
    softmax: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Whose tables: hls4ml, exact (finer ones), or model: HGQ2's own where it is "
            "HGQ2's, else hls4ml's.",
        ),
    ] = "model",
    tables: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Of sigmoid, tanh and the like: hls4ml, or exact (rounded)."
        ),
    ] = "hls4ml",
    stages: Annotated[
        int | None,
        typer.Option(metavar="N", help="Pipeline stages; by default what its layers want."),
    ] = None,
    clock: Annotated[
        float | None, typer.Option(metavar="MHZ", help="As few stages as reach this clock.")
    ] = None,
    family: Annotated[str, typer.Option(help="Whose delays: xcup, ecp5 or ice40.")] = "xcup",
    fold: Annotated[
        str | None,
        typer.Option(
            metavar="CYCLES",
            help="Per sample, in which its tokens take turns; tokens: one in each; stream: a "
            "sample comes pixel by pixel.",
        ),
    ] = None,
    reuse: Annotated[
        int | None,
        typer.Option(metavar="CYCLES", help="Of every layer of weights, on an array of its own."),
    ] = None,
    pe: Annotated[str, typer.Option(help="What these arrays are made of: a PE, or lut.")] = "mac",
    dsps: Annotated[
        int, typer.Option(min=0, help="Products of two values that may become DSP blocks.")
    ] = 0,
    luts: Annotated[
        int | None,
        typer.Option(min=1, help="Fold it into about so many LUTs, and --dsps multipliers."),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Write a quantised network's Verilog and manifest to a folder, with hls4ml's front ends."""
    from . import importing

    with Reporter() as progress:
        result = importing.import_model(
            model, output, name, weights, precision, logits, softmax, tables,
            {"stages": stages, "clock": clock, "family": family, "fold": fold, "reuse": reuse,
             "pe": pe, "dsps": dsps, "luts": luts},
            progress,
        )  # fmt: skip
    show(result, importing.text, as_json)


@app.command()
def test(
    configs: Configs,
    simulator: Annotated[str, typer.Option(help="verilator or icarus.")] = "verilator",
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 1,
    cases: Annotated[int | None, typer.Option(min=1, help="Random jobs per test.")] = None,
    waves: Annotated[bool, typer.Option("--waves", help="Record waveforms.")] = False,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="For logs, waveforms and JUnit XML."),
    ] = Path("results"),
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Simulate an engine's Verilog against the golden model, under back-pressure and resets."""
    from . import testing

    with Reporter() as progress:
        result = testing.test(
            configs, overrides or [], simulator, seed, cases, waves, output, progress
        )
    show(result, testing.text, as_json)
    if not result["passed"]:
        failed = [each["name"] for each in result["engines"] if not each["passed"]]
        raise failure.CheckFailed(f"tests of {', '.join(failed)}")


@app.command()
def run(
    config: Config,
    a: Annotated[Path, typer.Option("--a", metavar="A.npy", help="A, M × K numbers.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="C.npy", help="C, M × N.")],
    b: Annotated[
        Path | None, typer.Option("--b", metavar="B.npy", help="B, K × N integers.")
    ] = None,
    layer: Annotated[
        Path | None,
        typer.Option("--layer", metavar="DIR", help="In place of B, what `matweave pack` wrote."),
    ] = None,
    c0: Annotated[Path | None, typer.Option("--c0", metavar="C0.npy", help="Added to A·B.")] = None,
    bias: Annotated[
        Path | None, typer.Option("--bias", metavar="BIAS.npy", help="N numbers, added to rows.")
    ] = None,
    multiplier: Annotated[
        str | None,
        typer.Option(metavar="INT|NPY", help="Requantise: 0 to 2**31 - 1, one or N of them."),
    ] = None,
    shift: Annotated[
        str | None, typer.Option(metavar="INT|NPY", help="Requantise: 0 to 62, one or N of them.")
    ] = None,
    zero_point: Annotated[
        int | None, typer.Option("--zero-point", help="Requantise: added after scaling.")
    ] = None,
    relu: Annotated[bool, typer.Option("--relu", help="Clamp below at zero.")] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Compare with the golden model.")
    ] = True,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Multiply matrices on the engine's simulated Verilog."""
    from . import running

    if (b is None) == (layer is None):
        raise UserError("exactly one of --b and --layer is needed")
    if layer is not None:
        if relu or any(each is not None for each in (c0, bias, multiplier, shift, zero_point)):
            raise UserError("--layer: nothing else is done to its results")
        with Reporter() as progress:
            result = running.run_layer(config, overrides or [], a, layer, check, output, progress)
        show(result, running.text, as_json)
        return
    files = running.Files(a, b, c0, bias, multiplier, shift)
    with Reporter() as progress:
        result = running.run(
            config, overrides or [], files, zero_point, relu, check, output, progress
        )
    show(result, running.text, as_json)


for command in (*implementing.COMMANDS, *layer_commands.COMMANDS, *encoder_commands.COMMANDS):
    app.command()(command)
app.add_typer(data.app)
