"""Liberty files: what synthesis, timing and power here need of a standard-cell library.

What is kept per cell is area, leakage, pins, the non-linear delay tables of its timing arcs and
the energies of its transitions; units as in :mod:`.library`.
"""

import functools
import hashlib
import re
from itertools import pairwise
from pathlib import Path

from ....hw.errors import UserError
from .liberty_text import Group, Malformed, floats, number, text_of, tree
from .library import Arc, Cell, Library, Pin, Table

_TIMES = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3}
_CAPACITANCES = {"ff": 1e-3, "pf": 1.0, "nf": 1e3}
_VOLTAGES = {"mv": 1e-3, "v": 1.0}
_POWERS = {"fw": 1e-6, "pw": 1e-3, "nw": 1.0, "uw": 1e3, "mw": 1e6, "w": 1e9}


class _Units:
    """Factors from the file's units to ns, pF, V, pJ and nW, and its table templates."""

    def __init__(self, top: Group):
        self.time = _unit(top, "time_unit", "1ns", _TIMES)
        # capacitive_load_unit(1.0, "pf")
        load = top.get("capacitive_load_unit", ["1", "pf"])
        self.capacitance = _scaled("".join(load), "capacitive_load_unit", _CAPACITANCES)
        self.voltage = _unit(top, "voltage_unit", "1V", _VOLTAGES)
        # The energy of internal_power is in units of capacitance times voltage squared.
        self.energy = self.capacitance * self.voltage**2
        self.power = _unit(top, "leakage_power_unit", "1nW", _POWERS)
        self.leakage = number(top, "default_cell_leakage_power")
        self.templates = {
            group.arguments[0]: group
            for group in top.groups
            if group.kind.endswith("_template") and group.arguments
        }


@functools.lru_cache(maxsize=4)
def load(path) -> Library:
    """The library in ``path``; a :class:`UserError` of one line if it is none."""
    path = Path(path)
    return parse(text_of(path), path)


def parse(text: str, path=Path("liberty")) -> Library:
    top = tree(text, path)
    cells = {}
    where = ""
    try:
        units = _Units(top)
        voltage = number(top, "nom_voltage") * units.voltage
        for group in top.all("cell"):
            where = ""
            if not group.arguments:
                raise Malformed("a cell has no name")
            where = f"cell {group.arguments[0]}: "
            cell = _cell(group, units)
            cells[cell.name] = cell
    except Malformed as error:
        raise UserError(f"{path}: {where}{error}") from None
    if not cells:
        raise UserError(f"{path}: the library has no cells")
    return Library(
        name=top.arguments[0] if top.arguments else "library",
        path=Path(path),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        cells=cells,
        voltage=voltage,
    )


def _unit(top: Group, name: str, default: str, units: dict[str, float]) -> float:
    text = top.get(name, default)
    return _scaled("".join(text) if isinstance(text, list) else text, name, units)


def _scaled(text: str, name: str, units: dict[str, float]) -> float:
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([a-zA-Z]+)", text.strip())
    if match is None or match[2].lower() not in units:
        raise Malformed(f"{name}: unit {text[:40]!r} is not known")
    return float(match[1]) * units[match[2].lower()]


def _table(group: Group, units: _Units, x_scale: float, y_scale: float, scale: float) -> Table:
    template = units.templates.get(group.arguments[0]) if group.arguments else None

    def index(name, factor):
        given = group.get(name) or (template.get(name) if template else None)
        found = tuple(v * factor for v in floats(given, name)) if given else ()
        if any(b <= a for a, b in pairwise(found)):
            raise Malformed(f"{name} of {group.kind}: does not increase")
        return found

    x, y = index("index_1", x_scale), index("index_2", y_scale)
    values = group.get("values", ["0"])
    rows = [
        tuple(v * scale for v in floats([text], f"values of {group.kind}"))
        for text in (values if isinstance(values, list) else [values])
    ]
    rows = tuple(row for row in rows if row)  # a comma too many is no row
    first = (template.get("variable_1") if template else "") or ""
    if len(rows) == 1 and x and y and len(rows[0]) == len(x) * len(y):
        rows = tuple(rows[0][i * len(y) : (i + 1) * len(y)] for i in range(len(x)))
    if x and not y:  # one index only
        flat = tuple(v for row in rows for v in row)
        if len(flat) == 1:  # the template's indices, but a constant
            return Table((), (), (flat,))
        _must_fit(group, len(flat) == len(x))
        if "capacitance" in first:
            return Table((), tuple(v / x_scale * y_scale for v in x), (flat,))
        return Table(x, (), tuple((v,) for v in flat))
    if not x:
        _must_fit(group, len(rows) == 1 and len(rows[0]) == 1)
        return Table((), (), rows)
    _must_fit(group, len(rows) == len(x) and all(len(row) == len(y) for row in rows))
    # Slew before load, and in a constraint data slew before clock slew: turn others over.
    if "capacitance" in first or first.startswith("related"):
        x, y = (
            tuple(v / y_scale * x_scale for v in y),
            tuple(v / x_scale * y_scale for v in x),
        )
        rows = tuple(zip(*rows, strict=True))
    return Table(x, y, rows)


