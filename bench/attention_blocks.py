"""Softmaxes and GELUs side by side: what each bit of accuracy costs.

Accuracy is of the golden models, to which the RTL is equal bit for bit, on rows of Gaussian logits
of standard deviation σ (in nats): ``most`` and ``mean`` error of a probability against float64
softmax of the same integers, ``unquantised`` the largest against that of the logits before they
were rounded to the form's, ``sum_off`` the largest distance of a row's sum from 1; each the worst
of all σ and row lengths. 8-bit logits reach four σ. ``bits`` is -log2 of ``most``. GELUs are taken
at every 8-bit input from -4 to 4, errors in units of x.

Area is of the block for rows of ``--keys`` logits, ``--lanes`` per cycle, in standard cells by the
flows of :mod:`attention_area` (of several, the one with the least area times critical path), with
one word of the row's memory and of the queue of results: ``row_bits`` is what the former holds.
LUTs are ECP5's, carries included, as Yosys maps them, with memories as they are; ``MHz`` what
nextpnr reaches out of context, every input behind a register, without DSP blocks.
"""

import dataclasses
import itertools
import math
import sys
from pathlib import Path

import common
import numpy as np
from attention_area import area, told

SIGMAS = (1, 2, 3)
KEYS = (64, 197, 512, 4096)
ROWS = {64: 400, 197: 400, 512: 200, 4096: 60}
REACH = 4
"""Standard deviations on each side that 8-bit logits hold."""


