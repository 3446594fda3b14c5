"""A configuration against the plain multiplier in the same array: every flow, the best of each."""

from collections.abc import Callable, Sequence

from ....hw.errors import UserError
from ....sim.toolchain import ToolFailed
from . import flow as flows
from . import power
from .library import Library
from .measure import GENERIC_SCRIPTS, SCRIPTS, Array, Result, best, confirm, sweep
from .measure import flows as candidates


def against_baseline(
    configs,
    baseline_configs,
    library: Library,
    *,
    points: int = 0,
    flat: bool = False,
    plain_flows: Sequence[str] = (),
    own_flows: Sequence[str] = (),
    with_power: bool = False,
    known: dict | None = None,
    progress: Callable[..., None] = lambda *_: None,
) -> dict:
    """Figures of the best of ``configs`` (one PE, the array with more or fewer registers) and of
    the best of ``baseline_configs`` (plain multipliers, in the same array or in the one that the
    caller compares with), and their ratios. The baseline is the best of all that Yosys offers
    (of ``plain_flows``, by their labels, if any are given; ``own_flows`` likewise); each is in
    ``baselines``. ``with_power``: of the two that are compared, as :mod:`.power` estimates it.
    ``known``: where results are kept for further calls with some of the same configurations.
    """
    config = configs[0]
    own = config.pe.kind
    if with_power:
        power.check(config)
    jobs = [(own, each) for each in configs]
    jobs += [("mac", each) for each in baseline_configs] if own != "mac" else []
    known = {} if known is None else known
    wanted = {own: own_flows, "mac": plain_flows}
    results, failed = _tried(jobs, library, points, flat, wanted, known, progress)
    plain = results["mac"]
    multipliers: dict[str, list[Result]] = {}
    for result in plain:
        multipliers.setdefault(result.multiplier, []).append(result)
    chosen, baseline = best(results[own]), best(plain)
    best_of = {key: best(found) for key, found in multipliers.items()}
    confirm([chosen, *best_of.values()], library)
    if with_power:
        for index, each in enumerate((chosen, baseline)):
            progress(f"{each.config.name}: power", index + 1, 2)
            each.power = each.power or power.of_array(each, library)
    return {
        "name": chosen.config.name,
        "hash": chosen.config.hash,
        "array_table": chosen.config.canonical()["array"],
        "baseline_array_table": baseline.config.canonical()["array"],
        "cycles_per_mac": round(config.geometry.macs / chosen.macs, 4),
        "array": config.array.kind,
        "pe": own,
        "macs_per_cycle": config.geometry.macs,
        "accumulator_bits": config.accumulator_format.width,
        "library": library.name,
        "yosys": flows.tool_version(),
        "flat": flat,
        **chosen.table(),
        "baseline": baseline.table(),
        "baselines": {key: found.table() for key, found in best_of.items()},
        "ratio": {
            "area": round(chosen.area / baseline.area, 4),
            "critical": round(chosen.critical / baseline.critical, 4),
            "gmac_s": round(chosen.gmacs / baseline.gmacs, 4),
            "gmac_s_mm2": round(chosen.density / baseline.density, 4),
            **(
                {"pj_per_mac": round(chosen.power.per_mac / baseline.power.per_mac, 4)}
                if with_power
                else {}
            ),
        },
        "failed": failed,
        "tried": [
            {"pe": result.config.pe.kind, "array": result.config.canonical()["array"]}
            | result.table()
            for results_ in results.values()
            for result in results_
        ],
    }


def _tried(
    jobs, library: Library, points: int, flat: bool, wanted: dict, known: dict, progress
) -> tuple[dict[str, list[Result]], list[str]]:
    """What every flow gives for every (kind of PE, configuration), by kind; and which failed."""
    results: dict[str, list[Result]] = {}
    failed: list[tuple[str, ToolFailed]] = []
    for kind, settings in jobs:
        if settings.hash in known:
            results.setdefault(kind, []).extend(known[settings.hash])
            continue
        array = Array(settings, flat=flat)
        tried = candidates(kind, GENERIC_SCRIPTS if library.name == "generic" else SCRIPTS)
        if wanted[kind]:
            tried = [flow for flow in tried if flow.label in wanted[kind]]
        of_this = known.setdefault(settings.hash, [])
        for index, flow in enumerate(tried):
            progress(f"{settings.name}: {kind}, {flow.label}", index + 1, len(tried))
            try:
                found = sweep(lambda each, array=array: array.measure(library, each), flow, points)
            except ToolFailed as error:  # ABC ends itself with some libraries and scripts
                failed.append((f"{kind} {flow.label}", error))
                continue
            for each in found:
                each.config = settings
            of_this += found
        results.setdefault(kind, []).extend(of_this)
        if not results[kind]:
            raise failed[-1][1] if failed else UserError(f"no such flow: {', '.join(wanted[kind])}")
    return results, [name for name, _ in failed]
