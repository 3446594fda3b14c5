"""Area, critical path and throughput per area of every PE in the five arrays, in standard cells.

Every figure is a ratio to the plain multiplier in the same array: the best of Yosys's default and
Booth multipliers and of its carry-save sums, same flows, same run. int8 x int8, accumulators of 32
bits where the PE holds them. With ``--markdown`` the table goes into a page, at its marks, or at
those of a ``--section``, so that one page holds several sides and libraries.
"""

import functools
import itertools
import sys
from pathlib import Path

import area_page
import arrays
import common
import extrapolate
import one_pe
import power_tables

MATCHED = "pe.kind=mac_edge"
"""The plain multiplier with the register at the edge that PEs have which recode there."""

SERIAL_BARS = {"opt4c": 2.7, "opt4e": 3.6}

ENT = {16: 1.087, 32: 1.122, 64: 1.110}
"""EN-T against plain, on average over the arrays, by side."""
OPT = {"os": 1.27, "ws": 1.27, "cube": 1.28, "tree": 1.56, "matrix": 1.44}
"""OPT1 and OPT2 against plain, by array."""


def measure(options, progress) -> list[dict]:
    from matweave.fpga.targets.asic import generic, liberty, report
    from matweave.hw import config
    from matweave.hw.errors import ConfigError

    library = liberty.load(options.liberty.absolute()) if options.liberty else generic.library()
    rows = []
    for array, side in itertools.product(options.arrays, options.side):
        preset, pattern, registers = arrays.ARRAYS[array]
        own = [*arrays.sizes(pattern, side), "accumulator.width=32"]
        own += options.set if array in ("os", "ws") else []
        plain = [config.load(preset, [*own, *each.split()]) for each in registers]
        known = {}
        for pe in options.pes:
            kind, *settings = pe.split(",")
            wanted = [f"pe.kind={kind}", *(f"pe.{each}" for each in settings)]
            if kind in one_pe.SERIAL:
                if array != "os":
                    continue
                sides = f"{{kind='digit_serial',rows={side},columns={side}}}"
                wanted += [f"array={sides}", "limits.n=64"]
            try:
                chosen = [
                    config.load(preset, [*own, *(each.split() if kind not in one_pe.SERIAL else []),
                                         *wanted])
                    for each in registers
                ]  # fmt: skip
            except ConfigError as error:
                print(f"area: {array} {pe}: {error}", file=sys.stderr, flush=True)
                continue
            compare = functools.partial(
                report.against_baseline,
                points=options.points,
                flat=options.flat,
                plain_flows=options.plain_flows,
                own_flows=options.own_flows,
                known=known,
                progress=progress,
            )
            power = options.power and power_tables.known(kind)
            found = compare(chosen, plain, library, with_power=power)
            rows.append(_row(array, pe, side, found, library))
            if options.matched and kind not in one_pe.SERIAL:
                edge = [config.load(preset, [*own, *each.split(), MATCHED]) for each in registers]
                ratio = compare(chosen, [*plain, *edge], library)["ratio"]
                rows[-1]["matched"] = ratio["gmac_s_mm2"]
            row = rows[-1]
            print(f"area: {array} {side} {pe}: {row['area']:,.0f} um2, {row['ns']:.2f} ns, "
                  f"x {row['per_area']:.3f}", file=sys.stderr, flush=True)  # fmt: skip
    return rows


def _row(array: str, pe: str, side: int, found: dict, library) -> dict:
    ratio, plain = found["ratio"], found["baseline"]
    multipliers = {key: each["gmac_s_mm2"] for key, each in found["baselines"].items()}
    return common.row(
        {"array": array, "pe": pe, "side": side, "hash": found["hash"]},
        registers_at=_placed(found["array_table"]),
        plain_registers_at=_placed(found["baseline_array_table"]),
        cycles_per_mac=found["cycles_per_mac"],
        flow=found["flow"],
        area=found["area_um2"],
        **found["parts_um2"],
        ns=found["critical_ns"],
        gmac_s_mm2=found["gmac_s_mm2"],
        area_ratio=ratio["area"],
        ns_ratio=ratio["critical"],
        per_area=ratio["gmac_s_mm2"],
        plain_flow=plain["flow"],
        plain_area=plain["area_um2"],
        plain_ns=plain["critical_ns"],
        default=multipliers.get("default"),
        booth=multipliers.get("booth"),
        adder_tree=multipliers.get("default-adder-tree"),
        library=library.name,
        timing=found["timing"],
        own_ns=found["own_critical_ns"],
        tried=[
            {
                "plain": each["pe"] != found["pe"],
                "flow": f"{each['flow']} {_placed(each['array'])}",
                "parts": each["parts_um2"],
                "ns": each["own_critical_ns"],
            }
            for each in found["tried"]
        ],
        **power_tables.of_array(found),
    )


