"""Cycles per operand of the bit-weight serial engines, measured on the RTL.

An operand is one multiply-accumulate of one PE: with `opt4c` it takes as many cycles as the operand
of A has nonzero digits, `opt4e` shares out the digits of four. One row is what the digits allow;
16 and 32 rows add what waiting for each other costs, with rows running ahead ("fifo": two panels of
A, two results per row) and with all rows starting every tile together ("barrier"). Whole jobs, from
the first operand accepted to the last result given; columns add no cycles, so that one is enough.
"""

import sys

import common
import numpy as np

SIGMAS = (10, 20, 30, 40, 50)
"""Standard deviations of int8 operands, rounded and clipped; and uniform ones."""

BARS = {
    "ent": (1.77, 2.12, 2.34, 2.48, 2.61),
    "booth": (1.93, 2.30, 2.54, 2.69, 2.78),
}
"""Most cycles per operand of one row: the density of nonzero digits, by recoding and sigma."""

SIZES = (64, 256)
"""K."""

TILES = 4
"""Column panels."""

ARRAYS = (
    (1, "fifo"),
    (16, "fifo"),
    (16, "barrier"),
    (32, "fifo"),
    (32, "barrier"),
)
PES = ("opt4c", "opt4e")


def operands(rng, spread, shape):
    if spread == "uniform":
        return rng.integers(-128, 128, shape)
    return np.clip(np.rint(rng.normal(0, spread, shape)), -128, 127).astype(int)


def engine_config(pe: str, rows: int, synchronise: str):
    from matweave.hw import config as configuration

    return configuration.load(
        f"gemm_{pe}_8x8",
        [
            f"name='{pe}_{rows}_{synchronise}'",
            f"array={{kind='digit_serial',rows={rows},columns=1,synchronise='{synchronise}'}}",
            f"limits={{m=8192,n={TILES},k={max(SIZES)}}}",
            "output.mode='raw'",
        ],
    )


def recoding(config) -> str:
    """By which bar a configuration's digits are judged."""
    from matweave.hw.engine import array_choice

    pe = dict(array_choice(config).parameters)["pe"]
    return type(pe.recoding).__name__.removesuffix("Recoding").lower()


def measure(pe: str, rows: int, synchronise: str, panels: int) -> list[dict]:
    from matweave.sim.native import Engine

    config = engine_config(pe, rows, synchronise)
    measured = []
    with Engine(config) as engine:
        for k in SIZES:
            for spread in (*SIGMAS, "uniform"):
                rng = np.random.default_rng([k, rows])
                m = rows * panels * (16 if rows == 1 else 1)
                a, b = operands(rng, spread, (m, k)), rng.integers(-128, 128, (k, TILES))
                result = engine.gemm(a, b)
                assert np.array_equal(result.c, a @ b)
                measured.append(
                    common.row(
                        {
                            "pe": pe,
                            "digits": recoding(config),
                            "rows": rows,
                            "synchronise": synchronise if rows > 1 else "none",
                            "K": k,
                            "sigma": spread,
                        },
                        cycles=result.cycles,
                        cycles_per_operand=result.cycles * rows / (m * TILES * k),
                    )
                )
    return measured


def overheads(rows: list[dict]) -> None:
    """Adds to every row how much it takes more than one row of the same PE alone."""
    alone = {
        (row["config"]["pe"], row["config"]["K"], row["config"]["sigma"]): row
        for row in rows
        if row["config"]["rows"] == 1
    }
    for row in rows:
        key = (row["config"]["pe"], row["config"]["K"], row["config"]["sigma"])
        row["overhead"] = row["cycles_per_operand"] / alone[key]["cycles_per_operand"] - 1


def bars(rows: list[dict]) -> list[common.Bar]:
    """One row with one lane: the digits' own density."""
    found = []
    for number, sigma in enumerate(SIGMAS):
        chosen = [
            row
            for row in rows
            if row["config"]["pe"] == "opt4c"
            and row["config"]["rows"] == 1
            and row["config"]["sigma"] == sigma
        ]
        digits = chosen[0]["config"]["digits"]
        worst = max(row["cycles_per_operand"] for row in chosen)
        found.append(
            common.Bar(
                f"cycles per operand, {digits}, sigma {sigma}", worst, "<=", BARS[digits][number]
            )
        )
    return found


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--panels", type=int, default=64, help="row panels of A per job")
    arguments = parser.parse_args()
    rows = []
    for pe in PES:
        for array in ARRAYS:
            print(f"sparsity: {pe}, {array[0]} rows, {array[1]} …", file=sys.stderr, flush=True)
            rows += measure(pe, *array, arguments.panels)
    overheads(rows)
    return common.report("sparsity", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
