"""The attention tagger, folded: what it takes of an ECP5-85F, and when its results are there.

``mha_8particles.keras`` lies beside the checkout (``shared/data/models``); hls4ml reads it in a
process of its own (keras, HGQ2 and jax are needed). The RTL, folded to one particle per cycle, is
driven natively with jets whose results are compared with the golden model's: eight particles of
three features, half of them in the range of most, half in all of the input's range. Its
pipelines are counted by Yosys, then placed and routed out of context by nextpnr.
"""

import common
import numpy as np

MODEL = common.ROOT.parent / "shared" / "data" / "models" / "mha_8particles.keras"
JETS = 10_000


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


def measured(fold: str, period: float, dsps: int, seed: int, clock: float) -> dict:
    from matweave.fpga.targets.out_of_context import implement
    from matweave.fpga.targets.resources import CARRY_LUTS, synthesise
    from matweave.hw.network import store
    from matweave.hw.network.design import design
    from matweave.importing import read_model
    from matweave.sim.toolchain import ToolFailed

    network = store.from_tables(read_model(MODEL, "tagger"))
    fold = fold if fold == "tokens" else int(fold)
    made = design(network, fold=fold, period=period, family="ecp5", dsps=dsps)
    performance = made.manifest["performance"]
    latency, interval = performance["latency"], performance["initiation_interval"]
    different, cycles = driven(made)
    counted = synthesise(made.core, f"{made.name}_core", "ecp5", dsp=dsps > 0)
    row = common.row(
        {"model": MODEL.name, "fold": fold, "period_ns": period, "dsps": dsps, "clock_mhz": clock,
         "seed": seed},
        latency=latency, interval=interval, different=different, cycles_of_all=cycles,
        expected_cycles=(JETS - 1) * interval + latency, luts=counted.luts,
        carries=counted.carries, lut4=counted.luts + CARRY_LUTS["ecp5"] * counted.carries,
        flops=counted.flops,
    )  # fmt: skip
    try:
        usage = implement(made.core, f"{made.name}_core", dsp=dsps > 0, seed=seed, clock=clock)
    except ToolFailed as error:
        return row | {"placed": 0, "why": str(error)}
    return row | {
        "placed": 1, "placed_lut4": usage.luts, "placed_dsps": usage.dsps,
        "fmax_mhz": round(usage.fmax, 1), "latency_ns": round(1000 * latency / usage.fmax),
    }  # fmt: skip


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--fold", default="tokens", help="cycles per jet (default: tokens, 8)")
    parser.add_argument("--period", type=float, default=16.0, help="ns a stage may take")
    parser.add_argument("--dsps", type=int, default=156, help="products that may be DSP blocks")
    parser.add_argument("--clock", type=float, default=45.0, help="MHz to place and route for")
    parser.add_argument("--seed", type=int, default=1, help="the placer's")
    arguments = parser.parse_args()
    row = measured(
        arguments.fold, arguments.period, arguments.dsps, arguments.seed, arguments.clock
    )
    bars = [
        common.Bar("results that differ", row["different"], "<=", 0),
        common.Bar("placed and routed on an LFE5U-85F", row["placed"], ">=", 1),
        common.Bar("cycles of all jets", row["cycles_of_all"], "<=", row["expected_cycles"]),
    ]
    return common.report("folded", [row], bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
