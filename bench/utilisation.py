"""Utilisation of every kind of array at equal numbers of multipliers, measured on the RTL.

Utilisation is useful multiply-accumulates over those that the array could do from the first
operand accepted to the last result given, streams never stalling. Each job's cycles must also be
what the cycle model says. The textbook systolic arrays (a register between any two PEs) are for
comparison: their skew is in no bar.
"""

import sys

import common
import numpy as np

ENGINES = (
    "gemm_os_8x8",
    "gemm_ws_8x8",
    "gemm_matrix_8x8",
    "gemm_cube_4x4x4",
    "gemm_tree_8x8",
)
TEXTBOOK = ("gemm_os_8x8_textbook", "gemm_ws_8x8_textbook")
SIDE = 8
BARS = {8 * SIDE: 0.95, 2 * SIDE: 0.80}
"""M = N = K, and the least utilisation there."""


def measure(preset: str, sizes) -> list[dict]:
    from matweave.hw import config as configuration
    from matweave.sim.cases import values
    from matweave.sim.native import Engine
    from matweave.sim.perf import predict

    config = configuration.load(preset)
    rng = np.random.default_rng(1)
    rows = []
    with Engine(config) as engine:
        for size in sizes:
            a = rng.integers(config.a.min, config.a.max, (size, size), endpoint=True)
            b = values(config.b, "random", (size, size), rng)
            result = engine.gemm(a, b)
            assert np.array_equal(result.c, a @ b)
            rows.append(
                common.row(
                    {
                        "engine": preset,
                        "array": config.array.kind,
                        "multipliers": config.geometry.macs,
                        "M = N = K": size,
                    },
                    cycles=result.cycles,
                    model=predict(config, size, size, size),
                    utilisation=result.utilisation,
                )
            )
    return rows


def main() -> int:
    parser = common.parser(__doc__)
    arguments = parser.parse_args()
    rows = []
    for preset in ENGINES + TEXTBOOK:
        print(f"utilisation: {preset} …", file=sys.stderr, flush=True)
        rows += measure(preset, sorted(BARS, reverse=True))
    bars = []
    for size, least in BARS.items():
        worst = min(
            row["utilisation"]
            for row in rows
            if row["config"]["M = N = K"] == size and row["config"]["engine"] in ENGINES
        )
        bars.append(common.Bar(f"least utilisation at M = N = K = {size}", worst, ">=", least))
    off = sum(row["cycles"] != row["model"] for row in rows)
    bars.append(common.Bar("jobs whose cycles the model misses", off, "<=", 0))
    return common.report("utilisation", rows, bars, as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
