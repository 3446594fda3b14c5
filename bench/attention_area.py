"""Cores of streaming attention: area, critical path, energy per (query, key) pair, FPGA.

A core is named ``64x16``: elements of a head x keys per cycle, the preset ``attention_64x16`` where
there is one, else with twice as many elements of a result per beat; further settings as in
``16x4,softmax.exponential=15``. It is the engine without its AXI4-Lite registers. Of the flows of
``matweave area`` the one counts that has the least area times critical path; cells that are
repeated are synthesised once, queues are flip-flops. ``parts``: area of all instances of those
cells; ``queues``: of the queues. Energy (``--power``) is of Gaussian operands, logits of two nats,
256 keys per query (:mod:`matweave.fpga.targets.asic.attention_stimuli`). ``--luts`` counts an
ECP5's cells as Yosys maps them, module by module and without DSP blocks; ``--route`` places and
routes the core out of context on an LFE5U-85F, with DSP blocks, every input behind a register.
"""

import json
import sys
from pathlib import Path

import common

MEMORIES = ("held_memory", "buffer_memory")
SCRIPTS = ("swept-if", "swept-amap")
"""ABC's, as those of ``matweave area`` but for a pass that does not end on such cores."""


def told(name: str, figures: dict) -> None:
    told = ", ".join(f"{key} {figures[key]:,.4g}" for key in ("most", "um2", "ecp5_luts")
                     if key in figures)  # fmt: skip
    print(f"attention: {name}: {told}", file=sys.stderr, flush=True)


def area(component, options, library) -> dict:
    """In standard cells and in LUTs; ``options.route``: placed and routed too, in LUTs alone."""
    from matweave.fpga.targets import out_of_context, resources
    from matweave.hw import emit

    found = {}
    verilog = emit.verilog(component, "block")
    if options.route:
        registered = emit.verilog(out_of_context.Registered(component), "block")
        usage = out_of_context.implement(registered, "block", dsp=False, clock=options.clock)
        found |= {"routed_mhz": round(usage.fmax, 1)}
    if not options.no_luts:
        fabric = resources.synthesise(verilog, "block", "ecp5")
        found |= {
            "ecp5_luts": fabric.luts + resources.CARRY_LUTS["ecp5"] * fabric.carries,
            "ecp5_flops": fabric.flops,
        }
    return found if library is None else {**standard_cells(verilog, options, library)[0], **found}


def standard_cells(verilog: str, options, library, apart=()):
    """Area and critical path of the best flow, and its netlist; modules of the kinds ``apart`` once
    each, and the area of all instances of them. Memories that are not of these are one word."""
    from matweave.fpga.targets.asic import blocks, fanout, flow, measure, timing
    from matweave.sim.toolchain import ToolFailed

    hierarchy = blocks.Hierarchy.of(verilog, "block")
    small = blocks.without(verilog, hierarchy, tuple(k for k in MEMORIES if k not in apart))
    keep = tuple(name for name in hierarchy.children if hierarchy.kind(name) in apart)
    tried = []
    for each in measure.flows("mac", SCRIPTS):
        if options.flows and each.label not in options.flows:
            continue
        try:
            mapped = flow.synthesise(small, "block", library, each, keep=keep)
        except ToolFailed as error:
            print(f"attention: {each.label}: {error}", file=sys.stderr)
            continue
        total = mapped.area(library) + fanout.repair(mapped.flat, library)
        ns = timing.analyse(mapped.flat, library).critical
        print(f"  {each.label}: {total:,.0f} um2, {ns:.2f} ns", file=sys.stderr, flush=True)
        tried.append((total, ns, each.label, mapped))
    if not tried:
        raise SystemExit("attention: no flow of these ends well")
    um2, ns, label, mapped = min(tried, key=lambda each: each[0] * each[1])
    parts = _parts(mapped, hierarchy, keep, library)
    return {"um2": um2, "ns": ns, "flow": label, "parts": parts}, mapped


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


CORE_PARTS = ("dot_product", "requantizer", "exponential", "shift_accumulator", "dequantise",
              "pipelined_reciprocal", *MEMORIES)  # fmt: skip
"""Cells of a core that are synthesised apart; none has another of them in it."""


def core(name: str):
    """Configuration and shape of what is named so."""
    from matweave.hw import config as configurations

    size, *wishes = name.split(",")
    if f"attention_{size}" in configurations.presets():
        return configurations.load(f"attention_{size}", wishes)
    dimension, lanes = map(int, size.split("x"))
    own = [f"array.dimension={dimension}", f"array.lanes={lanes}", f"output.lanes={2 * lanes}"]
    return configurations.load("attention_64x16", [*own, *wishes])


def energy(shape, mapped, ns: float, library) -> dict:
    """pJ per pair of a query and a key, and mW at the clock that the critical path allows."""
    from matweave.fpga.targets.asic import attention_stimuli, power

    stimulus = attention_stimuli.attention(shape, power.SEED)
    found = power.estimate(mapped.flat, library, stimulus)
    return {
        "pj_per_pair": found.per_mac,
        "pj_per_mac": found.per_mac / (2 * shape.dimension),
        "mw": found.milliwatts(ns),
        "seed": power.SEED,
    }


