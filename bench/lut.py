"""Area, clock, throughput per area: low-bit weights, wide activations, in standard cells.

Table lookup and its baselines in the same array: M rows of activations, N columns of weights, K
products per PE; the same registers, buses and accumulators (as wide as the table's sums of K_total
products need, for all). Every design is tried with and without a register between products and
accumulator, by the flows of ``matweave area`` (the plain multiplier by all of Yosys's multipliers),
and counts with its best throughput per area; ratios are to dequantise-then-MAC with the same
weights. ``precompute`` is what makes the tables from activations; its registers are `registers`.
"""

import dataclasses
import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import common

BARS = {1: 4.0, 2: 2.5}
"""Throughput per area against dequantise-then-MAC, int8 activations, by bits of the weights."""

DESIGNS = ("table", "table,serial", "shift_add", "shift_add,serial", "popcount")
"""Beside the baseline. Further settings as in ``table,k=5`` or ``table,table=half``."""


@dataclass(frozen=True)
class Point:
    """What is to be measured: activations (bits of integers, or a float's name), weights' bits, and
    a design with its settings."""

    a: str
    w: int
    design: str


def activations(name: str):
    """The format of activations that is called ``name``: bits of an integer, or a float's name."""
    from matweave.hw.floats import FloatFormat
    from matweave.hw.formats import Format

    return Format(int(name)) if name.isdigit() else FloatFormat.parse(name)


def label(a: str) -> str:
    """What tables call activations."""
    return f"int{a}" if a.isdigit() else a


def pe_of(point: Point, k: int):
    """The PE of a design. Raises :class:`ValueError` for a design that there is not."""
    from matweave.hw.floats import FloatFormat
    from matweave.hw.lut.float_multiply import FloatMultiplyPe
    from matweave.hw.lut.float_table import FloatTablePe
    from matweave.hw.lut.multiply import MultiplyPe
    from matweave.hw.lut.popcount import PopcountPe
    from matweave.hw.lut.quantised_table import QuantisedTablePe
    from matweave.hw.lut.shift_add import ShiftAddPe
    from matweave.hw.lut.table import TablePe
    from matweave.hw.weights import WeightFormat

    classes = {
        "table": TablePe, "quantised": QuantisedTablePe, "shift_add": ShiftAddPe,
        "popcount": PopcountPe, "mac": MultiplyPe,
    }  # fmt: skip
    a = activations(point.a)
    if isinstance(a, FloatFormat):
        classes = {"table": FloatTablePe, "mac": FloatMultiplyPe}
    name, *settings = point.design.split(",")
    if name not in classes:
        raise ValueError(f"{name!r} is not a design; allowed are {', '.join(classes)}")
    options = {"k": k}
    for setting in settings:
        key, _, value = setting.partition("=")
        known = [field.name for field in dataclasses.fields(classes[name])]
        if key not in known or value.isdigit() != (key in ("k", "sign", "entry")):
            raise ValueError(f"{setting!r} is no setting of {name}; there are {', '.join(known)}")
        options[key] = (int(value) if value.isdigit() else value) if value else True
    return classes[name](a, WeightFormat(point.w), **options)


def accumulator(point: Point, options) -> int:
    """Bits of the table's accumulator, for all designs: the others' sums need no more; quantised
    tables' need less, and have that."""
    if point.design.startswith("quantised"):
        return pe_of(point, options.k).sum_width(options.terms)
    return pe_of(dataclasses.replace(point, design="table"), 4).sum_width(options.terms)


