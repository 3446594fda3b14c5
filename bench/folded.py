"""The attention tagger, folded: what it takes of an ECP5-85F, and when its results are there.

``mha_8particles.keras`` lies beside the checkout (``shared/data/models``); hls4ml reads it in a
process of its own (keras, HGQ2 and jax are needed). The RTL, folded to one particle per cycle, is
driven natively with jets whose results are compared with the golden model's: eight particles of
three features, half of them in the range of most, half in all of the input's range. Its
pipelines are then placed and routed out of context by nextpnr.
"""

import common
import numpy as np

MODEL = common.ROOT.parent / "shared" / "data" / "models" / "mha_8particles.keras"
JETS = 10_000
LUTS, DSPS = 83_640, 156
"""LUT4 and multipliers of an LFE5U-85F."""


def driven(made) -> tuple[int, int]:
    """How many results differ, and cycles from the first jet in to the last result."""
    from matweave.sim.golden import network as golden
    from matweave.sim.network import NetworkSimulator

    to, rng = made.network.input.result, np.random.default_rng(1)
    shape = JETS // 2, made.network.input.size
    x = np.concatenate([rng.normal(0, 1.5, shape), rng.uniform(-32, 32, shape)])
    raw = golden.quantised(x, to)
    with NetworkSimulator(made.verilog, made.manifest) as simulator:
        results, outcome = simulator.run_raw(raw)
        y = simulator.real(results)
    fraction = made.network[made.network.output].result.fraction
    different = (y != golden.predict(made.network, raw) * 2.0**-fraction).any(axis=1)
    return int(different.sum()), outcome.last_out - outcome.first_in


def measured(fold: str, period: float, dsps: int, seed: int) -> dict:
    from matweave.fpga.targets.out_of_context import implement
    from matweave.hw.network import store
    from matweave.hw.network.design import design
    from matweave.importing import read_model

    network = store.from_tables(read_model(MODEL, "tagger"))
    fold = fold if fold == "tokens" else int(fold)
    made = design(network, fold=fold, period=period, family="ecp5", dsps=dsps)
    usage = implement(made.core, f"{made.name}_core", dsp=dsps > 0, seed=seed)
    different, cycles = driven(made)
    performance = made.manifest["performance"]
    return common.row(
        {"model": MODEL.name, "fold": fold, "period_ns": period, "dsps": dsps, "seed": seed},
        latency=performance["latency"],
        interval=performance["initiation_interval"],
        luts=usage.luts, carries=usage.carries, flops=usage.flops, dsps=usage.dsps,
        memories=usage.memories, fmax_mhz=round(usage.fmax, 1),
        latency_ns=round(1000 * performance["latency"] / usage.fmax),
        different=different, cycles_of_all=cycles,
        expected_cycles=(JETS - 1) * performance["initiation_interval"] + performance["latency"],
    )  # fmt: skip


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--fold", default="tokens", help="cycles per jet (default: tokens, 8)")
    parser.add_argument("--period", type=float, default=14.0, help="ns a stage may take")
    parser.add_argument("--dsps", type=int, default=0, help="products that may be DSP blocks")
    parser.add_argument("--seed", type=int, default=1, help="the placer's")
    arguments = parser.parse_args()
    row = measured(arguments.fold, arguments.period, arguments.dsps, arguments.seed)
    bars = [
        common.Bar("results that differ", row["different"], "<=", 0),
        common.Bar("LUT4", row["luts"], "<=", LUTS),
        common.Bar("DSP blocks", row["dsps"], "<=", DSPS),
        common.Bar("cycles of all jets", row["cycles_of_all"], "<=", row["expected_cycles"]),
    ]
    return common.report("folded", [row], bars, as_json=arguments.json)


if __name__ == "__main__":
    raise SystemExit(main())
