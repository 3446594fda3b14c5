"""Every layer of every model, bit for bit: the model itself, hls4ml's emulation, golden, RTL.

The models lie beside the checkout (``shared/data/models``), and so do the jets that go through
them: 16 features of each, standardised, and 2,000 vectors from nothing to far beyond the range.
Four readings of each layer are compared in pairs, and what is counted is values that differ:

- ``model``: the Keras model of HGQ2 on jax, where the file is one: its quantisers, and results;
- ``hls4ml``: hls4ml's C++ emulation (its Vitis backend, ``trace``);
- ``golden``: :mod:`matweave.sim.golden.network`;
- ``rtl``: the Verilog, compiled; of layers before the last, from a network of which every layer is
  an output, as most have no place of their own in the one that is built.

Bars: none differs anywhere, and a model becomes Verilog within a minute of processor
time.
``--markdown FILE`` puts the tables into a page, with those of earlier runs (``--earlier``, what
``--json`` printed).
"""

import contextlib
import dataclasses
import json
import os
import sys
import tempfile
from pathlib import Path

import common
import numpy as np

SHARED = common.ROOT.parent / "shared" / "data"
MODELS = SHARED / "models"
JETS = SHARED / "jets" / "pythia_jets_10k.npz"
SECONDS = 60
"""Of processor time, from a model to Verilog."""


def eight_bits() -> dict:
    """Post-training quantisation of KERAS_3layer: weights and activations of 8 bits."""
    dense = {"weight": "fixed<8,3,RND,SAT>", "bias": "fixed<8,3,RND,SAT>", "accum": "fixed<32,16>",
             "result": "fixed<16,8,RND,SAT>"}  # fmt: skip
    hidden = [f"fc{index}_relu" for index in (1, 2, 3)]
    return {
        **{name: {"Precision": dense} for name in (*hidden, "output_softmax")},
        **{f"{name}_relu": {"Precision": {"result": "ufixed<8,4,RND,SAT>"}} for name in hidden},
        "input_1": {"Precision": {"result": "fixed<8,4,RND,SAT>"}},
    }


KERAS = {"weights": str(MODELS / "KERAS_3layer_weights.h5"), "logits": True}
CASES = {
    "KERAS_3layer, 16 bits": ("KERAS_3layer.json", KERAS),
    "KERAS_3layer, 8 bits": ("KERAS_3layer.json", {**KERAS, "layers": eight_bits()}),
    "hgq_jet_classifier": ("hgq_jet_classifier.h5", {}),
    "hgq2_openml_750": ("hgq2_openml_750.keras", {}),
    "hgq2_openml_768": ("hgq2_openml_768.keras", {}),
    "three_layer_keras.onnx": ("three_layer_keras.onnx", {"logits": True}),
}
"""File and how hls4ml reads it (:func:`matweave.model_file.load_graph`)."""

PAIRS = (("hls4ml", "golden"), ("golden", "rtl"), ("hls4ml", "rtl"), ("model", "hls4ml"))


def features(jets: Path = JETS) -> np.ndarray:
    """16 numbers of each jet, standardised: logarithms of transverse momenta, and directions."""
    constituents = np.load(jets)["X"]
    momenta, *directions = np.moveaxis(constituents, 2, 0)
    columns = [np.log1p(momenta[:, :6]), *(each[:, :5] for each in directions)]
    x = np.concatenate(columns, axis=1).astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def inputs(to) -> np.ndarray:
    """Jets, and vectors of all magnitudes, with the ends of the range of format ``to``."""
    rng = np.random.default_rng(1)
    jets = features()
    scales = 2.0 ** rng.integers(-to.fraction - 1, to.integer + 3, (2000, 1))
    extremes = rng.normal(0, 1, (2000, jets.shape[1])) * scales
    ends = np.array([to.min, to.min + 1, -1, 0, 1, to.max - 1, to.max]) * 2.0**-to.fraction
    extremes[:500] = rng.choice(ends, (500, jets.shape[1]))
    return np.concatenate([jets, extremes]).astype(np.float32)


