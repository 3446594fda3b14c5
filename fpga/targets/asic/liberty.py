"""Liberty files: what synthesis, timing and power here need of a standard-cell library.

Plain or gzipped. The parser reads any Liberty; what is kept per cell is area, pins, the
non-linear delay tables of its timing arcs and the energies of its output transitions. Times are
returned in ns, capacitances in pF, areas in the library's own unit (µm² by convention).
"""

import functools
import gzip
import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from ....hw.errors import UserError

_TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"((?:[^"\\]|\\.)*)"|([{}():;,])|(\\\s*\n)|([^\s{}():;,"\\]+)', re.DOTALL
)

_UNUSED = ("driver_waveform", "wire_load", "output_current", "receiver_capacitance",
           "leakage_power", "lut_template", "ccs", "normalized")  # fmt: skip
"""Groups (by a part of their name) that are skipped unread; they may be most of a file."""


@dataclass(frozen=True)
class Table:
    """A look-up table over one or two indices (or none: a constant)."""

    x: tuple[float, ...]
    y: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]

    def __call__(self, x: float, y: float) -> float:
        """Bilinear, extrapolated linearly beyond the ends."""
        rows = self.rows
        if len(self.x) < 2:
            return _linear(self.y, rows[0], y)
        i = min(max(bisect_right(self.x, x) - 1, 0), len(self.x) - 2)
        low, high = _linear(self.y, rows[i], y), _linear(self.y, rows[i + 1], y)
        return low + (high - low) * (x - self.x[i]) / (self.x[i + 1] - self.x[i])

    @property
    def middle(self) -> float:
        row = self.rows[len(self.rows) // 2]
        return row[len(row) // 2]


def _linear(index, values, at):
    if len(index) < 2:
        return values[0]
    i = min(max(bisect_right(index, at) - 1, 0), len(index) - 2)
    return values[i] + (values[i + 1] - values[i]) * (at - index[i]) / (index[i + 1] - index[i])


@dataclass(frozen=True)
class Arc:
    """A timing arc into pin ``to``: ``tables`` by Liberty's names (``cell_rise``, …), over input
    slew and load; of a constraint over data slew and clock slew (``rise_constraint``, …)."""

    start: str
    sense: str
    kind: str
    tables: dict[str, Table]


@dataclass
class Pin:
    direction: str
    capacitance: float
    function: str | None = None
    max_capacitance: float | None = None
    arcs: list[Arc] = field(default_factory=list)
    energies: list[tuple[str, dict[str, Table]]] = field(default_factory=list)
    """(related pin, {``rise_power``, ``fall_power``}) in the file's energy unit."""


@dataclass
class Cell:
    name: str
    area: float
    pins: dict[str, Pin]
    sequential: bool
    next_state: str | None = None
    clocked_on: str | None = None
    plain_ff: bool = False
    """A flip-flop with neither clear nor preset, its next state one input pin as it is."""
    special: str | None = None
    """Why synthesis must not use it, or ``None``."""

    @property
    def outputs(self):
        return {name: pin for name, pin in self.pins.items() if pin.direction == "output"}

    @property
    def inputs(self):
        return {name: pin for name, pin in self.pins.items() if pin.direction == "input"}


@dataclass
class Library:
    name: str
    path: Path
    digest: str
    cells: dict[str, Cell]
    energy_unit: float
    """Joule per unit of an energy table (capacitance unit times voltage unit squared)."""
    voltage: float

    @property
    def dont_use(self) -> list[str]:
        """Names of the cells that synthesis must not choose."""
        return [cell.name for cell in self.cells.values() if cell.special]

    def smallest(self, test) -> Cell | None:
        """The smallest usable cell for which ``test(cell)`` holds."""
        found = [c for c in self.cells.values() if not c.special and test(c)]
        return min(found, key=lambda c: (c.area, c.name), default=None)

    @functools.cached_property
    def flip_flop(self) -> Cell:
        """The smallest plain rising-edge flip-flop."""
        cell = self.smallest(
            lambda c: c.plain_ff and "!" not in c.clocked_on and len(c.outputs) == 1
        ) or self.smallest(lambda c: c.plain_ff and "!" not in c.clocked_on)
        if cell is None:
            raise UserError(f"{self.path}: the library has no plain D flip-flop")
        return cell

    def buffers(self) -> list[Cell]:
        """Usable buffers, by area."""
        found = []
        for cell in self.cells.values():
            if cell.special or cell.sequential or len(cell.inputs) != 1 or len(cell.outputs) != 1:
                continue
            (a,) = cell.inputs
            (pin,) = cell.outputs.values()
            if pin.function and pin.function.strip("() ") == a:
                found.append(cell)
        return sorted(found, key=lambda c: (c.area, c.name))

    def inverter(self) -> Cell | None:
        def test(c):
            if c.sequential or len(c.inputs) != 1 or len(c.outputs) != 1:
                return False
            (a,) = c.inputs
            (pin,) = c.outputs.values()
            text = (pin.function or "").replace("(", "").replace(")", "").replace(" ", "")
            return text in (f"!{a}", f"{a}'")

        return self.smallest(test)


@dataclass
class _Group:
    kind: str
    arguments: list[str]
    values: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)

    def get(self, name, default=None):
        return self.values.get(name, default)

    def all(self, kind):
        return [group for group in self.groups if group.kind == kind]


def text_of(path: Path) -> str:
    """The file's text, unpacked if it is gzipped."""
    try:
        data = Path(path).read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        reason = getattr(error, "strerror", None) or "is not a whole gzip file"
        raise UserError(f"{path}: {reason}") from None
    try:
        return data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        try:
            text = data.decode("latin-1")
        except UnicodeDecodeError:  # pragma: no cover
            text = ""
        if "\0" in text:
            raise UserError(f"{path}: is not a Liberty file (it is not text)") from None
        return text


@functools.lru_cache(maxsize=4)
def load(path) -> Library:
    """The library in ``path``; a :class:`UserError` of one line if it is none."""
    path = Path(path)
    return parse(text_of(path), path)


def parse(text: str, path=Path("liberty")) -> Library:
    top = _parse(text, path)
    time = _unit(top.get("time_unit", "1ns"), {"ps": 1e-3, "ns": 1.0, "us": 1e3}, path)
    # capacitive_load_unit(1.0, "pf")
    load = top.get("capacitive_load_unit", ["1", "pf"])
    capacitance = float(load[0]) * {"ff": 1e-3, "pf": 1.0, "nf": 1e3}[load[1].lower()]
    voltage = _number(top.get("nom_voltage"), 0.0)
    cells = {}
    templates = {
        group.arguments[0]: group for group in top.groups if group.kind.endswith("_template")
    }
    for group in top.all("cell"):
        cell = _cell(group, templates, time, capacitance)
        cells[cell.name] = cell
    if not cells:
        raise UserError(f"{path}: the library has no cells")
    return Library(
        name=top.arguments[0] if top.arguments else "library",
        path=Path(path),
        digest=hashlib.sha256(text.encode()).hexdigest()[:16],
        cells=cells,
        energy_unit=capacitance * 1e-12,
        voltage=voltage,
    )


def pruned(library: Library) -> str:
    """The library's text without the cells that must not be used and without the groups that
    synthesis does not read: a fraction of the length, and read by ABC at every call."""
    text = text_of(library.path)
    drop = set(library.dont_use)
    pieces, kept = [], 0
    pattern = re.compile(
        r"^[ \t]*(?:cell\s*\(\s*\"?([^\")\s]+)\"?\s*\)|"
        r"(?:normalized_driver_waveform|driver_waveform\w*|leakage_power|internal_power|wire_load|"
        r"ccsn?_\w+|output_current_\w+|receiver_capacitance\w*)\s*\([^)]*\))\s*\{",
        re.MULTILINE,
    )
    position = 0
    while match := pattern.search(text, position):
        if match[1] is not None and match[1] not in drop:
            position = match.end()
            continue
        pieces.append(text[kept : match.start()])
        depth, position = 1, match.end()
        for brace in _BRACE.finditer(text, position):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                position = kept = brace.end()
                break
        else:
            raise UserError(f"{library.path}: the Liberty file ends inside a group")
    return "".join([*pieces, text[kept:]])


_BRACE = re.compile(r"[{}]")


def _unit(text, units, path):
    match = re.fullmatch(r"([\d.]+)\s*(\w+)", text.strip())
    if match is None or match[2].lower() not in units:
        raise UserError(f"{path}: unit {text!r} is not known")
    return float(match[1]) * units[match[2].lower()]


def _number(text, default=0.0):
    try:
        return float(text)
    except (TypeError, ValueError):
        return default


def _parse(text: str, path) -> _Group:
    """The tree of groups. A stack machine: Liberty is ``name (arguments) { … }``,
    ``name : value ;`` and ``name (values) ;``."""
    root = _Group("", [])
    stack, words = [root], []
    arguments = None  # of the parenthesis being read, or read last
    inside = False
    skip = 0
    for match in _TOKEN.finditer(text):
        string, mark, _, word = match.groups()
        if mark is None:
            if string is None and word is None:
                continue
            if not skip:
                (arguments if inside else words).append(string if string is not None else word)
            continue
        if skip:
            skip += (mark == "{") - (mark == "}")
            if skip == 0:
                words, arguments = [], None
            continue
        if mark == "(":
            if inside and arguments is not None:  # an expression, as in a value without quotes
                continue
            inside, arguments = True, []
        elif mark == ")":
            inside = False
        elif mark == "{":
            if not words:
                raise UserError(f"{path}: is not a Liberty file")
            if any(part in words[0] for part in _UNUSED) and not words[0].endswith("_template"):
                skip = 1
                continue
            group = _Group(words[0], arguments or [])
            stack[-1].groups.append(group)
            stack.append(group)
            words, arguments = [], None
        elif mark == "}":
            if len(stack) == 1:
                raise UserError(f"{path}: is not a Liberty file (a closing brace too many)")
            _attribute(stack[-1], words, arguments)
            stack.pop()
            words, arguments = [], None
        elif mark == ";":
            _attribute(stack[-1], words, arguments)
            words, arguments = [], None
    libraries = root.all("library")
    if not libraries:
        raise UserError(f"{path}: is not a Liberty file (it has no library group)")
    if len(stack) > 1:
        raise UserError(f"{path}: the Liberty file ends inside {stack[-1].kind}")
    return libraries[0]


def _attribute(group, words, arguments):
    if not words:
        return
    if arguments is not None and len(words) == 1:
        group.values[words[0]] = arguments
    elif len(words) > 1:
        group.values[words[0]] = " ".join(words[1:])


def _floats(texts):
    return tuple(float(v) for text in texts for v in text.replace(",", " ").split())


def _table(group, templates, x_scale, y_scale, scale) -> Table:
    template = templates.get(group.arguments[0]) if group.arguments else None

    def index(name, factor):
        given = group.get(name) or (template.get(name) if template else None)
        return tuple(v * factor for v in _floats(given)) if given else ()

    x, y = index("index_1", x_scale), index("index_2", y_scale)
    values = group.get("values", ["0"])
    rows = tuple(tuple(v * scale for v in _floats([text])) for text in values)
    first = (template.get("variable_1") if template else "") or ""
    if len(rows) == 1 and x and y and len(rows[0]) == len(x) * len(y):
        rows = tuple(rows[0][i * len(y) : (i + 1) * len(y)] for i in range(len(x)))
    if x and not y:  # one index only
        flat = tuple(v for row in rows for v in row)
        if "capacitance" in first:
            return Table((), tuple(v / x_scale * y_scale for v in x), (flat,))
        return Table(x, (), tuple((v,) for v in flat))
    # Slew before load, and in a constraint data slew before clock slew: turn others over.
    if y and ("capacitance" in first or first.startswith("related")):
        x, y = (
            tuple(v / y_scale * x_scale for v in y),
            tuple(v / x_scale * y_scale for v in x),
        )
        rows = tuple(zip(*rows, strict=True))
    return Table(x, y, rows)


_DELAYS = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
_CONSTRAINTS = ("rise_constraint", "fall_constraint")
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


def _cell(group, templates, time, capacitance) -> Cell:
    name = group.arguments[0]
    pins = {}
    special = None
    for key, reason in _SPECIAL.items():
        if str(group.get(key, "false")).lower() not in ("false", ""):
            special = reason
    if special is None and _SPECIAL_NAME.search(name):
        special = "delay, probe, clock-tree or low-power cell by its name"
    for pin in group.all("pin"):
        made = Pin(
            direction=pin.get("direction", "input"),
            capacitance=_number(pin.get("capacitance")) * capacitance,
            function=pin.get("function"),
            max_capacitance=(
                _number(pin.get("max_capacitance")) * capacitance
                if "max_capacitance" in pin.values
                else None
            ),
        )
        if pin.get("three_state"):
            special = special or "tri-state output"
        if str(pin.get("nextstate_type", "")).startswith("scan"):
            special = special or "scan cell"
        for timing in pin.all("timing"):
            tables = {}
            constraint = any(timing.all(kind) for kind in _CONSTRAINTS)
            for kind in _DELAYS + _CONSTRAINTS:
                for table in timing.all(kind):
                    y = time if constraint else capacitance
                    tables[kind] = _table(table, templates, time, y, time)
            if not tables:
                continue
            for start in str(timing.get("related_pin", "")).split():
                made.arcs.append(
                    Arc(
                        start,
                        timing.get("timing_sense", "non_unate"),
                        timing.get("timing_type", "combinational"),
                        tables,
                    )
                )
        for power in pin.all("internal_power"):
            tables = {
                kind: _table(table, templates, time, capacitance, 1.0)
                for kind in ("rise_power", "fall_power", "power")
                for table in power.all(kind)
            }
            if tables:
                made.energies.append((str(power.get("related_pin", "")), tables))
        for pin_name in pin.arguments:
            pins[pin_name] = made
    if group.all("test_cell"):
        special = special or "scan cell"
    if group.all("latch") or group.all("statetable"):
        special = special or "latch"
    flip_flops = group.all("ff")
    outputs = [pin for pin in pins.values() if pin.direction == "output"]
    if not outputs:
        special = special or "no output"
    ff = flip_flops[0] if flip_flops else None
    state = (ff.get("next_state", "") if ff else "").strip("() ")
    plain = ff is not None and state in pins and "clear" not in ff.values
    return Cell(
        name=name,
        area=_number(group.get("area")),
        pins=pins,
        sequential=bool(flip_flops or group.all("latch") or group.all("statetable")),
        next_state=state or None,
        clocked_on=str(ff.get("clocked_on", "")).strip("() ") if ff else None,
        plain_ff=plain and "preset" not in ff.values and special is None,
        special=special,
    )