def _must_fit(group: Group, fits: bool) -> None:
    if not fits:
        raise Malformed(f"values of {group.kind}: not as many as the indices have")


_DELAYS = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
_CONSTRAINTS = ("rise_constraint", "fall_constraint")
_POWER = ("rise_power", "fall_power", "power")
_SPECIAL = {
    "dont_use": "dont_use in the library",
    "is_isolation_cell": "isolation cell",
    "is_level_shifter": "level shifter",
    "always_on": "always-on cell",
    "pad_cell": "pad",
    "is_macro_cell": "macro",
    "clock_gating_integrated_cell": "clock gate",
    "retention_cell": "retention cell",
    "switch_cell_type": "power switch",
}
_SPECIAL_NAME = re.compile(
    # Delay elements, probes, low-power and clock-tree cells: logic by function, not by purpose.
    r"(?:^|_)(?:dly\w*|clkdly\w*|dlclk\w*|sdlclk\w*|probe\w*|lpflow\w*|macro|clkbuf\w*|clkinv\w*)",
    re.IGNORECASE,
)


def _arcs(pin: Group, units: _Units) -> list[Arc]:
    """Timing arcs into a pin."""
    found = []
    for timing in pin.all("timing"):
        constraint = any(timing.all(kind) for kind in _CONSTRAINTS)
        y = units.time if constraint else units.capacitance
        tables = {
            kind: _table(table, units, units.time, y, units.time)
            for kind in _DELAYS + _CONSTRAINTS
            for table in timing.all(kind)
        }
        if not tables:
            continue
        for edge in ("rise", "fall"):
            if f"cell_{edge}" in tables and f"{edge}_transition" not in tables:
                raise Malformed(f"a timing arc has cell_{edge} but no {edge}_transition")
        sense = timing.get("timing_sense", "non_unate")
        kind = timing.get("timing_type", "combinational")
        starts = str(timing.get("related_pin", "")).split()
        found += [Arc(start, sense, kind, tables) for start in starts]
    return found


def _energies(pin: Group, units: _Units) -> list[tuple[str, dict[str, Table]]]:
    found = []
    for power in pin.all("internal_power"):
        tables = {
            kind: _table(table, units, units.time, units.capacitance, units.energy)
            for kind in _POWER
            for table in power.all(kind)
        }
        if "power" in tables:  # one table for both edges
            both = tables.pop("power")
            tables = {"rise_power": both, "fall_power": both} | tables
        if tables:
            found.append((str(power.get("related_pin", "")), tables))
    return found


def _pin(pin: Group, units: _Units) -> Pin:
    def capacitance(name):
        return number(pin, name) * units.capacitance if name in pin.values else None

    function = pin.get("function")
    return Pin(
        direction=str(pin.get("direction", "input")),
        capacitance=capacitance("capacitance") or 0.0,
        function=" ".join(function) if isinstance(function, list) else function,
        max_capacitance=capacitance("max_capacitance"),
        rise_capacitance=capacitance("rise_capacitance"),
        fall_capacitance=capacitance("fall_capacitance"),
        arcs=_arcs(pin, units),
        energies=_energies(pin, units),
    )


def _special(group: Group) -> str | None:
    """Why synthesis must not use the cell, or ``None``."""
    for key, reason in _SPECIAL.items():
        if str(group.get(key, "false")).lower() not in ("false", ""):
            return reason
    if _SPECIAL_NAME.search(group.arguments[0]):
        return "delay, probe, clock-tree or low-power cell by its name"
    pins = group.all("pin")
    if any(pin.get("three_state") for pin in pins):
        return "tri-state output"
    scans = any(str(pin.get("nextstate_type", "")).startswith("scan") for pin in pins)
    if scans or group.all("test_cell"):
        return "scan cell"
    if group.all("latch") or group.all("statetable"):
        return "latch"
    if not any(pin.get("direction") == "output" and pin.arguments for pin in pins):
        return "no output"
    return None


def _cell(group: Group, units: _Units) -> Cell:
    pins = {}
    for pin in group.all("pin"):
        made = _pin(pin, units)
        pins |= dict.fromkeys(pin.arguments, made)
    special = _special(group)
    ff = next(iter(group.all("ff")), None)
    state = _bare(str(ff.get("next_state", ""))) if ff else ""
    asynchronous = ff is not None and bool({"clear", "preset"} & set(ff.values))
    return Cell(
        name=group.arguments[0],
        area=number(group, "area"),
        pins=pins,
        sequential=bool(ff or group.all("latch") or group.all("statetable")),
        leakage=number(group, "cell_leakage_power", units.leakage) * units.power,
        next_state=state or None,
        clocked_on=_bare(str(ff.get("clocked_on", ""))) if ff else None,
        state=tuple(ff.arguments) if ff else (),
        asynchronous=asynchronous,
        plain_ff=state in pins and not asynchronous and special is None,
        special=special,
    )


def _bare(function: str) -> str:
    """``D`` of ``(D)`` or ``( D )``; other functions as they are."""
    name = function.strip("() ")
    return name if re.fullmatch(r"\w+|!\w+|\w+'", name) else function.strip()
