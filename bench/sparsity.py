"""Cycles per operand of the bit-weight serial engines.

An operand is one multiply-accumulate of one PE: with `opt3` and `opt4c` it takes as many cycles as
the operand of A has nonzero digits, `opt4e` shares out the digits of four. One row is what the
digits allow, measured on the compiled RTL; 16 and 32 rows add what waiting for each other costs,
with rows running ahead ("fifo": two panels of A, two results per row) and with all rows starting
every tile together ("barrier"). Those come from the cycle model, which the tests hold to the RTL's
cycles exactly, as this program does for one row; with ``--rtl`` they are measured on the RTL too,
which takes minutes to compile. Whole jobs, from the first operand accepted to the last result
given; columns add no cycles, so that one is enough.

The bars are judged with canonical signed digits (csd), the engines' default, which are the fewest
that there are; one row with EN-T's and with Booth's is measured beside it.

Operands of A have the histogram of their distribution, as nearly as whole numbers can, in random
order: a sample has the density of digits that it is drawn for.
"""

import datetime
import itertools
import sys
from contextlib import nullcontext
from pathlib import Path

import common
import numpy as np

SIGMAS = (10, 20, 30, 40, 50)
"""Standard deviations of int8 operands: the normal density at -128 to 127, nothing beyond."""

SPREADS = (*SIGMAS, "uniform")

JUDGED = "csd"
"""Digits that the bars are judged with, and that arrays of several rows are measured with."""

DIGITS = (JUDGED, "ent", "booth")

BARS = (1.77, 2.12, 2.34, 2.48, 2.61)
"""Most cycles per operand of one row, by sigma. EN-T's own density is 2.490 at 40."""

UNIFORM = 2.777
"""Density of nonzero digits of uniform operands, kept to one in a thousand: begin and end count."""

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
BARRED = ("opt3", "opt4c")
"""PEs with one lane: the digits' own density."""

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


def engine_config(pe: str, digits: str, rows: int, synchronise: str):
    from matweave.hw import config as configuration

    return configuration.load(
        f"gemm_{pe}_8x8",
        [
            f"name='{pe}_{digits}_{rows}_{synchronise}'",
            f"pe.digits='{digits}'",
            f"array={{kind='digit_serial',rows={rows},columns=1,synchronise='{synchronise}'}}",
            f"limits={{m=8192,n={TILES},k={max(SIZES)}}}",
            "output.mode='raw'",
        ],
    )


def measure(
    pe: str, digits: str, rows: int, synchronise: str, *, most: int, rtl: bool
) -> list[dict]:
    """One engine; ``most`` row panels of A with the largest K, and as many operands with others."""
    from matweave.sim import perf
    from matweave.sim.native import Engine
    from matweave.sim.perf import serial

    config = engine_config(pe, digits, rows, synchronise)
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
                density = np.count_nonzero(serial.digits_of(config, a)) / a.size
                measured.append(
                    common.row(
                        {
                            "pe": pe,
                            "digits": digits,
                            "rows": rows,
                            "synchronise": synchronise if rows > 1 else "none",
                            "K": k,
                            "sigma": spread,
                        },
                        by="rtl" if rtl else "model",
                        operands=a.size,
                        digits_per_operand=density,
                        cycles=cycles,
                        cycles_per_operand=cycles * rows / (a.size * TILES),
                        standard_error=float(slowest.std(ddof=1) / panels**0.5 / k),
                    )
                )
    return measured


def overheads(rows: list[dict]) -> None:
    """Adds to every row how much it takes more than one row of the same PE alone."""

    def key(row):
        return tuple(row["config"][name] for name in ("pe", "digits", "K", "sigma"))

    alone = {key(row): row for row in rows if row["config"]["rows"] == 1}
    for row in rows:
        row["overhead"] = row["cycles_per_operand"] / alone[key(row)]["cycles_per_operand"] - 1


