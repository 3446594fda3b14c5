"""Cycles per operand of the bit-weight serial engines.

An operand is one multiply-accumulate of one PE: with `opt3` and `opt4c` it takes as many cycles as
the operand of A has nonzero digits, `opt4e` shares out the digits of four. One row is what the
digits allow, measured on the compiled RTL; 16 and 32 rows add what waiting for each other costs,
with rows running ahead ("fifo": two panels of A, two results per row) and with all rows starting
every tile together ("barrier"). Those come from the cycle model, which the tests hold to the RTL's
cycles exactly, as this program does for one row; with ``--rtl`` they are measured on the RTL too,
which takes minutes to compile. Whole jobs, from the first operand accepted to the last result
given; columns add no cycles, so that one is enough.

Operands of A have the histogram of their distribution, as nearly as whole numbers can, in random
order: a sample has the density of digits that it is drawn for.
"""

import datetime
import sys
from contextlib import nullcontext
from pathlib import Path

import common
import numpy as np

SIGMAS = (10, 20, 30, 40, 50)
"""Standard deviations of int8 operands: the normal density at -128 to 127, nothing beyond."""

SPREADS = (*SIGMAS, "uniform")

BARS = {
    "ent": (1.77, 2.12, 2.34, 2.48, 2.61),
    "booth": (1.93, 2.30, 2.54, 2.69, 2.78),
}
"""Most cycles per operand of one row: the density of nonzero digits, by recoding and sigma."""

UNIFORM = {"ent": 2.918, "booth": 3.0}
"""The same of uniform operands, here to one in a thousand: begin and end count too."""

SIZES = (64, 256)
"""K."""

TILES = 4
"""Column panels."""

SINGLE = 256
"""Row panels of a job of one row with the largest K; with a smaller one as many more."""

ARRAYS = (
    (1, "fifo"),
    (16, "fifo"),
    (16, "barrier"),
    (32, "fifo"),
    (32, "barrier"),
)
PES = ("opt3", "opt4c", "opt4e")

MARKS = ("<!-- sparsity: made by the command below -->", "<!-- end of sparsity -->")


def operands(rng, spread, shape) -> np.ndarray:
    """A matrix with the histogram of ``spread``, shuffled."""
    numbers = np.arange(-128, 128)
    weights = np.ones(256) if spread == "uniform" else np.exp(-((numbers / spread) ** 2) / 2)
    wanted = weights / weights.sum() * np.prod(shape)
    counts = wanted.astype(int)
    largest = np.argsort(counts - wanted, kind="stable")
    counts[largest[: np.prod(shape) - counts.sum()]] += 1
    return rng.permutation(np.repeat(numbers, counts)).reshape(shape)


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


def measure(pe: str, rows: int, synchronise: str, most: int, rtl: bool) -> list[dict]:
    """One engine; ``most`` row panels of A with the largest K, and as many operands with others."""
    from matweave.sim import perf
    from matweave.sim.native import Engine
    from matweave.sim.perf import serial

    config = engine_config(pe, rows, synchronise)
    measured = []
    with Engine(config) if rtl else nullcontext() as engine:
        for k in SIZES:
            panels = most * max(SIZES) // k
            for spread in SPREADS:
                rng = np.random.default_rng([k, rows])
                a = operands(rng, spread, (rows * panels, k))
                if rtl:
                    b = rng.integers(-128, 128, (k, TILES))
                    result = engine.gemm(a, b)
                    assert np.array_equal(result.c, a @ b)
                    cycles = result.cycles
                if not rtl or spread == SIGMAS[0]:
                    predicted = perf.predict_serial(config, a, TILES)
                    assert not rtl or predicted == cycles
                    cycles = predicted
                # What the slowest row of a panel takes, from panel to panel.
                work = [sum(map(sum, row)) for row in serial.passes(config, a)]
                slowest = np.reshape(work, (panels, rows)).max(axis=1)
                digits = np.count_nonzero(serial.digits_of(config, a)) / a.size
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
                        by="rtl" if rtl else "model",
                        operands=a.size,
                        digits_per_operand=digits,
                        cycles=cycles,
                        cycles_per_operand=cycles * rows / (a.size * TILES),
                        standard_error=float(slowest.std(ddof=1) / panels**0.5 / k),
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
    for pe in ("opt3", "opt4c"):
        for number, spread in enumerate(SPREADS):
            chosen = [
                row
                for row in rows
                if row["config"]["pe"] == pe
                and row["config"]["rows"] == 1
                and row["config"]["sigma"] == spread
            ]
            digits = chosen[0]["config"]["digits"]
            worst = max(row["cycles_per_operand"] for row in chosen)
            name, bound = f"sigma {spread}", round(UNIFORM[digits] * 1.001, 3)
            if spread in SIGMAS:
                bound = BARS[digits][number]
            else:
                name = spread
            density = f"{chosen[0]['digits_per_operand']:.3f} digits"
            found.append(
                common.Bar(
                    f"cycles per operand, {pe}, {digits}, {name} ({density})", worst, "<=", bound
                )
            )
    return found


