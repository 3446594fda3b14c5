"""What a build may draw: an estimate by a simple model, whose assumptions are on the page.

static: the core supply's typical standby current, from the device's data sheet or assumed (the page
says which), times its voltage.
dynamic: for each kind of resource, how many are used x energy per change x changes per cycle x
clock, and the clock's network. Energies were measured by others on an iCE40 UP5K, and go with the
square of the core's voltage. No more than the order of magnitude is to be expected of it.
"""

from dataclasses import dataclass

SOURCE = "https://github.com/tinyvision-ai-inc/ice40_power"
MEASURED_AT = 1.219
"""V, of the core in those measurements."""

CLOCK_NETWORK = 53.0
"""pJ per cycle: 521 uA at 12 MHz with 32 logic cells, which add next to nothing."""


@dataclass(frozen=True)
class Activity:
    """``energy`` in pJ per change at ``MEASURED_AT``; ``rate``: changes per clock cycle."""

    energy: float
    rate: float
    why: str


ACTIVITIES = {
    "LUT": Activity(
        0.8, 0.25, "measured: 0.2 pJ per cycle and logic cell in an 8 × 8 multiplier of counters"
    ),
    "FF": Activity(0.2, 0.25, "measured: 0.014 pJ per cycle and counter bit, 7 % of them turn"),
    "BRAM": Activity(10.0, 1.0, "assumed, not measured: one access per cycle"),
    "DSP": Activity(15.0, 1.0, "measured: 15 pJ per cycle of a 16 × 16 block fed by counters"),
}
"""By resource; others, such as I/O, are not in the estimate."""


@dataclass(frozen=True)
class Device:
    """``volts`` of the core supply; ``milliamperes`` it takes in standby, 25 °C, typical."""

    volts: float
    milliamperes: float | None
    source: str


ECP5 = "assumed, not read from Lattice FPGA-DS-02012: check it there"
ICE40 = "Lattice FPGA-DS-02029, static supply current"
ULTRA_PLUS = "assumed, not read from Lattice FPGA-DS-02008: check it there"
NOT_AT_HAND = "not in the estimate: no figure at hand for this family"
DEVICES = {
    "LFE5U-12F": Device(1.1, 77, ECP5),
    "LFE5U-25F": Device(1.1, 77, ECP5),
    "LFE5U-45F": Device(1.1, 116, ECP5),
    "LFE5U-85F": Device(1.1, 212, ECP5),
    "iCE40HX1K": Device(1.2, 0.296, ICE40),
    "iCE40HX4K": Device(1.2, 1.14, ICE40),
    "iCE40HX8K": Device(1.2, 1.14, ICE40),
    "iCE40UP5K": Device(1.2, 0.075, ULTRA_PLUS),
    "GW1N": Device(1.2, None, NOT_AT_HAND),
    "GW2A": Device(1.0, None, NOT_AT_HAND),
    "LIFCL": Device(1.0, None, NOT_AT_HAND),
}
"""By how the device's name begins."""

NOT_INCLUDED = (
    "Not in it: supplies other than the core's, pins and what they drive, the PLL, other parts of "
    "the board."
)


def estimate(device: str, resources: dict[str, int], clock_mhz: float) -> dict:
    """The estimate in JSON types, mW; ``static_mw`` and ``total_mw`` are ``None`` where the
    device's current is not known. ``resources``: used, by name."""
    known = next((found for name, found in DEVICES.items() if device.startswith(name)), None)
    volts = known.volts if known else MEASURED_AT
    scale = (volts / MEASURED_AT) ** 2
    rows = [
        {
            "resource": name,
            "used": resources[name],
            "energy_pj": round(activity.energy * scale, 3),
            "rate": activity.rate,
            "mw": resources[name] * activity.energy * scale * activity.rate * clock_mhz * 1e-3,
            "why": activity.why,
        }
        for name, activity in ACTIVITIES.items()
        if resources.get(name)
    ]
    rows.append(
        {
            "resource": "clock network",
            "used": 1,
            "energy_pj": round(CLOCK_NETWORK * scale, 3),
            "rate": 1.0,
            "mw": CLOCK_NETWORK * scale * clock_mhz * 1e-3,
            "why": "measured: 53 pJ per cycle of a whole iCE40 UP5K",
        }
    )
    for row in rows:
        row["mw"] = round(row["mw"], 3)
    dynamic = round(sum(row["mw"] for row in rows), 3)
    static = None
    if known and known.milliamperes is not None:
        static = round(known.volts * known.milliamperes, 3)
    return {
        "static_mw": static,
        "dynamic_mw": dynamic,
        "total_mw": None if static is None else round(static + dynamic, 3),
        "clock_mhz": clock_mhz,
        "volts": volts,
        "rows": rows,
        "assumptions": _assumptions(known, volts),
    }


def _assumptions(known: Device | None, volts: float) -> list[str]:
    if known is None:
        static = "Static: not in the estimate, the device is not known to matweave."
    elif known.milliamperes is None:
        static = f"Static: {known.source}."
    else:
        static = (
            f"Static: {known.milliamperes:g} mA at {known.volts:g} V, typical at 25 °C, core "
            f"supply only ({known.source})."
        )
    return [
        static,
        "Dynamic: used × energy per change × changes per cycle × clock, for each row above; every "
        "resource that is used changes at its row's rate all the time.",
        f"Energies were measured on an iCE40 UP5K at {MEASURED_AT} V by others ({SOURCE}), or are "
        f"assumed where the row says so, and are scaled to {volts:g} V by the square of the "
        "voltage; other devices differ.",
        NOT_INCLUDED,
    ]
