"""Real handwritten digits on a generated engine: ``matweave demo``."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matweave.hw import output as outputs
from matweave.hw.errors import UserError
from matweave.sim.progress import Reporter

from .failure import CheckFailed

LEAST_ACCURACY = 0.95
PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib"}
"""What the demo needs beyond the command's own dependencies, by what is imported."""


def run(*, output: Path, as_json: bool = False) -> None:
    """The command: progress on standard error, the result on standard output."""
    with Reporter() as progress:
        result = demo(output, progress)
    print(json.dumps(result, indent=2) if as_json else text(result))


def demo(folder: Path, progress: Callable[..., None]) -> dict[str, Any]:
    """Classify the held-out digits on the engine's Verilog and write all results to ``folder``.

    Nothing is written, and :class:`CheckFailed` raised, if any element of any layer differs from
    the golden model's or fewer than 95 % of the digits are read right.
    """
    outputs.check_folder(folder)
    digits = _design()
    from matweave.hw import emit
    from matweave.sim.golden import gemm

    progress("training and quantising the network")
    data = digits.network.digits()
    network = digits.network.train(data)
    settings = digits.inference.engine()
    progress(f"generating {settings.name}")
    generated = emit.generate(settings)
    found, results, seconds = _simulate(
        digits, network, data.images, settings, generated.verilog, progress
    )
    progress("comparing with the golden model")
    golden, batch = gemm.for_config(settings), settings.limits.m
    _compare(found, digits.inference.classify(network.layers, data.images, golden, batch))
    summary = _summary(network, data, settings, found, results) | seconds
    if summary["accuracy"] < LEAST_ACCURACY:
        raise CheckFailed(
            f"accuracy is {summary['accuracy']:.1%} and should be at least {LEAST_ACCURACY:.0%}"
        )
    progress("drawing")
    captions = _captions(summary, settings.geometry)
    drawn = digits.picture.png(data.images, data.labels, found.predictions, *captions)
    files = generated.files | {f"{settings.name}.png": drawn}
    outputs.write_folder(folder, files)
    return summary | {"folder": str(folder), "files": list(files)}


def text(result: dict[str, Any]) -> str:
    hidden, logits = (layer["elements"] for layer in result["layers"])
    used = [f"{layer['utilisation']:.1%}" for layer in result["layers"]]
    images, cycles = result["images"], result["cycles"]
    rows = {
        "network": f"{_shape(result)} in int8, on the simulated Verilog of an engine with "
        f"{result['macs_per_cycle']} multipliers",
        "accuracy": f"{result['accuracy']:.1%}: {result['right']} of {images} held-out digits "
        f"({result['float_accuracy']:.1%} in float)",
        "golden model": f"all {logits:,} logits equal, and all {hidden:,} hidden activations",
        "cycles": f"{cycles:,}, that is {cycles / images:.1f} per digit",
        "utilisation": f"{used[0]} in the hidden layer, {used[1]} in the output layer",
        "speed": f"{result['predictions_per_second']:,} predictions per second of simulation",
        "seconds": f"{result['simulation_seconds']:.2f} to simulate, after "
        f"{result['build_seconds']:.1f} to build the simulator or take it from the cache",
        "written": f"{', '.join(result['files'])} in {result['folder']}",
    }
    width = max(map(len, rows)) + 2
    return "\n".join(f"{name:{width}}{about}" for name, about in rows.items())


def _design():
    """The demo's parts, or one line about the package that they lack."""
    try:
        from matweave.fpga.demos import digits
        from matweave.fpga.demos.digits import inference, network, picture  # noqa: F401
    except ModuleNotFoundError as error:
        raise lacking(error) from error
    return digits


def lacking(error: ModuleNotFoundError) -> Exception:
    """One line about the package that a demo lacks; the error itself if it is none of those."""
    package = PACKAGES.get((error.name or "").split(".")[0])
    if package is None:
        return error
    return UserError(f"the demo needs {package}: install it with: pip install 'matweave[demo]'")


def _simulate(digits, network, images, settings, verilog: str, progress):
    """The inference, the engine's result of every job, and the seconds that both steps took."""
    from matweave.sim import native

    progress(f"building the simulator of {settings.name} (once; about half a minute)")
    results, started = [], time.perf_counter()
    with native.Engine.from_verilog(verilog, settings) as engine:
        built = time.perf_counter()

        def multiply(**job):
            results.append(engine.gemm(**job))
            return results[-1].c

        def tell(done, total):
            progress("classifying on the simulated Verilog", done, total)

        found = digits.inference.classify(network.layers, images, multiply, settings.limits.m, tell)
        ended = time.perf_counter()
    seconds = {
        "build_seconds": round(built - started, 3),
        "simulation_seconds": round(ended - built, 3),
        "predictions_per_second": round(len(images) / (ended - built)),
    }
    return found, results, seconds


def _compare(found, expected) -> None:
    for name, ours, golden in zip(
        ("hidden activations", "logits"), found.outputs, expected.outputs, strict=True
    ):
        if wrong := int((ours != golden).sum()):
            raise CheckFailed(f"{wrong} of {golden.size} {name} differ from the golden model")


def _summary(network, data, settings, found, results) -> dict[str, Any]:
    images, macs = len(data.images), settings.geometry.macs
    jobs = len(results) // len(network.layers)
    layers = []
    for index, layer in enumerate(network.layers):
        cycles = sum(each.cycles for each in results[index * jobs : (index + 1) * jobs])
        layers.append(
            {
                "shape": list(layer.weights.shape),
                "elements": found.outputs[index].size,
                "cycles": cycles,
                "utilisation": images * layer.weights.size / (macs * cycles),
            }
        )
    right = int((found.predictions == data.labels).sum())
    return {
        "name": settings.name,
        "images": images,
        "right": right,
        "accuracy": right / images,
        "float_accuracy": network.float_accuracy,
        "equal": True,
        "macs_per_cycle": macs,
        "cycles": sum(layer["cycles"] for layer in layers),
        "layers": layers,
    }


def _shape(summary: dict[str, Any]) -> str:
    shapes = [layer["shape"] for layer in summary["layers"]]
    return "-".join(str(units) for units in (shapes[0][0], *(shape[1] for shape in shapes)))


def _captions(summary: dict[str, Any], geometry) -> tuple[str, str]:
    read = f"{summary['right']} of {summary['images']} handwritten digits read right"
    return f"{read} ({summary['accuracy']:.1%})", (
        f"{_shape(summary)} int8 network on the simulated Verilog of an {geometry.m} × "
        f"{geometry.n} systolic array; every logit equals the golden model's"
    )
