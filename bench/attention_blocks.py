"""Softmaxes and GELUs side by side: what each bit of accuracy costs.

Accuracy is of the golden models, to which the RTL is equal bit for bit, on rows of Gaussian logits
of standard deviation σ (in nats): ``most`` and ``mean`` error of a probability against float64
softmax of the same integers, ``unquantised`` the largest against that of the logits before they
were rounded to the form's, ``sum_off`` the largest distance of a row's sum from 1; each the worst
of all σ and row lengths. 8-bit logits reach four σ. ``bits`` is -log2 of ``most``. GELUs are taken
at every 8-bit input from -4 to 4, errors in units of x.

Area is of the block for rows of ``--keys`` logits, ``--lanes`` per cycle, in standard cells by the
flow of ``matweave area`` (of several, the one with the least area times critical path), with one
word of the row's memory and of the queue of results: ``row_bits`` is what the former holds. LUTs
are ECP5's, carries included, as Yosys maps them, with memories as they are.

``--engines`` measures whole streaming engines, as ``64x16`` (elements of a head x keys per cycle),
in standard cells: cells that are repeated are synthesised once, as in ``matweave area``.
"""

import dataclasses
import itertools
import math
import sys
from pathlib import Path

import common
import numpy as np

SIGMAS = (1, 2, 3)
KEYS = (64, 197, 512, 4096)
ROWS = {64: 400, 197: 400, 512: 200, 4096: 60}
REACH = 4
"""Standard deviations on each side that 8-bit logits hold."""
MEMORIES = ("held_memory", "buffer_memory")


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


def area(component, options, library) -> dict:
    """In standard cells and in LUTs."""
    from matweave.fpga.targets import resources
    from matweave.hw import emit

    found = {}
    verilog = emit.verilog(component, "block")
    if not options.no_luts:
        fabric = resources.synthesise(verilog, "block", "ecp5")
        found |= {
            "ecp5_luts": fabric.luts + resources.CARRY_LUTS["ecp5"] * fabric.carries,
            "ecp5_flops": fabric.flops,
        }
    return found if library is None else {**standard_cells(verilog, options, library), **found}


def standard_cells(verilog: str, options, library, apart=()) -> dict:
    """Area and critical path of the best flow; modules of the kinds ``apart`` once each, and the
    area of all instances of them."""
    from matweave.fpga.targets.asic import blocks, fanout, flow, measure, timing
    from matweave.sim.toolchain import ToolFailed

    hierarchy = blocks.Hierarchy.of(verilog, "block")
    small = blocks.without(verilog, hierarchy, MEMORIES)
    keep = tuple(name for name in hierarchy.children if hierarchy.kind(name) in apart)
    tried = []
    for each in measure.flows("mac", measure.SCRIPTS):
        if options.flows and each.label not in options.flows:
            continue
        try:
            mapped = flow.synthesise(small, "block", library, each, keep=keep)
        except ToolFailed as error:
            print(f"attention_blocks: {each.label}: {error}", file=sys.stderr)
            continue
        total = mapped.area(library) + fanout.repair(mapped.flat, library)
        parts = _parts(mapped, hierarchy, keep, library)
        tried.append((total, timing.analyse(mapped.flat, library).critical, each.label, parts))
    if not tried:
        raise SystemExit("attention_blocks: no flow of these ends well")
    um2, ns, label, parts = min(tried, key=lambda each: each[0] * each[1])
    return {"um2": um2, "ns": ns, "flow": label, "parts": parts}


def _parts(mapped, hierarchy, keep, library) -> dict:
    """Area by kind of the modules that stayed apart, all instances of each."""
    from matweave.fpga.targets.asic import flow

    found = {}
    for name in keep:
        own = flow.counts(mapped.modules, name)
        um2 = sum(library.cells[kind].area * n for kind, n in own.items())
        number = flow.instances(mapped.modules, mapped.top, name)
        found[hierarchy.kind(name)] = found.get(hierarchy.kind(name), 0) + number * um2
    return found


ENGINE_PARTS = ("dot_product", "requantizer", "exponential", "shift_accumulator", "dequantise",
                "pipelined_reciprocal")  # fmt: skip
"""Cells of an engine that are synthesised apart; none has another of them in it."""


def engines(options, library):
    """Rows of whole engines."""
    from matweave.hw import config as configurations
    from matweave.hw import emit
    from matweave.hw.engine import build

    for name in options.engines:
        size, *wishes = name.split(",")
        dimension, lanes = map(int, size.split("x"))
        own = [f"array.dimension={dimension}", f"array.lanes={lanes}", f"output.lanes={lanes}"]
        config = configurations.load("attention_64x16", [*own, *wishes])
        verilog = emit.verilog(build(config), "block")
        figures = standard_cells(verilog, options, library, ENGINE_PARTS)
        macs = config.macs_per_cycle
        figures |= {"macs": macs, "um2_per_mac": figures["um2"] / macs}
        yield common.row({"form": f"engine {name}", "numbers": {}}, **figures)
        _told(name, figures)


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
        _told(name, figures)
    for name, (build, y) in gelus().items():
        if options.only and name not in options.only:
            continue
        figures = gelu_errors(y)
        if build is not None:
            block = build()
            figures |= {"latency": block.latency, **area(block, options, library)}
        yield common.row({"form": name, "numbers": {}}, **figures)
        _told(name, figures)


def _told(name: str, figures: dict) -> None:
    told = ", ".join(f"{key} {figures[key]:,.4g}" for key in ("most", "um2", "ecp5_luts")
                     if key in figures)  # fmt: skip
    print(f"attention_blocks: {name}: {told}", file=sys.stderr, flush=True)


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


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--liberty", type=Path, help="standard cells; without: no area")
    parser.add_argument("--lanes", type=int, default=4, help="logits per cycle")
    parser.add_argument("--keys", type=int, default=64, help="logits of the longest row")
    parser.add_argument("--flows", nargs="+", default=[], help="of those tried; default: all")
    parser.add_argument("--no-luts", action="store_true", help="nothing of the FPGA")
    parser.add_argument("--engines", nargs="+", default=[], help="whole engines, and nothing else")
    parser.add_argument("--only", nargs="+", default=[], help="blocks by their names")
    options = parser.parse_args()
    library = None
    if options.liberty:
        from matweave.fpga.targets.asic import liberty

        library = liberty.load(options.liberty.absolute())
    if options.engines and library is None:
        parser.error("--engines needs --liberty")
    rows = list(engines(options, library) if options.engines else measured(options, library))
    return common.report("attention_blocks", rows, bars(rows), as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