def fabric(shape, options) -> dict:
    """Of an ECP5."""
    from matweave.fpga.targets import out_of_context, resources
    from matweave.hw import emit
    from matweave.hw.attention.streaming import StreamingAttention
    from matweave.sim.toolchain import ToolFailed

    found = {}
    if options.luts:
        verilog = emit.verilog(StreamingAttention(shape=shape), "block")
        used = resources.synthesise(verilog, "block", "ecp5", apart=True)
        luts = used.luts + resources.CARRY_LUTS["ecp5"] * used.carries
        found |= {"ecp5_luts": luts, "ecp5_flops": used.flops}
    if options.route:
        registered = out_of_context.Registered(StreamingAttention(shape=shape))
        verilog = emit.verilog(registered, "block")
        try:
            usage = out_of_context.implement(verilog, "block", dsp=True, clock=options.clock)
        except ToolFailed as error:
            return found | {"why_not_routed": str(error)}
        found |= {"routed_luts": usage.luts, "dsps": usage.dsps, "routed_mhz": round(usage.fmax, 1)}
    return found


def measured(options, library):
    """Rows of whole cores."""
    from matweave.hw import emit
    from matweave.hw.attention.streaming import StreamingAttention

    for name in options.cores:
        config = core(name)
        macs = config.macs_per_cycle
        figures = {"macs": macs, "output_lanes": config.output.lanes}
        if library is not None:
            verilog = emit.verilog(StreamingAttention(shape=config.shape), "block")
            cells, mapped = standard_cells(verilog, options, library, CORE_PARTS)
            parts = cells["parts"]
            cells["queues"] = sum(parts.get(kind, 0.0) for kind in MEMORIES)
            figures |= {**cells, "um2_per_mac": cells["um2"] / macs}
            if options.power:
                figures |= energy(config.shape, mapped, cells["ns"], library)
        figures |= fabric(config.shape, options)
        yield common.row({"core": name}, **figures)
        told(name, figures)


MARKS = ("<!-- attention cores: made by the command below -->", "<!-- end of attention cores -->")
COLUMNS = {
    "macs": "multipliers", "output_lanes": "elements a beat", "um2": "µm²",
    "queues": "of these queues",
    "um2_per_mac": "µm² per multiplier", "ns": "ns", "flow": "flow",
    "pj_per_pair": "pJ per pair", "pj_per_mac": "pJ per multiplication",
    "mw": "mW", "ecp5_luts": "LUT4, no DSP", "ecp5_flops": "flip-flops",
    "routed_luts": "routed: LUT4", "dsps": "DSP", "routed_mhz": "MHz",
}  # fmt: skip


def markdown(rows, runs: str) -> list[str]:
    """Lines of the section for docs/benchmarks.md; ``runs``: what was started, at which commit."""
    columns = {key: head for key, head in COLUMNS.items() if any(key in row for row in rows)}
    lines = [f"Measured by {runs}; the docstring says what the columns are.", ""]
    lines += [common.line(["core", *columns.values()]), "|---|" + "--:|" * len(columns)]
    lines += [
        common.line([row["config"]["core"], *(common.cell(row.get(key)) for key in columns)])
        for row in rows
    ]
    for row in rows:
        if "why_not_routed" in row:
            lines += ["", f"{row['config']['core']} is not routed: {row['why_not_routed']}"]
    return lines


def earlier(paths: list[Path]) -> tuple[list[dict], str]:
    """Rows of earlier runs, those of one core together, and what runs those were."""
    rows, told = {}, []
    for path in paths:
        run = json.loads(path.read_text())
        for row in run["rows"]:
            rows.setdefault(row["config"]["core"], {}).update(row)
        told.append(f"`{run['command']}` at commit {run['commit']}")
    return list(rows.values()), "; ".join(told)


def main() -> int:
    from matweave.fpga.targets.asic import liberty

    parser = common.parser(__doc__)
    parser.add_argument("cores", nargs="*", default=["16x4", "64x8", "64x16"], help="as 64x16")
    parser.add_argument("--liberty", type=Path, help="standard cells; without: no area")
    parser.add_argument("--flows", nargs="+", default=[], help="of those tried; default: all")
    parser.add_argument("--power", action="store_true", help="energy too")
    parser.add_argument("--luts", action="store_true", help="ECP5's LUTs")
    parser.add_argument("--route", action="store_true", help="ECP5, placed and routed")
    parser.add_argument("--clock", type=float, default=60.0, help="MHz to place and route for")
    parser.add_argument(
        "--from", dest="earlier", type=Path, nargs="+", help="JSON of earlier runs; measure nothing"
    )
    parser.add_argument("--markdown", type=Path, help="put the table into this page")
    options = parser.parse_args()
    if options.power and not (options.liberty or options.earlier):
        parser.error("--power needs --liberty")
    if options.earlier:
        rows, runs = earlier(options.earlier)
    else:
        library = liberty.load(options.liberty.absolute()) if options.liberty else None
        rows = list(measured(options, library))
        runs = f"`{common.command('attention_area')}` at commit {common.commit()}"
    if options.markdown:
        common.insert(options.markdown, "Attention cores", MARKS, markdown(rows, runs))
    return common.report("attention_area", rows, [], as_json=options.json)


if __name__ == "__main__":
    common.run(main)
