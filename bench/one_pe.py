"""Single PEs with their accumulator in standard cells: a part of :mod:`area`."""

import common
import power_tables

SERIAL = ("opt2", "opt3", "opt4c", "opt4e")
"""PEs of the array digit_serial, compared with plain ones in the output-stationary array."""


def measure(options) -> list[dict]:
    """Single PEs with a 32-bit accumulator; K = 256 in the serial ones."""
    from matweave.fpga.targets.asic import generic, liberty
    from matweave.fpga.targets.asic import measure as asic
    from matweave.fpga.targets.asic.throughput import cycles_per_mac
    from matweave.hw import config
    from matweave.hw.engine import array_choice

    library = liberty.load(options.liberty.absolute()) if options.liberty else generic.library()
    rows = []
    for name in ["mac", *options.pes]:
        kind, *settings = name.split(",")
        preset = f"gemm_{kind}_8x8" if kind in SERIAL else "gemm_os_8x8"
        chosen = config.load(preset, [f"pe.kind={kind}", *(f"pe.{each}" for each in settings)])
        pe = dict(array_choice(chosen).parameters)["pe"]
        cycles, results = cycles_per_mac(chosen), []
        scripts = asic.SCRIPTS if options.liberty else asic.GENERIC_SCRIPTS
        for flow in asic.flows(kind, scripts):
            if kind in SERIAL:
                results.append(
                    asic.one_serial_pe(pe, library, flow, terms=256, cycles_per_mac=cycles)
                )
            else:
                results.append(asic.one_pe(pe, library, flow))
        best = asic.best(results)
        asic.confirm([best], library)
        rows.append(
            common.row(
                {"pe": name},
                flow=best.flow,
                area=best.area,
                ns=best.critical,
                cycles_per_mac=cycles,
                per_mac=best.area * best.critical * cycles,
                library=library.name,
                timing=best.timing,
                **(power_tables.of_pe(best, pe, library, kind in SERIAL) if options.power else {}),
            )
        )
    return rows


def bars(rows: list[dict]) -> list[common.Bar]:
    bounds = {"opt1": 10_400, "opt4c": 17_200, "opt4e": 17_200}
    # The bars are figures of this library; in another they would say nothing.
    rows = [row for row in rows if row["library"].startswith("sky130")]
    return [
        common.Bar(f"one {row['config']['pe']} PE, µm² × ns per MAC", row["per_mac"], "<=",
                   bounds[row["config"]["pe"].split(",")[0]])
        for row in rows
        if row["config"]["pe"].split(",")[0] in bounds
    ]  # fmt: skip


def markdown(rows: list[dict]) -> list[str]:
    lines = [
        "One PE with its accumulator (32 bits; serial ones: a sum over K = 256), no recoder but "
        "those that `opt3` has inside:",
        "",
        "| PE | flow | area µm² | ns | cycles/MAC | µm² × ns per MAC |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for row in rows:
        lines.append(
            f"| `{row['config']['pe']}` | {row['flow']} | {row['area']:,.0f} | {row['ns']:.2f} "
            f"| {row['cycles_per_mac']:.3g} | {row['per_mac']:,.0f} |"
        )
    return lines
