"""Streaming attention engines in standard cells: area, critical path, area per multiplier.

An engine is named ``64x16``: elements of a head x keys per cycle; further settings as in
``16x4,cache.k='int4'``. Of the flows of ``matweave area`` the one counts that has the least area
times critical path. Cells that are repeated are synthesised once; queues count with one word, so
that paths begin and end there as they would. ``parts``: area of all instances of those cells.
"""

import sys
from pathlib import Path

import common

MEMORIES = ("held_memory", "buffer_memory")


def told(name: str, figures: dict) -> None:
    told = ", ".join(f"{key} {figures[key]:,.4g}" for key in ("most", "um2", "ecp5_luts")
                     if key in figures)  # fmt: skip
    print(f"attention: {name}: {told}", file=sys.stderr, flush=True)


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
            print(f"attention: {each.label}: {error}", file=sys.stderr)
            continue
        total = mapped.area(library) + fanout.repair(mapped.flat, library)
        parts = _parts(mapped, hierarchy, keep, library)
        tried.append((total, timing.analyse(mapped.flat, library).critical, each.label, parts))
    if not tried:
        raise SystemExit("attention: no flow of these ends well")
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


def measured(options, library):
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
        told(name, figures)


def main() -> int:
    from matweave.fpga.targets.asic import liberty

    parser = common.parser(__doc__)
    parser.add_argument("engines", nargs="+", help="as 64x16")
    parser.add_argument("--liberty", type=Path, required=True, help="standard cells")
    parser.add_argument("--flows", nargs="+", default=[], help="of those tried; default: all")
    options = parser.parse_args()
    rows = list(measured(options, liberty.load(options.liberty.absolute())))
    return common.report("attention_area", rows, [], as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
