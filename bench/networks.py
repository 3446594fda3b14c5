"""Networks by hls4ml: what their pipelines take of an FPGA, their latency, and how fast they run.

The models lie beside the checkout (``shared/data/models``); each is read by hls4ml in a process of
its own, made into Verilog, mapped by Yosys for UltraScale+ and ECP5 (no DSP blocks, ABC9, the
pipeline without its streams, and with them), and driven natively with samples whose results are
compared with the golden model's. Bars are what da4ml 0.6.0 takes for the same models by the same
scripts at the same latency; ECP5's are LUT4 with two for each CCU2C, which is what the device has.
``--emulate`` compares with hls4ml's own C++ emulation as well; ``--da4ml`` makes da4ml's Verilog of
the same layers and maps it in this run, and its figures are the bars. ``--seeds N`` places and
routes the pipeline, registers at its inputs, N times on an LFE5U-85F (nextpnr, out of context):
Fmax is their median. ``--family``: whose delays place the registers.
"""

import time
from pathlib import Path

import common
import numpy as np

MODELS = common.ROOT.parent / "shared" / "data" / "models"
FAMILIES = ("xcup", "ecp5")
STAGES = 4
SAMPLES = 200_000

DA4ML = {
    "hgq_jet_classifier.h5": {"xcup": 1676, "ecp5": 1414 + 2 * 577},
    "hgq2_openml_768.keras": {"xcup": 6582, "ecp5": 5548 + 2 * 2514},
}
"""LUTs at 4 cycles; of ECP5 LUT4, those of carries included."""


def taken(made) -> dict:
    """What the pipeline takes, alone and with its streams, by family."""
    from matweave.fpga.targets.resources import synthesise

    figures = {}
    for family in FAMILIES:
        core = synthesise(made.core, f"{made.name}_core", family)
        shell = synthesise(made.verilog, made.name, family)
        figures[family] = {"core": core.as_dict(), "shell": shell.as_dict()}
    return figures


def timed(made, seeds: int) -> dict:
    """Fmax on ECP5 of ``seeds`` placements, and what the median makes of the latency."""
    from matweave.fpga.targets import pipelines

    placed = pipelines.place(made, seeds)
    return {
        "ecp5_mhz": [round(mhz, 1) for mhz in placed.reached],
        "ecp5_mhz_median": round(placed.fmax, 1),
        "ecp5_latency_ns": round(placed.latency_ns, 1),
    }


def driven(made) -> dict:
    """Samples per second through the compiled Verilog, and how many results differ."""
    from matweave.sim.golden import network as golden
    from matweave.sim.network import NetworkSimulator

    to = made.network.input.result
    rng = np.random.default_rng(1)
    scales = 2.0 ** rng.integers(-2, to.integer, (SAMPLES, 1))
    x = rng.normal(0, 1, (SAMPLES, made.network.input.size)) * scales
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        simulator.predict(x[:1000], to)
        started = time.perf_counter()
        y = simulator.predict(x, to)
        seconds = time.perf_counter() - started
    fraction = made.network[made.network.output].result.fraction
    expected = golden.predict(made.network, golden.quantised(x, to)) * 2.0**-fraction
    return {"samples_per_second": round(SAMPLES / seconds), "different": int((y != expected).sum())}


def emulated(path: Path, made, count: int = 10_000) -> int:
    """How many of hls4ml's emulated results differ from the RTL's."""
    import tempfile

    from matweave.model_file import load_graph
    from matweave.sim.network import NetworkSimulator

    x = np.random.default_rng(2).normal(0, 4, (count, made.network.input.size)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        theirs = load_graph(path, backend="Vitis", folder=folder)
        theirs.compile()
        expected = theirs.predict(x)
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        return int((simulator.predict(x, made.network.input.result) != expected).sum())


def peer(network) -> dict:
    """What da4ml's pipeline takes."""
    import peers

    from matweave.fpga.targets.resources import synthesise

    verilog = peers.da4ml_verilog(network)
    return {family: synthesise(verilog, "da", family).as_dict() for family in FAMILIES}


def measured(name: str, *, emulate: bool, da4ml: bool, seeds: int, family: str) -> dict:
    from matweave.hw.network import store
    from matweave.hw.network.design import design
    from matweave.importing import read_model

    started = time.perf_counter()
    network = store.from_tables(read_model(MODELS / name, "net"))
    read = time.perf_counter()
    made = design(network, stages=STAGES, family=family)
    figures = taken(made)
    xcup, ecp5 = figures["xcup"]["core"], figures["ecp5"]["core"]
    return common.row(
        {"model": name, "stages": STAGES, "family": family},
        read_seconds=round(read - started, 1),
        cycles=made.stages.count,
        interval=1,
        adders=made.manifest["estimate"]["adders"],
        xcup_luts=xcup["luts"], xcup_inverters=xcup["inverters"], xcup_ff=xcup["flops"],
        ecp5_lut4=ecp5["luts"], ecp5_ccu2c=ecp5["carries"], ecp5_ff=ecp5["flops"],
        with_streams={family: each["shell"] for family, each in figures.items()},
        **driven(made),
        **(timed(made, seeds) if seeds else {}),
        **({"emulation_different": emulated(MODELS / name, made)} if emulate else {}),
        **({"da4ml": peer(network)} if da4ml else {}),
    )  # fmt: skip


def bars(row: dict) -> list[common.Bar]:
    name = row["config"]["model"]
    found = [
        common.Bar(f"{name}: results that differ", row["different"], "<=", 0),
        common.Bar(f"{name}: samples per second", row["samples_per_second"], ">=", 100_000),
    ]
    if "emulation_different" in row:
        found.append(common.Bar(f"{name}: differ from hls4ml", row["emulation_different"], "<=", 0))
    bound = DA4ML.get(name)
    if "da4ml" in row:
        xcup, ecp5 = row["da4ml"]["xcup"], row["da4ml"]["ecp5"]
        bound = {"xcup": xcup["luts"], "ecp5": ecp5["luts"] + 2 * ecp5["carries"]}
    if bound:
        ecp5 = row["ecp5_lut4"] + 2 * row["ecp5_ccu2c"]
        found += [
            common.Bar(f"{name}: xcup LUTs", row["xcup_luts"], "<=", bound["xcup"]),
            common.Bar(f"{name}: ECP5 LUT4 with carries", ecp5, "<=", bound["ecp5"]),
            common.Bar(f"{name}: cycles", row["cycles"], "<=", STAGES),
        ]
    return found


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("models", nargs="*", default=list(DA4ML), help="files of the folder")
    parser.add_argument("--emulate", action="store_true", help="compare with hls4ml's emulation")
    parser.add_argument("--da4ml", action="store_true", help="measure da4ml as well")
    parser.add_argument("--seeds", type=int, default=0, help="placements on ECP5, for its Fmax")
    parser.add_argument("--family", default="xcup", help="whose delays: xcup, ecp5 or ice40")
    arguments = parser.parse_args()
    options = {name: getattr(arguments, name) for name in ("emulate", "da4ml", "seeds", "family")}
    rows = [measured(name, **options) for name in arguments.models]
    judged = [bar for row in rows for bar in bars(row)]
    return common.report("networks", rows, judged, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