def _placed(table: dict) -> str:
    """Where an array's registers are, in a word."""
    if "pipeline" in table:
        return f"pipeline {table['pipeline']}"
    return f"{table['tile_rows']} × {table['tile_columns']}" if "tile_rows" in table else ""


def bars(rows: list[dict]) -> list[common.Bar]:
    found = []
    for side in sorted({row["config"]["side"] for row in rows}):
        ent = {}  # the best variant of each array
        for row in rows:
            if row["config"]["side"] == side and row["config"]["pe"].split(",")[0] == "ent":
                array = row["config"]["array"]
                ent[array] = max(row["per_area"], ent.get(array, 0))
        # The published figures are averages over all five.
        if set(ent) == set(arrays.ARRAYS) and side in ENT:
            mean = sum(ent.values()) / len(ent)
            name = f"EN-T, mean of {len(ent)} arrays, {_size(rows, side)}"
            found.append(common.Bar(name, mean, ">=", ENT[side]))
        for array, bound in OPT.items():
            opt = [
                row["per_area"]
                for row in rows
                if (row["config"]["array"], row["config"]["side"]) == (array, side)
                and row["config"]["pe"].split(",")[0] == "opt1"
            ]
            if opt:
                name = f"OPT1, {array}, {_size(rows, side)}"
                found.append(common.Bar(name, max(opt), ">=", bound))
    for pe, bound in SERIAL_BARS.items():
        serial = [row["per_area"] for row in rows if row["config"]["pe"].split(",")[0] == pe]
        if serial:
            name = f"{pe.upper()}, Gaussian operands of sigma 20"
            found.append(common.Bar(name, max(serial), ">=", bound))
    return found


def _size(rows: list[dict], side: int) -> str:
    guessed = any(
        row["config"]["side"] == side and "extrapolated_from" in row["config"] for row in rows
    )
    return f"{side} x {side}" + " (extrapolated)" * guessed


def variants() -> list[str]:
    """Every PE with the default of every option."""
    from matweave.hw import catalog

    return [name for name in catalog.pes() if not name.startswith("mac")]


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("--liberty", type=Path, help="standard cells; without: generic gates")
    parser.add_argument(
        "--from", dest="earlier", type=Path, nargs="+", help="JSON of earlier runs; measure nothing"
    )
    parser.add_argument("--side", type=int, nargs="+", default=[8], help="side * side multipliers")
    parser.add_argument(
        "--extrapolate", type=int, nargs="+", default=[], help="further sides, from those measured"
    )
    parser.add_argument(
        "--matched", action="store_true", help="plain ones with a register at the edge, too"
    )
    parser.add_argument(
        "--plain-flows", nargs="+", default=[], help="of the plain multiplier; default: all"
    )
    parser.add_argument("--own-flows", nargs="+", default=[], help="of the others; default: all")
    parser.add_argument("--arrays", nargs="+", choices=arrays.ARRAYS, default=list(arrays.ARRAYS))
    parser.add_argument(
        "--pes", nargs="+", default=None, help="as booth or booth,encode=b; default: all"
    )
    parser.add_argument("--set", action="append", default=[], help="of the systolic arrays")
    parser.add_argument("--points", type=int, default=0, help="clock targets beside none")
    parser.add_argument("--power", action="store_true", help="energy per MAC too")
    parser.add_argument("--flat", action="store_true", help="no blocks: for cross-checking")
    parser.add_argument("--markdown", type=Path, help="put the table into this page")
    parser.add_argument("--section", default="", help="which of the page's marks, for several runs")
    options = parser.parse_args()
    if any(side < 4 or side % 2 for side in options.side):
        parser.error("--side must be even and at least 4")
    options.pes = options.pes or variants()

    def progress(step, done=0, total=None):
        print(f"  {step} {done}/{total}", file=sys.stderr, flush=True)

    runs = f"this at commit {common.commit()}"
    if options.earlier:
        rows, single, runs = area_page.earlier(options.earlier)
    else:
        single = one_pe.measure(options)
        rows = measure(options, progress)
    rows += extrapolate.beyond(rows, options.extrapolate)
    order = list(arrays.ARRAYS)
    rows.sort(key=lambda row: (order.index(row["config"]["array"]), row["config"]["side"]))
    judged = [*bars(rows), *one_pe.bars(single)]
    if options.markdown and rows:
        lines = area_page.markdown(rows, single, judged, runs)
        heading = f"Area {options.section}".strip()
        common.insert(options.markdown, heading, area_page.marks(options.section), lines)
    return common.report("area", [*single, *rows], judged, as_json=options.json)


if __name__ == "__main__":
    common.run(main)
