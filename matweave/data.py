"""``matweave data``: data sets to try networks on."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from matweave.hw.errors import UserError
from matweave.sim.progress import Reporter

from .options import Debug, Json, show

app = typer.Typer(name="data", help="Make data sets to try networks on.", no_args_is_help=False)


@app.callback()
def _group():
    """Make data sets to try networks on."""


@app.command()
def jets(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.npz", help="Where to.")],
    count: Annotated[
        int | None,
        typer.Option("--jets", metavar="N", help="Generate so many, with Pythia 8 and FastJet."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated jets.")] = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="By default one per processor.")
    ] = None,
    openml: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Convert OpenML's data set 42468: .arff, .csv, .parquet."
        ),
    ] = None,
    hdf5: Annotated[
        Path | None,
        typer.Option(metavar="FILE|DIR", help="Convert the hls4ml LHC jet data's HDF5."),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option("--compact", help="16 constituents and 12 significant bits, as the sample."),
    ] = False,
    as_json: Json = False,
    debug: Debug = False,
):
    """Particle jets of five classes: generated, or from files of the LHC jet benchmark."""
    with Reporter() as progress:
        result = _jets(output, count, seed, processes, openml, hdf5, compact, progress)
    show(result, _text, as_json)


def _jets(path, count, seed, processes, openml, hdf5, compact, progress) -> dict[str, Any]:
    if sum(each is not None for each in (count, openml, hdf5)) != 1:
        raise UserError("data jets: exactly one of --jets, --openml and --hdf5")
    from matweave.hw import output
    from matweave.zoo.jets import data, generator
    from matweave.zoo.jets import hdf5 as hdf5_files
    from matweave.zoo.jets import openml as openml_files

    output.check_file(path)
    if count is not None:
        made = generator.generate(count, seed, processes=processes, progress=progress)
    else:
        progress(f"reading {(openml or hdf5).name}")
        made = openml_files.load(openml) if openml else hdf5_files.load(hdf5)
    if compact:
        made = made.compact()
    if count is not None:
        command = f"matweave data jets --jets {count} --seed {seed}" + " --compact" * compact
        made = dataclasses.replace(made, recipe={"command": command, **made.recipe})
    made.save(path)
    return {
        "file": str(path),
        "jets": len(made),
        "classes": {
            name: int((made.labels == label).sum()) for label, name in enumerate(data.CLASSES)
        },
        "arrays": {name: list(array.shape) for name, array in made.arrays().items()},
        "recipe": dict(made.recipe),
    }


def _text(result: dict[str, Any]) -> str:
    classes = ", ".join(f"{count:,} {name}" for name, count in result["classes"].items())
    arrays = ", ".join(f"{name} {tuple(shape)}" for name, shape in result["arrays"].items())
    return f"{result['jets']:,} jets: {classes}\n  {arrays}\nin {result['file']}"