def designs(point: Point, options):
    """The array of a point without and with a register behind the products, and it as a
    :class:`~matweave.fpga.targets.asic.measure.Design`; of one lane: a PE with its accumulator."""
    from matweave.fpga.targets.asic.measure import Design
    from matweave.hw.array.os_grid import OsCell
    from matweave.hw.lut.array import LowBitArray
    from matweave.hw.lut.base import Front

    pe = pe_of(point, options.k)
    width = accumulator(point, options)
    apart = {pe.edge_class: "edge"}
    if pe.front_class is not Front:
        apart[pe.front_class] = "precompute"
    for partial in (True,) if options.product_registers else (False, True):
        if options.lane:
            lane = OsCell(pe=pe, depth=1, width=width, saturate=False, hold=False, partial=partial)
            yield partial, None, Design(lane, pe, pe.dot_class, macs=pe.k / pe.cycles, flat=True)
            continue
        array = LowBitArray(
            pe=pe, rows=options.rows, columns=options.columns, width=width, partial=partial
        )
        macs = options.rows * options.columns * pe.k / pe.cycles
        cell = (partial and pe.products_class) or pe.dot_class
        design = Design(array, pe, cell, macs=macs, block=options.block, apart=apart)
        yield partial, array, design


def best_of(point: Point, options, library) -> dict:
    """The row of a point: the best of what was tried."""
    from matweave.fpga.targets.asic import measure
    from matweave.sim.toolchain import ToolFailed

    kind = "mac" if point.design == "mac" else "other"
    found = []
    for partial, array, design in designs(point, options):
        for flow in measure.flows(kind, measure.SCRIPTS if options.liberty else
                                  measure.GENERIC_SCRIPTS):  # fmt: skip
            wanted = options.plain_flows if kind == "mac" else options.flows
            if wanted and flow.label not in wanted:
                continue
            try:
                for result in measure.sweep(
                    lambda each, d=design: d.measure(library, each), flow, options.points
                ):
                    found.append((partial, array, result))
            except ToolFailed as error:
                print(f"lut: {point} {flow.label}: {error}", file=sys.stderr)
                continue
            *_, result = found[-1]
            print(f"  {point.design} W{point.w}A{point.a} partial={int(partial)} {flow.label}: "
                  f"{result.area:,.0f} um2, {result.critical:.2f} ns, {result.density:.1f}",
                  file=sys.stderr, flush=True)  # fmt: skip
    size = "one PE" if options.lane else f"{options.rows} × {options.columns}"
    if not found:
        raise SystemExit(f"lut: no flow for {point}")
    partial, array, best = max(found, key=lambda each: each[-1].density)
    tried = [
        {"partial": p, "flow": r.flow, "area": round(r.area), "ns": round(r.critical, 3),
         "gmac_s_mm2": round(r.density, 1)}
        for p, _, r in found
    ]  # fmt: skip
    measure.confirm([best], library)
    tables = point.design.startswith(("table", "quantised"))
    precompute = best.parts.get("precompute", 0.0) if tables else 0.0
    return common.row(
        {"design": point.design, "a": point.a, "w": point.w, "array": size},
        library=library.name,
        k=pe_of(point, options.k).k,
        accumulator=accumulator(point, options),
        partial=partial,
        flow=best.flow,
        area=round(best.area),
        parts={part: round(area) for part, area in best.parts.items()},
        precompute_share=precompute / best.area,
        ns=best.critical,
        macs_per_cycle=best.macs,
        gmac_s_mm2=best.density,
        without_precompute=best.gmacs / (best.area - precompute) * 1e6,
        timing=best.timing,
        path=f"{best.startpoint} to {best.endpoint}",
        tried=tried,
        **(energy(array, best, library) if options.power and array else {}),
    )


def energy(array, best, library) -> dict:
    """pJ per product of an array, by part; nothing where activations come bit by bit."""
    from matweave.fpga.targets.asic import low_bit_stimuli, power
    from matweave.hw.lut.popcount import PopcountPe

    if isinstance(array.pe, PopcountPe):
        return {}
    stimulus = low_bit_stimuli.low_bit(array, power.SEED)
    found = power.estimate(
        best.mapped.flat, library, stimulus, owners=best.owners, default="registers"
    )
    table = found.table(best.critical)
    return {
        "pj_per_mac": table["pj_per_mac"],
        "pj_parts": table["parts_pj_per_mac"],
        "pj_without_precompute": table["pj_per_mac"]
        - table["parts_pj_per_mac"].get("precompute", 0.0),
        "mw": table["mw"],
    }