def emulated(path: Path, options: dict, x: np.ndarray, folder: str) -> dict[str, np.ndarray]:
    """hls4ml's own values of every layer."""
    from matweave.model_file import load_graph

    graph = load_graph(path, **options, backend="Vitis", folder=folder)
    for node in graph.get_layers():
        node.set_attr("trace", True)
    _, values = graph.trace(x)
    return {name: found.reshape(len(x), -1) for name, found in values.items()}


def simulated(made, x: np.ndarray) -> dict[str, np.ndarray]:
    """The RTL's results; and of the layers before, those of the same network with the values of
    every layer as outputs."""
    from matweave.hw.network import timing
    from matweave.hw.network.design import Design
    from matweave.hw.network.fold.plan import INPUT, Feed, Folded, Section
    from matweave.hw.network.fold.times import schedule
    from matweave.hw.network.graph import Graph
    from matweave.hw.network.lower import lower
    from matweave.sim import verilate
    from matweave.sim.network import NetworkSimulator

    verilate.LONG_NETWORK = 0  # few samples: it is the compiler that takes long
    network, graph, exponents, columns = made.network, Graph(), [], {}
    for index, layer in enumerate(network.layers[1:-1], 2):
        until = dataclasses.replace(network, layers=network.layers[:index], output=layer.name)
        lowered = lower(until)
        columns[layer.name] = len(exponents), len(exponents) + layer.size
        graph.outputs += graph.include(lowered.graph)
        exponents += lowered.exponents
    feeds = tuple(Feed(INPUT, place) for place in range(network.input.size))
    section = Section(graph, feeds, None, tuple(columns), made.stages.count)
    folded = Folded(
        1, (section,), None, tuple(Feed(0, place) for place in range(len(exponents))),
        tuple(exponents), tuple((graph[i].low, graph[i].high) for i in graph.outputs),
    )  # fmt: skip
    stages = schedule(folded, timing.family(made.family), stages=made.stages.count)
    every = Design(network, folded, stages, made.family)
    to = network.input.result
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        found = {network.output: simulator.predict(x, to)}
    with NetworkSimulator(every.verilog, every.manifest) as simulator:
        y = simulator.predict(x, to)
    return found | {name: y[:, first:last] for name, (first, last) in columns.items()}


def of_model(path: Path, network, x: np.ndarray) -> dict[str, np.ndarray]:
    """The Keras model's own values of its quantisers (``NAME_iq``, of inputs) and results, by the
    name of the layer that hls4ml makes of each; none, if the file is no Keras 3 model. Values in
    between are no use: hls4ml keeps of them only what the next quantiser reads."""
    if path.suffix != ".keras":
        return {}
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import hgq  # registers its layers  # noqa: F401
    import keras

    model = keras.models.load_model(path, compile=False)
    known = {each.name for each in network.layers}
    made = {
        f"{layer.name}_iq": layer.iq(layer.input)
        for layer in model.layers
        if f"{layer.name}_iq" in known
    }
    made[network.output] = model.outputs[0]
    values = keras.Model(model.inputs, list(made.values())).predict(x, batch_size=2048, verbose=0)
    values = values if isinstance(values, list) else [values]
    return {name: each.reshape(len(x), -1) for name, each in zip(made, values, strict=True)}


def processor() -> float:
    """Seconds of processor time, of this process and of those it has run."""
    return sum(os.times()[:4])


