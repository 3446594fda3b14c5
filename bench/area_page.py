"""The page of :mod:`area`: tables of a run, or of several, at their marks."""

import datetime
import json
from pathlib import Path

import common
import extrapolate
import one_pe
import power_tables


def marks(section: str) -> tuple[str, str]:
    """Begin and end of a run's place in the page, which may have one for each of several runs."""
    name = f"area {section}".strip()
    return f"<!-- {name}: made by the command below -->", f"<!-- end of {name} -->"


def earlier(paths: list[Path]) -> tuple[list[dict], list[dict], str]:
    """Rows of earlier runs (what ``--json`` printed): arrays, single PEs; and what runs those
    were. Of a design that several have, the last one's."""
    arrays, single, told = {}, {}, []
    for path in paths:
        run = json.loads(path.read_text())
        for row in run["rows"]:
            kept = arrays if "array" in row["config"] else single
            key = [row["config"].get(name) for name in ("array", "side", "pe")]
            kept[*key, row["library"]] = row
        told.append(f"`{run['command']}` at commit {run['commit']}")
    rows = list(arrays.values())
    return rows, list(single.values()), "; ".join(told)


def markdown(rows: list[dict], single: list[dict], bars: list[common.Bar], runs: str) -> list[str]:
    """Lines of the section for docs/benchmarks.md; ``runs``: commands and their commits."""
    about = common.provenance()
    heads = (
        "array", "PE", "side", "registers at", "cycles/MAC", "flow", "area µm²", "recoders", "PEs",
        "registers", "drain", "ns", "GMAC/s/mm²", "area ×", "ns ×", "**GMAC/s/mm² ×**",
        "matched ×", "plain: default", "booth", "adder tree",
    )  # fmt: skip
    lines = [
        f"Written {datetime.datetime.now(datetime.UTC).date()} by `{common.command('area')}`. "
        f"Measured by {runs}: {rows[0]['library']}, Yosys {about['tools']['yosys']}, timing by "
        f"{rows[0]['timing']}, "
        f"Amaranth {about['tools']['amaranth']}; side × side int8 multipliers. Ratios (×) are to "
        "the best plain multiplier of the same array, whose GMAC/s/mm² by each of Yosys's "
        "multipliers stand last; matched: to the best if it may "
        "have a register at the array's edge as well (`mac_edge`).",
        "",
        "| " + " | ".join(heads) + " |",
        "|---|---|--:|---|--:|---|" + "--:|" * (len(heads) - 6),
    ]
    for row in rows:
        ratios = [f"{row[key]:.3f}" for key in ("area_ratio", "ns_ratio", "per_area")]
        guessed = " (extrapolated)" * ("extrapolated_from" in row["config"])
        cells = [row["config"]["array"], f"`{row['config']['pe']}`"]
        cells += [f"{row['config']['side']}{guessed}", row["registers_at"]]
        cells += [f"{row['cycles_per_mac']:.3g}", row["flow"]]
        cells += [f"{row[key]:,.0f}" for key in ("area", "recoders", "pes", "registers", "drain")]
        cells += [f"{row['ns']:.2f}", f"{row['gmac_s_mm2']:.1f}"]
        cells += [*ratios[:2], f"**{ratios[2]}**"]
        cells.append(f"{row['matched']:.3f}" if "matched" in row else "")
        plain = (row.get(key) for key in ("default", "booth", "adder_tree"))
        cells += ["" if each is None else f"{each:.1f}" for each in plain]
        lines.append("| " + " | ".join(cells) + " |")
    lines += extrapolate.checks(rows)
    lines += ["", *one_pe.markdown(single), *power_tables.markdown(rows, single)]
    return [*lines, *common.verdicts(bars)]
