"""Commands of :mod:`.cli` that end in cells or on a board: areas, bitstreams, packages, demos."""

from pathlib import Path
from typing import Annotated

import typer

from matweave.hw.errors import UserError, plain
from matweave.sim.progress import Reporter

from .options import Config, Configs, Debug, Json, Set, board_names, demo_names, show


def build(
    design: Annotated[
        str,
        typer.Argument(
            metavar="DEMO|CONFIG",
            help="A demo, a preset, a TOML file, or a NAME.network.json of `matweave import`.",
            autocompletion=demo_names,
        ),
    ],
    board: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Which board; `matweave list` names them.",
            autocompletion=board_names,
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
    show(result, building.text, as_json)


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
    show(result, area.text, as_json)


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
    show(result, packaging.text, as_json)


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

    show(reporting.report(build, output), reporting.text, as_json)


def demo(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A demo's host program, at a board; without: the digits on the engine alone.",
            autocompletion=demo_names,
        ),
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="At a simulated board, pins, PLL and all.")
    ] = False,
    port: Annotated[
        str | None, typer.Option(metavar="PORT", help="At a real one, as /dev/ttyUSB0.")
    ] = None,
    board: Annotated[
        str, typer.Option(metavar="BOARD", help="Which board it is.", autocompletion=board_names)
    ] = "ulx3s_85f",
    program: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="First load the bitstream in DIR (by matweave build) into it; on iCE40 boards "
            "this writes the flash.",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples",
            "--images",
            metavar="N",
            help="How many; by default 16 if simulated, or all.",
        ),
    ] = None,
    baud: Annotated[
        int | None, typer.Option(metavar="RATE", help="Of the serial line; the board's by default.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where results go, without NAME by default to demo_out; with NAME pictures, if it "
            "draws any.",
        ),
    ] = None,
    as_json: Json = False,
    debug: Debug = False,
):
    """Classify real handwritten digits on a generated engine, or run a demo with its board."""
    if name is None:
        if simulate or port is not None or program is not None:
            raise UserError("demo: which one? --simulate, --port and --program need a NAME")
        from . import demo

        return demo.run(output=output or Path("demo_out"), as_json=as_json)
    if simulate == (port is not None):
        raise UserError(f"demo {plain(name)}: either --simulate or --port PORT")
    if simulate and program is not None:
        raise UserError("demo: --program is for real boards, not with --simulate")
    from . import demonstrating

    wanted = demonstrating.Wanted(name, board, port, program, samples, baud, output)
    with Reporter() as progress:
        result = demonstrating.run(wanted, progress)
    show(result, demonstrating.text, as_json)


COMMANDS = (build, area, package, report, demo)
"""In the order of the help."""
