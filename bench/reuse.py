"""Networks by hls4ml, unrolled and folded: what each takes of an ECP5, and its interval.

The same model unrolled (an adder graph per layer), by digits (``fold``: several cycles per sample,
a few bits of every input in each), and with its layers on arrays of multipliers with a reuse factor
(``reuse``; hls4ml's strategy Resource), the arrays made of several PEs. Yosys maps the pipeline
with DSP blocks allowed; the compiled RTL is driven with samples whose results are compared with the
golden model's. The models lie beside the checkout (``shared/data/models``).
"""

import common
import numpy as np

MODELS = common.ROOT.parent / "shared" / "data" / "models"
SAMPLES = 10_000

WAYS = (
    {},
    {"fold": 4}, {"fold": 16},
    {"reuse": 4}, {"reuse": 16}, {"reuse": 64}, {"reuse": 256},
    {"reuse": 64, "pe": "ent"}, {"reuse": 64, "pe": "opt1"}, {"reuse": 64, "pe": "lut"},
)  # fmt: skip


def measured(network, options: dict, name: str) -> dict:
    from matweave.fpga.targets.resources import CARRY_LUTS, synthesise
    from matweave.hw.network.design import design
    from matweave.sim.golden import network as golden
    from matweave.sim.network import NetworkSimulator

    made = design(network, family="ecp5", **options)
    to = network.input.result.plain()
    raw = np.random.default_rng(1).integers(to.min, to.max, (SAMPLES, network.input.size),
                                            endpoint=True)  # fmt: skip
    fraction = network[network.output].result.fraction
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        results, outcome = simulator.run_raw(raw)
        wrong = simulator.real(results) != golden.predict(network, raw) * 2.0**-fraction
    performance = made.manifest["performance"]
    found = synthesise(made.core, f"{made.name}_core", "ecp5", dsp=True)
    interval, latency = performance["initiation_interval"], performance["latency"]
    return common.row(
        {"model": name, **options},
        interval=interval, latency=latency, different=int(wrong.any(axis=1).sum()),
        cycles_of_all=outcome.last_out - outcome.first_in,
        expected_cycles=(SAMPLES - 1) * interval + latency,
        lut4=found.luts + CARRY_LUTS["ecp5"] * found.carries, ff=found.flops, dsps=found.dsps,
        memories=found.memories,
        estimated_lut4=made.manifest["estimate"]["luts"],
    )  # fmt: skip


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("models", nargs="*", default=["hgq2_openml_768.keras"],
                        help="files of the folder")  # fmt: skip
    arguments = parser.parse_args()
    from matweave.hw.network import store
    from matweave.importing import read_model

    rows = []
    for name in arguments.models:
        network = store.from_tables(read_model(MODELS / name, "net"))
        rows += [measured(network, options, name) for options in WAYS]
    bars = []
    for row in rows:
        label = ", ".join(f"{value}" for value in row["config"].values())
        bars += [
            common.Bar(f"{label}: results that differ", row["different"], "<=", 0),
            common.Bar(f"{label}: cycles", row["cycles_of_all"], "<=", row["expected_cycles"]),
        ]
    return common.report("reuse", rows, bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