def compared(rows: list[dict]) -> None:
    """Adds ratios to the baseline with the same operands, in an array of the same size."""

    def key(row):
        return tuple(row["config"][name] for name in ("array", "a", "w"))

    plain = {key(row): row for row in rows if row["config"]["design"] == "mac"}
    for row in rows:
        if base := plain.get(key(row)):
            row["area_ratio"] = row["area"] / base["area"]
            row["per_area"] = row["gmac_s_mm2"] / base["gmac_s_mm2"]
            if "pj_per_mac" in row and "pj_per_mac" in base:
                row["pj_ratio"] = row["pj_per_mac"] / base["pj_per_mac"]


def bars(rows: list[dict]) -> list[common.Bar]:
    """Of whole arrays, with what makes their tables."""
    tables = [
        row
        for row in rows
        if row["config"]["design"].startswith("table")  # exact ones
        and row["config"]["array"] != "one PE"
        and "per_area" in row
    ]
    found = []
    for a, w in sorted({(row["config"]["a"], row["config"]["w"]) for row in tables}):
        these = [row for row in tables if (row["config"]["a"], row["config"]["w"]) == (a, w)]
        # Areas compare at the same products per cycle: not of serial tables, nor of other depths.
        equal = [row["area_ratio"] for row in these
                 if row["k"] == 4 and "serial" not in row["config"]["design"]]  # fmt: skip
        if equal:
            found.append(
                common.Bar(f"W{w}A{a.upper()}: area, table / multiplier", min(equal), "<=", 1.0)
            )
        if a == "8" and w in BARS:
            most = max(row["per_area"] for row in these)
            name = f"W{w}A{a.upper()}: throughput per area, table / multiplier"
            found.append(common.Bar(name, most, ">=", BARS[w]))
    shares = [
        row["precompute_share"]
        for row in tables
        if (row["config"]["a"], row["config"]["array"], row["k"]) == ("8", "2 × 64", 4)
    ]
    if shares:
        name = "largest share of the precompute unit, M2N64K4, int8"
        found.append(common.Bar(name, max(shares), "<=", 0.03))
    return found


def earlier(paths: list[Path]) -> tuple[list[dict], str]:
    """Rows of earlier runs, and what runs those were."""
    rows, told = [], []
    for path in paths:
        run = json.loads(path.read_text())
        for row in run["rows"]:
            row["config"]["a"] = str(row["config"]["a"])  # a number in older files
            rows.append(row | {"yosys": run["tools"]["yosys"]})
        told.append(f"`{run['command']}` at commit {run['commit']}")
    return rows, "; ".join(told)


HEADS = (
    "array", "weights", "activations", "design", "K", "accumulator", "product register", "flow",
    "area µm²", "precompute", "edge", "PEs", "registers", "ns", "GMAC/s/mm²", "without precompute",
    "area ×", "**GMAC/s/mm² ×**", "pJ per product", "without precompute", "pJ ×",
)  # fmt: skip


def markdown(rows: list[dict], judged: list[common.Bar], runs: str) -> list[str]:
    """Lines of the section for docs/benchmarks.md; ``runs``: commands and their commits."""
    lines = [
        f"Measured by {runs}: {rows[0]['library']}, Yosys {rows[0]['yosys']}, timing by "
        f"{rows[0]['timing']}. Ratios (×) are to `mac` with the same operands.",
        "",
        "| " + " | ".join(HEADS) + " |",
        "|---|--:|--:|---|--:|--:|---|---|" + "--:|" * (len(HEADS) - 8),
    ]
    for row in rows:
        parts = row["parts"]
        of = row["config"]
        cells = [of["array"], f"{of['w']}", label(of["a"]), f"`{of['design']}`"]
        cells += [f"{row['k']}", f"{row['accumulator']}", "yes" if row["partial"] else "no"]
        cells += [row["flow"], f"{row['area']:,}"]
        cells += [f"{parts.get(part, 0):,}" for part in ("precompute", "edge", "pes")]
        cells += [f"{parts.get('registers', 0) + parts.get('drain', 0):,}", f"{row['ns']:.2f}"]
        cells += [f"{row['gmac_s_mm2']:,.0f}", f"{row['without_precompute']:,.0f}"]
        ratios = [row.get("area_ratio"), row.get("per_area")]
        area, per_area = ("" if ratio is None else f"{ratio:.3f}" for ratio in ratios)
        names = ("pj_per_mac", "pj_without_precompute", "pj_ratio")
        energies = [f"{row[name]:.3f}" if name in row else "" for name in names]
        bold = f"**{per_area}**" if per_area else ""
        lines.append("| " + " | ".join([*cells, area, bold, *energies]) + " |")
    return [*lines, *common.verdicts(judged)]


