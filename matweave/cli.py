"""The ``matweave`` command: what it takes and what it prints. The work is done elsewhere.

Standard output carries results only (with ``--json`` one JSON document); progress and errors go to
standard error. Simulators and Amaranth are loaded by the commands that need them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core

import matweave
from matweave.hw.errors import UserError, plain
from matweave.sim.progress import Reporter

from . import failure


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
        _discard_output()
        return failure.OK
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # which Typer makes a status of 1
            _discard_output()
            return failure.OK
        raise
    except BaseException as error:
        return failure.report(error, failure.debugging(arguments))


def _discard_output() -> None:
    """The reader of our output has left: it wants no more, and nothing is wrong."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())


def _names(incomplete: str) -> list[str]:
    from matweave.hw import source

    return [name for name in source.presets() if name.startswith(incomplete)]


def _demo_names(incomplete: str) -> list[str]:
    from matweave.fpga import demos

    return [name for name in demos.demos() if name.startswith(incomplete)]


def _board_names(incomplete: str) -> list[str]:
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

    _print(listing.catalogue(), listing.text, as_json)


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
    _print(result, generating.text, as_json)


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
    stages: Annotated[
        int | None, typer.Option(metavar="N", help="Pipeline stages; by default one per Dense.")
    ] = None,
    clock: Annotated[
        float | None, typer.Option(metavar="MHZ", help="As few stages as reach this clock.")
    ] = None,
    family: Annotated[str, typer.Option(help="Whose delays: xcup, ecp5 or ice40.")] = "xcup",
    as_json: Json = False,
    debug: Debug = False,
):
    """Write a quantised network's Verilog and manifest to a folder, with hls4ml's front ends."""
    from . import importing

    with Reporter() as progress:
        result = importing.import_model(
            model, output, name, weights, precision, logits, stages, clock, family, progress
        )
    _print(result, importing.text, as_json)


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
    _print(result, testing.text, as_json)
    if not result["passed"]:
        failed = [each["name"] for each in result["engines"] if not each["passed"]]
        raise failure.CheckFailed(f"tests of {', '.join(failed)}")


