"""What is kept of a standard-cell library: cells, pins, and their tables.

Times are in ns, capacitances in pF, energies in pJ, leakage in nW, areas in the library's own unit
(µm² by convention).
"""

import functools
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path

from ....hw.errors import UserError


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
    rise_capacitance: float | None = None
    """What a rising edge sees, where the library tells; so for the falling one."""
    fall_capacitance: float | None = None
    arcs: list[Arc] = field(default_factory=list)
    energies: list[tuple[str, dict[str, Table]]] = field(default_factory=list)
    """(related pin, {``rise_power``, ``fall_power``}): pJ per edge of this pin, the charge of the
    net outside not included, over input slew and load."""

    def load(self, edge: str) -> float:
        """Capacitance that a ``rise`` or ``fall`` sees."""
        own = getattr(self, f"{edge}_capacitance")
        return self.capacitance if own is None else own


@dataclass
class Cell:
    name: str
    area: float
    pins: dict[str, Pin]
    sequential: bool
    leakage: float = 0.0
    """nW, the library's mean over its states."""
    next_state: str | None = None
    """Function of input pins and of :attr:`state`."""
    clocked_on: str | None = None
    state: tuple[str, ...] = ()
    """What functions of outputs call the state and its complement."""
    asynchronous: bool = False
    """Whether the flip-flop has a clear or preset."""
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
    voltage: float
    """V, nominal; 0 if the file does not tell."""

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
