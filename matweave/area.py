"""Area, timing and throughput in standard cells: ``matweave area``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from matweave.hw import catalog, config
from matweave.hw.errors import UserError, nearest, shown

from .failure import CheckFailed

TARGETS = ("generic",)


def area(
    origins: Iterable[str],
    overrides: Iterable[str],
    liberty: Path | None,
    target: str | None,
    points: int,
    flat: bool,
    power: bool,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Every configuration's array against the same array with plain multipliers."""
    if target is not None and target not in TARGETS:
        raise UserError(
            f"--target: {shown(target)} is not a target; allowed are "
            f"{', '.join(TARGETS)}{nearest(target, TARGETS)}"
        )
    if liberty is not None and target is not None:
        raise UserError("--liberty and --target exclude each other")
    overrides = list(overrides)
    pairs = []
    for origin in origins:
        settings = config.load_gemm(origin, overrides)
        pairs.append((settings, baseline(settings)))
    from matweave.fpga.targets.asic import generic, opensta, report
    from matweave.fpga.targets.asic import liberty as libraries
    from matweave.sim.toolchain import ToolFailed

    library = generic.library() if liberty is None else libraries.load(Path(liberty).absolute())
    _ = library.flip_flop  # a library without one is told before anything takes time
    try:
        opensta.tool()  # and so is one that is there and does not work
        arrays = [
            report.against_baseline(
                [settings],
                [plain],
                library,
                points=points,
                flat=flat,
                with_power=power,
                progress=progress,
            )
            for settings, plain in pairs
        ]
    except ToolFailed as error:
        raise CheckFailed(str(error)) from error
    return {
        "library": library.name,
        "target": "generic" if liberty is None else "liberty",
        "arrays": arrays,
    }


def baseline(settings):
    """The same array with plain multipliers (which have no options); where an array takes none,
    the output-stationary one of the same rows and columns; of a lookup array, the cube."""
    tables = settings.model_dump() | {"pe": {"kind": "mac"}}
    if settings.array.kind == "lookup":
        if settings.floats:
            raise UserError(
                f"{settings.name} has {settings.a} activations, and arrays of multipliers have "
                "integers only; bench/lut.py compares PEs of floats"
            )
        tables = {key: tables[key] for key in config.GemmConfig.model_fields}
        usual = type(config.GemmConfig.model_fields["accumulator"].default).model_fields
        tables["accumulator"] = {key: tables["accumulator"][key] for key in usual}
        sides = {side: tables["array"][side] for side in ("rows", "columns")}
        tables |= {"kind": "gemm", "array": {"kind": "cube", **sides, "depth": settings.array.k}}
        return config.from_tables(tables)
    if "mac" not in catalog.fitting(settings.array.kind):
        sides = {side: tables["array"][side] for side in ("rows", "columns")}
        tables["array"] = {"kind": "output_stationary", **sides}
    return type(settings).model_validate(tables)


def _power(each: dict[str, Any]) -> list[str]:
    """Lines on power, if it was estimated."""
    if "power" not in each:
        return []
    found = each["power"]
    return [
        f"  energy         {found['pj_per_mac']:>12.3f} pJ/MAC   "
        f"× {each['ratio']['pj_per_mac']:.3f}",
        *(
            f"    {part:12} {energy:>12.3f}   {100 * energy / found['pj_per_mac']:.1f} %"
            for part, energy in found["parts_pj_per_mac"].items()
        ),
        f"    of this, clock pins {found['clock_pins_pj_per_mac']:.3f}; Gaussian operands, seed "
        f"{found['seed']}, {found['streams']} streams of {found['cycles']} cycles",
        f"  power          {found['mw']:>12.3f} mW at {found['clock_mhz']:,.0f} MHz, leakage "
        f"{found['leakage_mw']:.3g} mW",
    ]


def text(result: dict[str, Any]) -> str:
    unit = "NAND2" if result["target"] == "generic" else "µm²"
    lines = [f"library {result['library']}"]
    for each in result["arrays"]:
        ratio = each["ratio"]
        lines += [
            "",
            f"{each['name']}: {each['pe']} in {each['array']}, "
            f"{each['macs_per_cycle']} multipliers, "
            f"{each['accumulator_bits']}-bit accumulator ({each['flow']})",
            f"  area           {each['area_um2']:>12,.0f} {unit}   × {ratio['area']:.3f} of plain",
        ]
        total = each["area_um2"]
        lines += [
            f"    {part:12} {size:>12,.0f}   {100 * size / total:.1f} %"
            for part, size in each["parts_um2"].items()
        ]
        lines += [
            f"  critical path  {each['critical_ns']:>12.2f} ns   × {ratio['critical']:.3f}"
            f"   {each['fmax_mhz']:,.0f} MHz",
            f"  throughput     {each['gmac_s']:>12.2f} GMAC/s   × {ratio['gmac_s']:.3f}",
            f"  per area       {each['gmac_s_mm2']:>12.2f} "
            f"{'GMAC/s per 10⁶ NAND2' if unit == 'NAND2' else 'GMAC/s/mm²'}"
            f"   × {ratio['gmac_s_mm2']:.3f}",
            *_power(each),
            f"  plain multiplier, {each['baseline_array_table']['kind']}, same flows:",
        ]
        lines += [
            f"    {name:18} {plain['area_um2']:>12,.0f} {unit}  {plain['critical_ns']:.2f} ns  "
            f"{plain['gmac_s_mm2']:.2f}"
            for name, plain in each["baselines"].items()
        ]
        if each["timing"] != "matweave":
            found, own = each["critical_ns"], each["own_critical_ns"]
            lines.append(
                f"  timing by {each['timing']}; matweave's own analysis: {own:.3f} ns, "
                f"{100 * (own / found - 1):+.2f} %"
            )
    return "\n".join(lines)