@app.command()
def run(
    config: Config,
    a: Annotated[Path, typer.Option("--a", metavar="A.npy", help="A, M × K integers.")],
    b: Annotated[Path, typer.Option("--b", metavar="B.npy", help="B, K × N integers.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="C.npy", help="C, M × N.")],
    c0: Annotated[Path | None, typer.Option("--c0", metavar="C0.npy", help="Added to A·B.")] = None,
    bias: Annotated[
        Path | None, typer.Option("--bias", metavar="BIAS.npy", help="N integers, added to rows.")
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

    files = running.Files(a, b, c0, bias, multiplier, shift)
    with Reporter() as progress:
        result = running.run(
            config, overrides or [], files, zero_point, relu, check, output, progress
        )
    _print(result, running.text, as_json)


@app.command()
def build(
    design: Annotated[
        str,
        typer.Argument(
            metavar="DEMO|CONFIG",
            help="A demo, a preset or a TOML file.",
            autocompletion=_demo_names,
        ),
    ],
    board: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Which board; `matweave list` names them.",
            autocompletion=_board_names,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Where to; by default DESIGN_BOARD, here."
        ),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(metavar="MHZ", help="The engine's clock; by default the demo's or board's."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(metavar="BPS", help="Of the serial line: 115200 to 3000000.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", help="Placements to try; the fastest is kept.")
    ] = 1,
    dsp: Annotated[
        bool | None, typer.Option("--dsp/--no-dsp", help="Multipliers in DSP blocks, or in LUTs.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Synthesise, place and route an engine with its serial link: a bitstream for a board."""
    from . import building

    wanted = building.request(design, board, overrides or [], clock, baud, seeds, dsp)
    output = Path(f"{wanted.config.name}_{board}") if output is None else output
    with Reporter() as progress:
        result = building.build(wanted, output, progress)
    _print(result, building.text, as_json)


@app.command()
def area(
    configs: Configs,
    liberty: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The standard cells: Liberty, plain or gzipped."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Without a Liberty file: generic, gates in NAND2 equivalents."),
    ] = None,
    points: Annotated[
        int, typer.Option(min=0, max=8, help="Clock targets to try beside none, per flow.")
    ] = 0,
    flat: Annotated[
        bool, typer.Option("--flat", help="Synthesise the whole array as one (slow when large).")
    ] = False,
    power: Annotated[
        bool, typer.Option("--power", help="Energy per MAC too, of simulated Gaussian operands.")
    ] = False,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Synthesise an engine's array to standard cells, and compare it with plain multipliers."""
    from . import area

    with Reporter() as progress:
        result = area.area(configs, overrides or [], liberty, target, points, flat, power, progress)
    _print(result, area.text, as_json)


@app.command()
def package(
    config: Config,
    vendor: Annotated[str, typer.Option(help="vivado or quartus.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where to.")],
    part: Annotated[
        str | None, typer.Option(metavar="PART", help="The device; by default a common board's.")
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With pins and serial link of a board, not by itself."),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(metavar="MHZ", help="The clock to reach; by default 100, or the board's."),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(metavar="BPS", help="Of a board's serial link.")
    ] = None,
    overrides: Set = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Write an engine as a project for a vendor's tool: RTL, constraints, Tcl, driver."""
    from . import packaging

    with Reporter() as progress:
        result = packaging.package(
            config, vendor, part, board, clock, baud, output, overrides or [], progress
        )
    _print(result, packaging.text, as_json)


@app.command()
def report(
    build: Annotated[
        Path, typer.Argument(metavar="BUILD.json", help="What `matweave build` wrote.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.html", help="The page.")],
    as_json: Json = False,
    debug: Debug = False,
):
    """Write a page about a build: resources, timing, throughput, power estimate, placement."""
    from . import reporting

    _print(reporting.report(build, output), reporting.text, as_json)


@app.command()
def demo(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A demo's host program, at a board; without: the digits on the engine alone.",
            autocompletion=_demo_names,
        ),
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="At a simulated board, pins, PLL and all.")
    ] = False,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="At a real one, as /dev/ttyUSB0.")
    ] = None,
    board: Annotated[
        str, typer.Option(metavar="BOARD", help="Which board it is.", autocompletion=_board_names)
    ] = "ulx3s_85f",
    program: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="First load the bitstream in DIR (by matweave build) into it; on iCE40 boards "
            "this writes the flash.",
        ),
    ] = None,
    images: Annotated[
        int | None, typer.Option(metavar="N", help="How many; by default 16 if simulated, or all.")
    ] = None,
    baud: Annotated[
        int | None, typer.Option(metavar="RATE", help="Of the serial line; the board's by default.")
    ] = None,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="DIR", help="Without NAME: where results go."),
    ] = Path("demo_out"),
    as_json: Json = False,
    debug: Debug = False,
):
    """Classify real handwritten digits on a generated engine, or run a demo with its board."""
    if name is None:
        if simulate or port is not None or program is not None:
            raise UserError("demo: which one? --simulate, --port and --program need a NAME")
        from . import demo

        return demo.run(output=output, as_json=as_json)
    if simulate == (port is not None):
        raise UserError(f"demo {plain(name)}: either --simulate or --port PORT")
    if simulate and program is not None:
        raise UserError("demo: --program is for real boards, not with --simulate")
    from . import demonstrating

    wanted = demonstrating.Wanted(name, board, port, program, images, baud)
    with Reporter() as progress:
        result = demonstrating.run(wanted, progress)
    _print(result, demonstrating.text, as_json)


def _print(result: dict[str, Any], text, as_json: bool) -> None:
    try:
        print(json.dumps(result, indent=2) if as_json else text(result), flush=True)
    except BrokenPipeError:  # what the result means for the exit status is still to come
        _discard_output()