def exact(x):
    """Softmax of rows, in floats."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmaxes(sigma: float) -> dict:
    """Every form by its name, for logits of that standard deviation."""
    from matweave.hw.attention.base2 import Base2
    from matweave.hw.attention.i_bert import IBert
    from matweave.hw.attention.ita import Ita
    from matweave.hw.attention.shiftmax import Shiftmax
    from matweave.hw.formats import Format

    scale, fine, wide = REACH * sigma / 127, math.log(2) / 64, Format(16)
    shift = math.floor(math.log2(127 * math.log(2) / (REACH * sigma)))
    return {
        "table, f 6, 15 bits": Base2(),
        "table, f 6, 11 bits": Base2(exponential=12, width=11),
        "table, f 4, 15 bits": Base2(fraction=4),
        "table, f 4, 7 bits": Base2(fraction=4, exponential=8, width=7),
        "I-BERT, 16 bits": IBert(scale=fine, logit=wide, width=16),
        "I-BERT, 8 bits": IBert(scale=scale),
        "I-ViT, 16 bits": Shiftmax(scale=fine, logit=wide, width=16),
        "I-ViT, 8 bits": Shiftmax(scale=scale),
        "I-ViT, 8 bits, as published": Shiftmax(scale=scale, normalised=False),
        "ITA, 8 bits": Ita(shift=shift),
    }


def worth(form) -> float:
    """What a logit of a form is worth, in nats."""
    if hasattr(form, "scale"):
        return form.scale
    return math.log(2) / 2 ** (form.fraction if hasattr(form, "fraction") else form.shift)


def probabilities(form, q, lanes: int = 16):
    """The golden model of a form, as floats."""
    from matweave.sim.golden.attention import softmax

    kind, width = type(form).__name__, form.width
    if kind == "Base2":
        numbers = {"fraction": form.fraction, "exponential": form.exponential, "lanes": lanes}
        p = softmax.base2(q, **numbers, width=width)
    elif kind == "IBert":
        p = softmax.i_bert(q, form.scale, width=width)
    elif kind == "Shiftmax":
        p = softmax.shiftmax(q, form.scale, width=width, n=form.n, normalise=form.normalised)
    else:
        p = softmax.ita(q, width=width, shift=form.shift)
    return p / 2.0**form.p_fraction


def softmax_errors(name: str) -> dict:
    """The worst over all σ and lengths, and each of them."""
    points = []
    for sigma, keys in itertools.product(SIGMAS, KEYS):
        form = softmaxes(sigma)[name]
        rng = np.random.default_rng([sigma, keys])
        x = rng.normal(0, sigma, (ROWS[keys], keys))
        q = np.clip(np.round(x / worth(form)), form.logit.min, form.logit.max).astype(np.int64)
        p = probabilities(form, q)
        error = abs(p - exact(q * worth(form)))
        points.append(
            {
                "sigma": sigma,
                "keys": keys,
                "most": float(error.max()),
                "mean": float(error.mean()),
                "unquantised": float(abs(p - exact(x)).max()),
                "sum_off": float(abs(p.sum(axis=-1) - 1).max()),
            }
        )
    worst = {key: max(point[key] for point in points) for key in list(points[0])[2:]}
    return {**worst, "bits": -math.log2(worst["most"]), "points": points}


def gelus() -> dict:
    """GELU blocks of 8-bit inputs by their names: what builds one (``None``: there is no RTL), and
    its results of every input."""
    from matweave.hw.attention import lookup
    from matweave.hw.attention.gelu import PolynomialGelu
    from matweave.hw.attention.shift_gelu import ShiftGelu
    from matweave.sim.golden.attention import gelu

    scale, q = REACH / 127, np.arange(-128, 128)

    def value(pair):
        return np.asarray(pair[0], float) * pair[1]

    return {
        "GELU: table": (
            lambda: lookup.Lookup(table=lookup.entries(lookup.gelu, scale, scale)),
            gelu.lookup(q, gelu.table(gelu.gelu, scale, scale)) * scale,
        ),
        "GELU: I-BERT": (
            lambda: PolynomialGelu(width=8, scale=scale),
            value(gelu.i_gelu(q, scale)),
        ),
        "GELU: I-BERT, n 14": (
            lambda: PolynomialGelu(width=8, scale=scale, n=14),
            value(gelu.i_gelu(q, scale, n=14)),
        ),
        **{
            f"GELU: I-ViT, {bits} bits": (
                lambda bits=bits: ShiftGelu(width=8, scale=scale, sigmoid=bits),
                value(gelu.shift_gelu(q, scale, width=bits)),
            )
            for bits in (8, 16)
        },
        "GELU: I-ViT, as published": (
            None,  # reduces over the row
            value(gelu.shift_gelu(q, scale, n=23, row=True)),
        ),
    }


def gelu_errors(y) -> dict:
    from matweave.sim.golden.attention import gelu

    error = abs(y - gelu.gelu(np.arange(-128, 128) * (REACH / 127)))
    most = float(error.max())
    return {"most": most, "mean": float(error.mean()), "bits": -math.log2(most)}


def measured(options, library):
    """Rows of every block."""
    from matweave.hw.attention.softmax import RowSoftmax

    about = {"lanes": options.lanes, "keys": options.keys}
    for name, form in softmaxes(2).items():
        if options.only and name not in options.only:
            continue
        figures = softmax_errors(name)
        block = RowSoftmax(form=form, lanes=options.lanes, beats=options.keys // options.lanes)
        figures |= {"row_bits": block.word * options.keys, "latency": block.latency}
        figures |= {"width": form.width, **area(block, options, library)}
        numbers = {**about, **dataclasses.asdict(form), "logit": str(form.logit)}
        yield common.row({"form": name, "numbers": numbers}, **figures)
        told(name, figures)
    for name, (build, y) in gelus().items():
        if options.only and name not in options.only:
            continue
        figures = gelu_errors(y)
        if build is not None:
            block = build()
            figures |= {"latency": block.latency, **area(block, options, library)}
        yield common.row({"form": name, "numbers": {}}, **figures)
        told(name, figures)


def bars(rows) -> list[common.Bar]:
    found = []
    for row in rows:
        form = row["config"]["form"]
        if form == "table, f 6, 15 bits":
            found.append(common.Bar(f"{form}: p", row["most"], "<=", 2**-7))
            found.append(common.Bar(f"{form}: sum", row["sum_off"], "<=", 2**-8))
        if form in ("GELU: table", "GELU: I-BERT"):
            found.append(common.Bar(form, row["most"], "<=", REACH / 127 + 0.018))
    return found


MARKS = ("<!-- attention blocks: made by the command below -->", "<!-- end of attention blocks -->")
COLUMNS = {
    "most": "largest error", "mean": "mean", "unquantised": "of unrounded logits",
    "sum_off": "sum off by", "bits": "**bits**", "um2": "**µm²**", "ns": "ns", "flow": "flow",
    "ecp5_luts": "LUTs", "ecp5_flops": "flip-flops", "routed_mhz": "MHz", "row_bits": "row's bits",
    "latency": "latency",
}  # fmt: skip


def markdown(rows, judged, options) -> list[str]:
    """Lines of the section for docs/benchmarks.md."""
    tools = common.provenance()["tools"]
    lines = [
        f"Measured by `{common.command('attention_blocks')}` at commit {common.commit()}, Yosys "
        f"{tools['yosys']}; its docstring says what the columns are. Rows of {options.keys} "
        f"logits, {options.lanes} per cycle.",
        "",
        "| form | " + " | ".join(COLUMNS.values()) + " |",
        "|---|" + "--:|" * len(COLUMNS),
    ]
    for row in rows:
        cells = (_cell(row.get(key)) for key in COLUMNS)
        lines.append(f"| {row['config']['form']} | " + " | ".join(cells) + " |")
    return [*lines, *common.verdicts(judged)]


def _cell(value) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--liberty", type=Path, help="standard cells; without: no area")
    parser.add_argument("--lanes", type=int, default=4, help="logits per cycle")
    parser.add_argument("--keys", type=int, default=64, help="logits of the longest row")
    parser.add_argument("--flows", nargs="+", default=[], help="of those tried; default: all")
    parser.add_argument("--no-luts", action="store_true", help="nothing of the FPGA")
    parser.add_argument("--route", action="store_true", help="ECP5, placed and routed")
    parser.add_argument("--clock", type=float, default=100.0, help="MHz to place and route for")
    parser.add_argument("--markdown", type=Path, help="put the table into this page")
    parser.add_argument("--only", nargs="+", default=[], help="blocks by their names")
    options = parser.parse_args()
    library = None
    if options.liberty:
        from matweave.fpga.targets.asic import liberty

        library = liberty.load(options.liberty.absolute())
    rows = list(measured(options, library))
    if options.markdown:
        lines = markdown(rows, bars(rows), options)
        common.insert(options.markdown, "Softmax and GELU", MARKS, lines)
    return common.report("attention_blocks", rows, bars(rows), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