def markdown(rows: list[dict], about: dict, command: str) -> list[str]:
    """Lines of the section for docs/benchmarks.md."""
    sampled = sorted({row["operands"] for row in rows})
    error = max(row["standard_error"] / row["cycles_per_operand"] for row in rows)
    heads = [f"σ = {spread}" if spread in SIGMAS else spread for spread in SPREADS]
    lines = [
        f"Measured {datetime.datetime.now(datetime.UTC).date()} by `{command}` at commit "
        f"{about['commit']}, Verilator {about['tools']['verilator']}; int8, {sampled[0]:,} to "
        f"{sampled[-1]:,} operands of A in a job, {TILES} column panels. Of a figure the standard "
        f"error is at most {error:.1%} (one row's is less: its operands have exactly the "
        "distribution's histogram).",
    ]

    def table(title, first, key, text, skip_single):
        lines.extend(["", title, "", "| PE | rows | K | " + " | ".join(heads) + " |"])
        lines.append("|---|---|--:|" + "--:|" * len(heads))
        for line in first:
            lines.append("| " + " | ".join(line) + " |")
        shown = {}
        for row in rows:
            config = row["config"]
            if config["rows"] > 1 or not skip_single:
                array = "1" if config["rows"] == 1 else f"{config['rows']}, {config['synchronise']}"
                shown.setdefault((f"`{config['pe']}`", array, str(config["K"])), []).append(
                    text(row[key])
                )
        for names, cells in shown.items():
            lines.append("| " + " | ".join([*names, *cells]) + " |")

    digits = [
        f"{row['digits_per_operand']:.3f}" for row in rows if row["config"]["rows"] == 1
    ][-len(SPREADS) :]  # fmt: skip
    table(
        "Cycles per operand:", [["*digits*", "", "", *digits]], "cycles_per_operand",
        lambda value: f"{value:.3f}", False,
    )  # fmt: skip
    table(
        "What waiting for each other adds to one row's:", [], "overhead",
        lambda value: f"{value:.1%}", True,
    )  # fmt: skip
    return [*lines, *common.verdicts(bars(rows))]


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument(
        "--panels", type=int, default=24, help="row panels of an array's jobs with K = 256"
    )
    parser.add_argument("--rtl", action="store_true", help="arrays on the RTL, not by the model")
    parser.add_argument("--markdown", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    rows = []
    for pe in PES:
        for number, synchronise in ARRAYS:
            print(f"sparsity: {pe}, {number} rows, {synchronise} …", file=sys.stderr, flush=True)
            most = SINGLE if number == 1 else arguments.panels
            rows += measure(pe, number, synchronise, most, number == 1 or arguments.rtl)
    overheads(rows)
    if arguments.markdown:
        lines = markdown(rows, common.provenance(), common.command("sparsity"))
        common.insert(arguments.markdown, "Cycles of the digit-serial engines", MARKS, lines)
    return common.report("sparsity", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    sys.exit(main())
