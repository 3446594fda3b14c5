"""Utilisation of every kind of array at equal numbers of multipliers, measured on the RTL.

Utilisation is useful multiply-accumulates over those that the array could do from the first
operand accepted to the last result given, streams never stalling. Each job's cycles must also be
what the cycle model says. The textbook systolic arrays (a register between any two PEs) are for
comparison: their skew is in no bar. Lookup engines take eight tiles in each direction, and a single
row of activations (GEMV), of which an array of more rows has only one to do.
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
LOOKUP = {
    "lut_m2n64k4": ("limits.n=512",),
    "lut_m2n64k4, serial": ("limits.n=512", "array.planes='serial'"),
    "lut_m2n64k4, one row": ("limits.n=512", "array.rows=1"),
}
"""Lookup engines with their settings."""
TILES, GEMV_K = 8, 1024


def measure(name: str, sizes, settings=()) -> list[dict]:
    """Rows of the preset that ``name`` begins with; ``sizes``: (M, N, K) of each job."""
    from matweave.hw import config as configuration
    from matweave.sim.cases import values
    from matweave.sim.native import Engine
    from matweave.sim.perf import predict

    config = configuration.load(name.partition(",")[0], settings)
    rng = np.random.default_rng(1)
    rows = []
    with Engine(config) as engine:
        for m, n, k in sizes:
            a = rng.integers(config.a.min, config.a.max, (m, k), endpoint=True)
            b = values(config.b, "random", (k, n), rng)
            result = engine.gemm(a, b)
            assert np.array_equal(result.c, a @ b)
            rows.append(
                common.row(
                    {
                        "engine": name,
                        "array": config.array.kind if config.kind == "gemm" else config.kind,
                        "macs per cycle": config.macs_per_cycle,
                        "M": m, "N": n, "K": k,
                    },
                    cycles=result.cycles,
                    model=predict(config, m, n, k),
                    utilisation=result.utilisation,
                )
            )  # fmt: skip
    return rows


def lookup() -> list[dict]:
    from matweave.hw import config as configuration

    rows = []
    for name, settings in LOOKUP.items():
        print(f"utilisation: {name} …", file=sys.stderr, flush=True)
        g = configuration.load(name.partition(",")[0], settings).geometry
        m, n, k = (TILES * side for side in (g.m, g.n, g.k))
        rows += measure(name, [(m, n, k), (1, n, GEMV_K)], settings)
    return rows


def bars(rows: list[dict]) -> list[common.Bar]:
    found = []
    for size, least in BARS.items():
        worst = min(
            row["utilisation"]
            for row in rows
            if row["config"]["M"] == size and row["config"]["engine"] in ENGINES
        )
        found.append(common.Bar(f"least utilisation at M = N = K = {size}", worst, ">=", least))
    for row in rows:
        about = row["config"]
        if about["engine"] in LOOKUP and about["K"] != GEMV_K:
            name = f"{about['engine']}: {TILES} tiles each way"
            found.append(common.Bar(name, row["utilisation"], ">=", 0.95))
    off = sum(row["cycles"] != row["model"] for row in rows)
    return [*found, common.Bar("jobs whose cycles the model misses", off, "<=", 0)]


def main() -> int:
    parser = common.parser(__doc__)
    arguments = parser.parse_args()
    rows = []
    for preset in ENGINES + TEXTBOOK:
        print(f"utilisation: {preset} …", file=sys.stderr, flush=True)
        rows += measure(preset, [(size,) * 3 for size in sorted(BARS, reverse=True)])
    rows += lookup()
    return common.report("utilisation", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
