"""Energy per MAC beside the areas: what :mod:`area` adds to its rows and page with ``--power``."""


def known(kind: str) -> bool:
    """Whether power is estimated of this kind of PE."""
    from matweave.hw.pe import REGISTRY

    return not getattr(REGISTRY[kind], "group", 0)


def of_array(found: dict) -> dict:
    """Figures for a row, from a configuration's report; the ratio is to the same baseline as all
    others are. None where power was not estimated."""
    if "power" not in found:
        return {}
    power = found["power"]
    return {
        "pj_per_mac": power["pj_per_mac"],
        "pj_parts": power["parts_pj_per_mac"],
        "pj_clock_pins": power["clock_pins_pj_per_mac"],
        "pj_ratio": found["ratio"]["pj_per_mac"],
        "plain_pj_per_mac": found["baseline"]["power"]["pj_per_mac"],
        "mw": power["mw"],
        "leakage_mw": power["leakage_mw"],
        "sample": {key: power[key] for key in ("seed", "streams", "cycles", "warm_up")},
    }


def of_pe(best, pe, library, serial: bool) -> dict:
    """Figures for the row of one PE."""
    from matweave.fpga.targets.asic import power, serial_stimuli, stimuli

    if getattr(pe, "group", 0):
        return {}
    seed = power.SEED
    stimulus = (
        serial_stimuli.one_pe(pe, serial_stimuli.K, seed)
        if serial
        else stimuli.one_pe(pe, 1, seed)
    )  # fmt: skip
    found = power.estimate(best.mapped.flat, library, stimulus, seed=seed)
    table = found.table(best.critical)
    return {
        "pj_per_mac": table["pj_per_mac"],
        "pj_clock_pins": table["clock_pins_pj_per_mac"],
        "mw": table["mw"],
        "leakage_mw": table["leakage_mw"],
        "sample": {key: table[key] for key in ("seed", "streams", "cycles", "warm_up")},
    }


def markdown(rows: list[dict], single: list[dict]) -> list[str]:
    """Two tables, if there are figures."""
    rows, single = ([row for row in some if "pj_per_mac" in row] for some in (rows, single))
    if not rows:
        return []
    parts = ("recoders", "pes", "registers", "drain", "inputs")
    sample = rows[0]["sample"]
    lines = [
        "",
        f"Energy per MAC of the same netlists, Gaussian operands (seed {sample['seed']}, "
        f"{sample['streams']} streams), pJ; mW at each one's own clock:",
        "",
        "| array | PE | cycles counted | recoders | PEs | registers | drain | inputs | "
        "of these clock pins | pJ/MAC | plain pJ/MAC | **pJ/MAC ×** | mW | leakage mW |",
        "|---|---|" + "--:|" * 12,
    ]
    for row in rows:
        cells = [row["config"]["array"], f"`{row['config']['pe']}`", f"{row['sample']['cycles']:,}"]
        cells += [f"{row['pj_parts'].get(part, 0):.2f}" for part in parts]
        cells += [f"{row[key]:.2f}" for key in ("pj_clock_pins", "pj_per_mac", "plain_pj_per_mac")]
        cells += [f"**{row['pj_ratio']:.3f}**", f"{row['mw']:.1f}", f"{row['leakage_mw']:.1e}"]
        lines.append("| " + " | ".join(cells) + " |")
    plain = single[0]["pj_per_mac"]
    lines += [
        "",
        "One PE as above, × to the first:",
        "",
        "| PE | cycles counted | of these clock pins | pJ/MAC | **pJ/MAC ×** | mW |",
        "|---|" + "--:|" * 5,
    ]
    for row in single:
        cells = [f"`{row['config']['pe']}`", f"{row['sample']['cycles']:,}"]
        cells += [f"{row[key]:.2f}" for key in ("pj_clock_pins", "pj_per_mac")]
        cells += [f"**{row['pj_per_mac'] / plain:.3f}**", f"{row['mw']:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines
