"""Every layer of every model, bit for bit: the model itself, hls4ml's emulation, golden, RTL.

The models lie beside the checkout (``shared/data/models``), and so do the jets that go through
them: 16 features of each, or the leading particles, standardised, and 2,000 samples from nothing to
far beyond the range. Four readings of each layer (:mod:`readings`) are compared in pairs, and what
is counted is values that differ:

- ``model``: the Keras model of HGQ2 on jax, where the file is one: its quantisers, and results;
- ``hls4ml``: hls4ml's C++ emulation (its Vitis backend, ``trace``);
- ``golden``: :mod:`matweave.sim.golden.network`;
- ``rtl``: the Verilog, compiled; of layers before the last, from a network of which every layer is
  an output, as most have no place of their own in the one that is built.

Bars: none differs anywhere, and a model becomes Verilog within a minute of processor time. hls4ml
does not carry HGQ2's softmax right, and is compared up to there; what comes behind it is in the
tables, and compared in a case of its own, in which the softmax is hls4ml's.
``--markdown FILE`` puts the tables into a page, with those of earlier runs (``--earlier``, what
``--json`` printed).
"""

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import common
import numpy as np
import readings

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


@dataclass(frozen=True)
class Case:
    """``file`` and how hls4ml reads it (:func:`matweave.model_file.load_graph`); ``fold``: of the
    hardware; ``softmax``: the backend's option."""

    file: str
    options: dict = field(default_factory=dict)
    fold: str | None = None
    softmax: str = "model"

    @property
    def path(self) -> Path:
        return MODELS / self.file

    def network(self):
        from matweave.hw.network.reading import read

        graph = readings.graph(self.path, self.options)
        graph.config.config["Softmax"] = self.softmax
        return read(graph)


KERAS = {"weights": str(MODELS / "KERAS_3layer_weights.h5"), "logits": True}
CASES = {
    "KERAS_3layer, 16 bits": Case("KERAS_3layer.json", KERAS),
    "KERAS_3layer, 8 bits": Case("KERAS_3layer.json", {**KERAS, "layers": eight_bits()}),
    "hgq_jet_classifier": Case("hgq_jet_classifier.h5"),
    "hgq2_openml_750": Case("hgq2_openml_750.keras"),
    "hgq2_openml_768": Case("hgq2_openml_768.keras"),
    "three_layer_keras.onnx": Case("three_layer_keras.onnx", {"logits": True}),
    "mha_8particles": Case("mha_8particles.keras", fold="tokens"),
    "mha_8particles, hls4ml's softmax": Case(
        "mha_8particles.keras", fold="tokens", softmax="hls4ml"
    ),
}

PAIRS = (
    ("hls4ml", "golden"), ("golden", "rtl"), ("hls4ml", "rtl"), ("model", "hls4ml"),
    ("model", "golden"),
)  # fmt: skip


def features(jets: Path = JETS) -> np.ndarray:
    """16 numbers of each jet: logarithms of transverse momenta, and directions."""
    momenta, *directions = np.moveaxis(np.load(jets)["X"], 2, 0)
    columns = [np.log1p(momenta[:, :6]), *(each[:, :5] for each in directions)]
    return np.concatenate(columns, axis=1).astype(np.float64)


def particles(count: int, jets: Path = JETS) -> np.ndarray:
    """So many particles of each jet: logarithm of transverse momentum, and direction."""
    x = np.load(jets)["X"][:, :count].astype(np.float64)
    x[..., 0] = np.log1p(x[..., 0])
    return x


def inputs(shape: tuple[int, ...], to) -> np.ndarray:
    """Jets of that shape, standardised, and vectors of all magnitudes, with the ends of the range
    of format ``to``."""
    rng = np.random.default_rng(1)
    jets = features() if len(shape) == 1 else particles(shape[0])
    jets = (jets - jets.mean(axis=0)) / jets.std(axis=0)
    one = (1,) * len(shape)
    scales = 2.0 ** rng.integers(-to.fraction - 1, to.integer + 3, (2000, *one))
    extremes = rng.normal(0, 1, (2000, *shape)) * scales
    ends = np.array([to.min, to.min + 1, -1, 0, 1, to.max - 1, to.max]) * 2.0**-to.fraction
    extremes[:500] = rng.choice(ends, (500, *shape))
    return np.concatenate([jets, extremes]).astype(np.float32)