def measured(options) -> list[dict]:
    from matweave.fpga.targets.asic import flow, generic, liberty

    library = liberty.load(options.liberty.absolute()) if options.liberty else generic.library()
    rows = []
    for a in options.activations:
        for w in options.weights:
            for design in (["mac"] * (not options.no_mac)) + options.designs:
                if "serial" in design and w == 1:
                    continue  # the same as with all planes at once
                rows.append(best_of(Point(a, w, design), options, library))
    return [row | {"yosys": flow.tool_version()} for row in rows]


def refusal(options) -> str | None:
    """Why a point cannot be built; ``None`` if all can."""
    for a, w in itertools.product(options.activations, options.weights):
        for design in options.designs:
            try:
                pe_of(Point(a, w, design), options.k)
            except ValueError as error:
                return f"--designs {design} with {label(a)} and {w}-bit weights: {error}"
    return None


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--liberty", type=Path, help="standard cells; without: generic gates")
    parser.add_argument("--activations", nargs="+", default=["8"], help="bits, or fp16, bf16")
    parser.add_argument("--power", action="store_true", help="energy per product too")
    parser.add_argument("--weights", type=int, nargs="+", default=[1, 2, 4], help="bits")
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), help="as table,k=5")
    parser.add_argument("--lane", action="store_true", help="one PE, no array around it")
    parser.add_argument("--rows", type=int, default=2)
    parser.add_argument("--columns", type=int, default=64)
    parser.add_argument("--k", type=int, default=4, help="products per PE where a design says none")
    parser.add_argument("--terms", type=int, default=4096, help="longest sum")
    parser.add_argument("--block", type=int, default=16, help="PEs that are synthesised together")
    parser.add_argument("--flows", nargs="+", default=[], help="of the others; default: all")
    parser.add_argument("--plain-flows", nargs="+", default=[], help="of the baseline")
    parser.add_argument(
        "--product-registers", action="store_true", help="do not try arrays without them"
    )
    parser.add_argument("--points", type=int, default=0, help="clock targets beside none")
    parser.add_argument(
        "--from", dest="earlier", type=Path, nargs="+", help="JSON of earlier runs; measure nothing"
    )
    parser.add_argument("--no-mac", action="store_true", help="without the baseline")
    parser.add_argument("--markdown", type=Path, help="put the table into this page")
    parser.add_argument("--section", default="", help="which of the page's marks")
    options = parser.parse_args()
    if reason := refusal(options):
        print(f"lut: error: {reason}", file=sys.stderr)
        return 2
    if options.earlier:
        rows, runs = earlier(options.earlier)
    else:
        rows, runs = measured(options), f"`{common.command('lut')}` at commit {common.commit()}"
    compared(rows)
    judged = bars(rows)
    if options.markdown:
        heading = f"Low-bit weights {options.section}".strip()
        name = f"lut {options.section}".strip()
        marks = (f"<!-- {name}: made by the command below -->", f"<!-- end of {name} -->")
        common.insert(options.markdown, heading, marks, markdown(rows, judged, runs))
    return common.report("lut", rows, judged, as_json=options.json)


if __name__ == "__main__":
    common.run(main)