def against_bars(rows: list[dict], digits: str) -> list[common.Bar]:
    """One row with one lane and these digits; of all K the worst."""
    found = []
    for pe in BARRED:
        for spread, bound in zip(SPREADS, [*BARS, round(UNIFORM * 1.001, 3)], strict=True):
            wanted = {"pe": pe, "digits": digits, "rows": 1, "sigma": spread}
            chosen = [row for row in rows if wanted.items() <= row["config"].items()]
            worst = max(row["cycles_per_operand"] for row in chosen)
            name = f"sigma {spread}" if spread in SIGMAS else spread
            density = f"{chosen[0]['digits_per_operand']:.3f} digits"
            name = f"cycles per operand, {pe}, {digits}, {name} ({density})"
            found.append(common.Bar(name, worst, "<=", bound))
    return found


def bars(rows: list[dict]) -> list[common.Bar]:
    return against_bars(rows, JUDGED)


def others(rows: list[dict]) -> list[str]:
    """What the bars would say of the other digits, in Markdown."""
    lines = ["", f"The bars are judged with `{JUDGED}`. Sigma by sigma, bold if over the bar:"]
    for digits, pe in itertools.product(DIGITS, BARRED):
        if digits != JUDGED:
            wanted = f" {pe}, {digits}, sigma"
            found = [bar for bar in against_bars(rows, digits) if wanted in bar.name]
            cells = [f"{bar.value:.4g}" if bar.met else f"**{bar.value:.4g}**" for bar in found]
            lines += ["", f"- {pe}, `{digits}`: {', '.join(cells)}"]
    return lines


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
        lines.extend(["", title, "", "| PE | digits | rows | K | " + " | ".join(heads) + " |"])
        lines.append("|---|---|---|--:|" + "--:|" * len(heads))
        for line in first:
            lines.append("| " + " | ".join(line) + " |")
        shown = {}
        for row in rows:
            config = row["config"]
            if config["rows"] > 1 or not skip_single:
                array = "1" if config["rows"] == 1 else f"{config['rows']}, {config['synchronise']}"
                names = (f"`{config['pe']}`", f"`{config['digits']}`", array, str(config["K"]))
                shown.setdefault(names, []).append(text(row[key]))
        for names, cells in shown.items():
            lines.append("| " + " | ".join([*names, *cells]) + " |")

    densities = []
    for digits in DIGITS:
        wanted = {"pe": PES[0], "digits": digits, "rows": 1, "K": SIZES[-1]}
        found = [row for row in rows if wanted.items() <= row["config"].items()]
        cells = [f"{row['digits_per_operand']:.3f}" for row in found]
        densities.append(["*digits*", f"`{digits}`", "", "", *cells])
    table(
        "Cycles per operand:", densities, "cycles_per_operand",
        lambda value: f"{value:.3f}", False,
    )  # fmt: skip
    table(
        "What waiting for each other adds to one row's:", [], "overhead",
        lambda value: f"{value:.1%}", True,
    )  # fmt: skip
    return [*lines, *common.verdicts(bars(rows)), *others(rows)]


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument(
        "--panels", type=int, default=24, help="row panels of an array's jobs with K = 256"
    )
    parser.add_argument("--rtl", action="store_true", help="arrays on the RTL, not by the model")
    parser.add_argument("--markdown", type=Path, help="put the tables into this page")
    arguments = parser.parse_args()
    rows = []
    for pe, digits, (number, synchronise) in itertools.product(PES, DIGITS, ARRAYS):
        if number == 1 or digits == JUDGED:
            print(f"sparsity: {pe}, {digits}, {number} rows, {synchronise} …",
                  file=sys.stderr, flush=True)  # fmt: skip
            most = SINGLE if number == 1 else arguments.panels
            rtl = number == 1 or arguments.rtl
            rows += measure(pe, digits, number, synchronise, most=most, rtl=rtl)
    overheads(rows)
    if arguments.markdown:
        lines = markdown(rows, common.provenance(), common.command("sparsity"))
        common.insert(arguments.markdown, "Cycles of the digit-serial engines", MARKS, lines)
    return common.report("sparsity", rows, bars(rows), as_json=arguments.json)


if __name__ == "__main__":
    common.run(main)