def measured(case: str) -> list[dict]:
    """A row for every layer."""
    from matweave.hw.network.design import design
    from matweave.hw.network.reading import read
    from matweave.model_file import load_graph
    from matweave.sim.golden import network as golden

    print(f"{case} …", file=sys.stderr, flush=True)
    name, options = CASES[case]
    started = processor()
    network = read(load_graph(MODELS / name, **options))
    made = design(network)
    size = len(made.verilog)
    seconds = round(processor() - started, 1)
    x = inputs(network.input.result)
    raw = golden.trace(network, golden.quantised(x, network.input.result))
    with tempfile.TemporaryDirectory() as folder:
        theirs = emulated(MODELS / name, options, x, folder)
    model = of_model(MODELS / name, network, x)
    rtl = simulated(made, x)
    rows = []
    for layer in network.layers[1:]:
        values = {
            "model": model.get(layer.name),
            "hls4ml": theirs.get(layer.name),  # a Reshape is no code of theirs
            "golden": raw[layer.name] * 2.0**-layer.result.fraction,
            "rtl": rtl[layer.name],
        }
        different = {
            f"{one}_{other}": None if values[one] is None or values[other] is None
            else int((values[one] != values[other]).sum())
            for one, other in PAIRS
        }  # fmt: skip
        rows.append(
            common.row(
                {"model": case, "layer": layer.name}, kind=type(layer).__name__,
                format=str(layer.result), values=values["golden"].size,
                distinct=len(np.unique(values["golden"])), **different,
            )
        )  # fmt: skip
    rows[-1] |= {
        "samples": len(x), "verilog_seconds": seconds, "verilog_bytes": size,
        "cycles": made.stages.count, "adders": made.manifest["estimate"]["adders"],
    }  # fmt: skip
    return rows


def bars(rows: list[dict]) -> list[common.Bar]:
    found = []
    for case in dict.fromkeys(row["config"]["model"] for row in rows):
        own = [row for row in rows if row["config"]["model"] == case]
        for one, other in PAIRS:
            counts = [each for row in own if (each := row[f"{one}_{other}"]) is not None]
            if counts:
                found.append(common.Bar(f"{case}: {one} and {other} differ", sum(counts), "<=", 0))
        compared = sum(row["hls4ml_rtl"] is not None for row in own)
        reshapes = sum(row["kind"] == "Reshape" for row in own)
        found += [
            common.Bar(f"{case}: layers compared", compared, ">=", len(own) - reshapes),
            common.Bar(f"{case}: samples", own[-1]["samples"], ">=", 10_000),
            common.Bar(f"{case}: s to Verilog", own[-1]["verilog_seconds"], "<=", SECONDS),
        ]
    return found


def markdown(rows: list[dict], runs: list[str]) -> list[str]:
    """``runs``: commands and their commits."""
    lines = [f"Values that differ, of so many; measured by {', '.join(runs)}."]
    for case in dict.fromkeys(row["config"]["model"] for row in rows):
        own = [row for row in rows if row["config"]["model"] == case]
        last = own[-1]
        lines += [
            "",
            f"**{case}**: {last['samples']:,} inputs; {last['adders']:,} adders in "
            f"{last['cycles']} stages, {last['verilog_bytes']:,} bytes of Verilog.",
            "",
            "| layer | kind | format | values | distinct | hls4ml ≠ golden | golden ≠ RTL "
            "| hls4ml ≠ RTL | model ≠ hls4ml |",
            "|---|---|---|--:|--:|--:|--:|--:|--:|",
        ]
        for row in own:
            counts = [row[f"{one}_{other}"] for one, other in PAIRS]
            cells = [f"`{row['config']['layer']}`", row["kind"], f"`{row['format']}`"]
            cells += [f"{row['values']:,}", f"{row['distinct']:,}"]
            cells += ["–" if each is None else f"{each:,}" for each in counts]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("models", nargs="*", default=[], help=", ".join(CASES))
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="page to put the tables into")
    parser.add_argument("--earlier", metavar="RUN.json", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    if unknown := [each for each in arguments.models if each not in CASES]:
        parser.error(f"{unknown[0]}: is none of {', '.join(CASES)}")
    runs = [json.loads(path.read_text()) for path in arguments.earlier]
    told = [f"`{run['command']}` at commit {run['commit']}" for run in runs]
    rows = [row for run in runs for row in run["rows"]]
    cases = arguments.models or ([] if runs else list(CASES))
    with contextlib.redirect_stdout(sys.stderr):  # hls4ml prints
        rows += [row for case in cases for row in measured(case)]
    if cases:
        told.append(f"`{common.command('exactness')}` at commit {common.commit()}")
    if arguments.markdown:
        marks = "<!-- exactness: made by the commands below -->", "<!-- end of exactness -->"
        common.insert(arguments.markdown, "Models", marks, markdown(rows, told))
    return common.report("exactness", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
