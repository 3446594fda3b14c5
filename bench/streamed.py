"""Streamed networks: what they take of an FPGA pixel by pixel, and unrolled.

The networks are those of ``sim/stimuli/hls4ml_images.py``, read by hls4ml, with random weights of
5 bits. Each is made with one pixel per cycle and, with ``--unrolled``, one image per cycle; the
pipelines are mapped by Yosys (no DSP blocks, ABC9). The streamed RTL is driven natively with images
one behind another, without pauses and with, and compared with the golden model.
"""

import tempfile

import common

FAMILIES = ("xcup", "ecp5")
IMAGES = 2000


def driven(made, side) -> dict:
    """How many results differ, and cycles from the first pixel in to the last result."""
    from matweave.sim.driver import Pause
    from matweave.sim.golden import network as golden
    from matweave.sim.network import NetworkSimulator

    network = made.network
    x = golden.quantised(side.inputs(IMAGES).reshape(IMAGES, -1), network.input.result)
    expected = golden.predict(network, x) * 2.0 ** -network[network.output].result.fraction
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        results, outcome = simulator.run_raw(x)
        paused, _ = simulator.run_raw(x[:200], pauses={"x": Pause(0.1, 9), "y": Pause(0.1, 9)})
        different = (simulator.real(results) != expected).any(axis=1).sum()
        different += (simulator.real(paused) != expected[:200]).any(axis=1).sum()
    return {"different": int(different), "cycles_of_all": outcome.last_out - outcome.first_in}


def taken(made) -> dict:
    from matweave.fpga.targets.resources import CARRY_LUTS, synthesise

    figures = {}
    for family in FAMILIES:
        found = synthesise(made.core, f"{made.name}_core", family)
        luts = found.luts + CARRY_LUTS[family] * found.carries
        figures |= {f"{family}_luts": luts, f"{family}_ff": found.flops,
                    f"{family}_memories": found.memories}  # fmt: skip
    return figures


def measured(name: str, streamed: bool) -> dict:
    from matweave.hw.network.design import design
    from matweave.hw.network.reading import read
    from matweave.sim.stimuli.hls4ml_images import IMAGES as MODELS
    from matweave.sim.stimuli.hls4ml_layers import converted

    side = MODELS[name]()
    with tempfile.TemporaryDirectory() as folder:
        network = read(converted(side.layers, side.config, "Matweave", folder, "io_stream"))
    made = design(network, fold="stream" if streamed else None)
    performance = made.manifest["performance"]
    return common.row(
        {"model": name, "streamed": int(streamed)},
        latency=performance["latency"], interval=performance["initiation_interval"],
        unbroken=made.folded.unbroken, adders=made.manifest["estimate"]["adders"],
        **taken(made), **(driven(made, side) if streamed else {}),
    )  # fmt: skip


def bars(row: dict) -> list[common.Bar]:
    name = row["config"]["model"]
    most = (IMAGES - 1) * row["interval"] + row["latency"] + row["unbroken"]
    return [
        common.Bar(f"{name}: results that differ", row["different"], "<=", 0),
        common.Bar(f"{name}: cycles of all images", row["cycles_of_all"], "<=", most),
    ]


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("models", nargs="*", default=["digits"], help="names of networks")
    parser.add_argument("--unrolled", action="store_true", help="with one image per cycle as well")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.models:
        rows.append(measured(name, True))
        if arguments.unrolled:
            rows.append(measured(name, False))
    judged = [bar for row in rows if row["config"]["streamed"] for bar in bars(row)]
    return common.report("streamed", rows, judged, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
