"""The zoo's taggers on the held-out jets: float, quantised, and the golden model of the hardware.

Float and quantised scores are those that training wrote; the golden model computes the network as
hls4ml reads it, in exact integers, and must give the quantised scores, all bits of them. ``--rtl``
runs them through the Verilog as well, ``--plots DIR`` draws ROC curves and confusion matrices of
each tagger as ``zoo_NAME.png``, float against hardware: the Verilog's scores with ``--rtl``, else
the golden model's.
``--jets FILE`` takes other jets (of ``matweave data jets``), of which only the golden model has
scores.
``--write`` makes the networks' files that ship (``NAME.network.json``) from the Keras models, which
needs Keras and HGQ2.
"""

from pathlib import Path

import common
import numpy as np

WRITTEN = ("jet_mlp", "jet_transformer")
"""Networks that ship as a file."""
FOLD = {"jet_transformer": "tokens"}
"""Those whose particles take turns in the hardware."""


def network(tagger):
    """The layers: of the file that ships, else read from the Keras model by hls4ml."""
    from matweave.hw.network import store

    return store.load(tagger.network) if tagger.network.exists() else imported(tagger)


def imported(tagger):
    from matweave.hw.network import store
    from matweave.importing import read_model

    return store.from_tables(read_model(tagger.keras, tagger.name, logits=True))


def golden_scores(layers, x) -> np.ndarray:
    from matweave.sim.golden import network as golden

    raw = golden.predict(layers, golden.quantised(x.reshape(len(x), -1), layers.input.result))
    return raw * 2.0 ** -layers[layers.output].result.fraction


def rtl_scores(layers, fold: str | None, x) -> tuple[np.ndarray, dict]:
    """Scores, and what the manifest says of the design."""
    from matweave.hw.network.design import design
    from matweave.sim import verilate
    from matweave.sim.network import NetworkSimulator

    verilate.LONG_NETWORK = 0  # few samples: it is the compiler that takes long
    made = design(layers, fold=fold)
    performance = made.manifest["performance"]
    about = {
        "cycles": performance["latency"], "interval": performance["initiation_interval"],
        "adders": made.manifest["estimate"]["adders"],
    }  # fmt: skip
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        return simulator.predict(x, layers.input.result), about


def measured(name: str, *, rtl: bool, plotted: Path | None) -> dict:
    from matweave.zoo import metrics, plots, taggers
    from matweave.zoo.jets import sample
    from matweave.zoo.jets.data import CLASSES

    tagger, jets = taggers.load(name), sample.load()
    with np.load(tagger.scores) as stored:
        scores = dict(stored)
    layers, x = network(tagger), tagger.inputs(jets)
    scores["golden"] = golden_scores(layers, x)
    different = {"golden": int((scores["golden"] != scores["quantised"]).sum())}
    hardware, design = "golden", {}
    if rtl:
        hardware = "rtl"
        scores["rtl"], design = rtl_scores(layers, FOLD.get(name), x)
        different["rtl"] = int((scores["rtl"] != scores["golden"]).sum())
    found = {kind: metrics.summary(each, jets.labels, CLASSES) for kind, each in scores.items()}
    if plotted:
        shown = {"float": scores["float"], "hardware": scores[hardware]}
        (plotted / f"zoo_{name}.png").write_bytes(plots.png(name, shown, jets.labels, CLASSES))
    return common.row(
        {"tagger": name, "jets": len(jets)},
        weights=sum(int(np.count_nonzero(getattr(each, "weight", 0))) for each in layers.layers),
        bit_operations=tagger.training["bit_operations"],
        different=different,
        **design,
        **{f"{kind}_accuracy": each["accuracy"] for kind, each in found.items()},
        **{f"{kind}_auc": " ".join(f"{area:.3f}" for area in found[kind]["auc"].values())
           for kind in ("float", "golden")},
    )  # fmt: skip


def of_other_jets(name: str, path: Path) -> dict:
    from matweave.zoo import metrics, taggers
    from matweave.zoo.jets import data

    tagger, jets = taggers.load(name), data.load(path)
    scores = golden_scores(network(tagger), tagger.inputs(jets))
    found = metrics.summary(scores, jets.labels, data.CLASSES)
    return common.row(
        {"tagger": name, "jets": len(jets), "seed": jets.recipe.get("seed")},
        golden_accuracy=found["accuracy"],
        golden_auc=" ".join(f"{area:.3f}" for area in found["auc"].values()),
    )


def write() -> None:
    from matweave.hw.network import store
    from matweave.zoo import taggers

    for name in WRITTEN:
        tagger = taggers.load(name)
        store.save(imported(tagger), tagger.network)


def bars(row: dict) -> list[common.Bar]:
    return [
        common.Bar(f"{row['config']['tagger']}: scores of {kind} that differ", count, "<=", 0)
        for kind, count in row["different"].items()
    ]


def main() -> int:
    from matweave.zoo import taggers

    parser = common.parser(__doc__)
    parser.add_argument("taggers", nargs="*", default=taggers.names())
    parser.add_argument("--rtl", action="store_true", help="through the Verilog as well")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw zoo_NAME.png there")
    parser.add_argument("--jets", type=Path, metavar="FILE", help="other jets than the held-out")
    parser.add_argument("--write", action="store_true", help="make the files that ship, and end")
    arguments = parser.parse_args()
    if arguments.write:
        write()
        return 0
    if arguments.jets:
        rows = [of_other_jets(name, arguments.jets) for name in arguments.taggers]
        return common.report("zoo", rows, [], as_json=arguments.json)
    rows = [
        measured(name, rtl=arguments.rtl, plotted=arguments.plots) for name in arguments.taggers
    ]
    return common.report("zoo", rows, [bar for row in rows for bar in bars(row)],
                         as_json=arguments.json)  # fmt: skip


if __name__ == "__main__":
    common.run(main)