def processor() -> float:
    """Seconds of processor time, of this process and of those it has run."""
    return sum(os.times()[:4])


def measured(name: str) -> list[dict]:
    """A row for every layer."""
    from matweave.hw.network.design import design

    print(f"{name} …", file=sys.stderr, flush=True)
    case, started = CASES[name], processor()
    network = case.network()
    made = design(network, fold=case.fold)
    size = len(made.verilog)
    seconds = round(processor() - started, 1)
    x = inputs(network.input.shape, network.input.result)
    with tempfile.TemporaryDirectory() as folder:
        theirs = readings.emulated(case.path, case.options, x, folder)
    found = {
        "model": readings.of_model(case.path, network, x) if case.softmax == "model" else {},
        "hls4ml": theirs,
        "golden": readings.golden(network, x),
        "rtl": readings.simulated(made, case.fold, x),
    }
    unlike = behind_softmax(network) if case.softmax == "model" else set()
    rows = []
    for layer in network.layers[1:]:
        values = {kind: each.get(layer.name) for kind, each in found.items()}
        different = {
            f"{one}_{other}": None if values[one] is None or values[other] is None
            else int((values[one] != values[other]).sum())
            for one, other in PAIRS
        }  # fmt: skip
        rows.append(
            common.row(
                {"model": name, "layer": layer.name}, kind=type(layer).__name__,
                format=str(layer.result), values=values["golden"].size,
                distinct=len(np.unique(values["golden"])), unlike=layer.name in unlike, **different,
            )
        )  # fmt: skip
    performance = made.manifest["performance"]
    rows[-1] |= {
        "samples": len(x), "verilog_seconds": seconds, "verilog_bytes": size,
        "cycles": performance["latency"], "interval": performance["initiation_interval"],
        "adders": made.manifest["estimate"]["adders"], "traced": len(theirs),
    }  # fmt: skip
    return rows


def behind_softmax(network) -> set[str]:
    """HGQ2's softmax, and what depends on it: hls4ml's emulation computes something else."""
    from matweave.hw.network.layers import Softmax

    found: set[str] = set()
    for layer in network.layers:
        if isinstance(layer, Softmax) or found & set(layer.sources):
            found.add(layer.name)
    return found


def bars(rows: list[dict]) -> list[common.Bar]:
    found = []
    for case in dict.fromkeys(row["config"]["model"] for row in rows):
        own = [row for row in rows if row["config"]["model"] == case]
        last = own[-1]
        for one, other in PAIRS:
            counts = [
                each for row in own if (each := row[f"{one}_{other}"]) is not None
                and not ("hls4ml" in (one, other) and row["unlike"])
            ]  # fmt: skip
            if counts:
                found.append(common.Bar(f"{case}: {one} and {other} differ", sum(counts), "<=", 0))
        compared = sum(row["hls4ml_rtl"] is not None for row in own)
        found += [
            common.Bar(f"{case}: hls4ml's layers compared", compared, ">=", last["traced"]),
            common.Bar(f"{case}: samples", last["samples"], ">=", 10_000),
            common.Bar(f"{case}: s to Verilog", last["verilog_seconds"], "<=", SECONDS),
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
            f"**{case}**: {last['samples']:,} inputs, one every {last['interval']} cycles, results "
            f"after {last['cycles']}; {last['adders']:,} adders, {last['verilog_bytes']:,} bytes "
            "of Verilog.",
            "",
            "| layer | kind | format | values | distinct | hls4ml ≠ golden | golden ≠ RTL "
            "| hls4ml ≠ RTL | model ≠ hls4ml | model ≠ golden |",
            "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
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
    common.run(main)
