"""Power of a mapped netlist from its simulated activity and the library's energies.

A change of a net costs half of C V² (C: the pins that read it) and what the driving cell's
``internal_power`` tables say, of both edges on average; a cell's input may cost something of its
own. Of the tables of several related pins, those count more whose nets change more. The clock's
pins cost two edges per cycle. Not in it: glitches, wires, the clock's tree, memories.
"""

from dataclasses import dataclass, field

from ....hw.engine import array_choice
from ....hw.errors import UserError
from . import serial_stimuli, stimuli
from .activity import Simulator
from .blocks import PARTS
from .library import Library, Pin
from .netlist import Instance, Netlist
from .stimuli import STREAMS, Stimulus
from .timing import load_of

SLEW = 0.1
"""ns, of every net: the tables hardly depend on it."""

SEED = 1

CLOCK_EDGES = 2
"""Per cycle."""


@dataclass(frozen=True)
class Power:
    """``energy``: pJ per cycle by part, clock pins included; ``clock``: of these, clock pins;
    ``leakage`` in nW; ``macs`` per cycle."""

    energy: dict[str, float]
    clock: float
    leakage: float
    macs: float
    seed: int
    sample: dict = field(default_factory=dict)

    @property
    def per_mac(self) -> float:
        """pJ, leakage not included."""
        return sum(self.energy.values()) / self.macs

    def milliwatts(self, period: float) -> float:
        """At a clock of ``period`` ns, leakage not included."""
        return sum(self.energy.values()) / period

    def table(self, period: float) -> dict:
        return {
            "pj_per_mac": round(self.per_mac, 4),
            "parts_pj_per_mac": {p: round(e / self.macs, 4) for p, e in self.energy.items()},
            "clock_pins_pj_per_mac": round(self.clock / self.macs, 4),
            "clock_mhz": round(1e3 / period, 1),
            "mw": round(self.milliwatts(period), 4),
            "leakage_mw": round(self.leakage * 1e-6, 9),
            "macs_per_cycle": round(self.macs, 4),
            "seed": self.seed,
            **self.sample,
        }


def estimate(
    netlist: Netlist,
    library: Library,
    stimulus: Stimulus,
    *,
    owners: dict[str, str] | None = None,
    default: str = "pes",
    clock: str = "clk",
    seed: int = SEED,
) -> Power:
    """``owners``: part of every instance by name, ``default`` of those that are not there. The
    nets that the design's inputs drive are the part ``inputs``."""
    if not library.voltage:
        raise UserError(f"{library.path}: has no nom_voltage, which power needs")
    toggles = Simulator(netlist, library, STREAMS).toggles(stimulus.drive, stimulus.warm)
    register = library.flip_flop
    loads = load_of(netlist, library, register.pins[register.next_state])
    energy: dict[str, float] = {}
    clocks = 0.0
    charge = library.voltage**2 / 2

    def add(part, value):
        energy[part] = energy.get(part, 0.0) + value

    for instance in netlist.instances:
        cell = library.cells[instance.type]
        part = (owners or {}).get(instance.name, default)
        for name, net in instance.pins.items():
            pin = cell.pins[name]
            if cell.clocked_on and name == cell.clocked_on.strip("!'"):
                edge = pin.capacitance * charge + internal(pin, instance, toggles, 0.0)
                clocks += CLOCK_EDGES * edge
                add(part, CLOCK_EDGES * edge)
            elif toggles.get(net):
                load = loads.get(net, 0.0) if pin.direction == "output" else 0.0
                each = load * charge + internal(pin, instance, toggles, load)
                add(part, toggles[net] * each)
    for port, nets in netlist.inputs.items():
        if port != clock:
            for net in nets:
                add("inputs", toggles.get(net, 0.0) * loads.get(net, 0.0) * charge)
    leakage = sum(library.cells[instance.type].leakage for instance in netlist.instances)
    order = (*PARTS, *(part for part in energy if part not in PARTS and part != "inputs"), "inputs")
    energy = {part: energy[part] for part in order if part in energy}
    return Power(energy, clocks, leakage, stimulus.macs, seed, stimulus.sample)


def check(config) -> None:
    """A :class:`UserError` if power cannot be estimated of a configuration's array."""
    if config.array.kind == "digit_serial":
        serial_stimuli.check(dict(array_choice(config).parameters)["pe"])


def of_array(result, library: Library, seed: int = SEED) -> Power:
    """Of an array's :class:`.measure.Result`."""
    stimulus = stimuli.array(result.config, seed)
    # Buffers that were put in between blocks are counted as the area's are.
    return estimate(
        result.mapped.flat, library, stimulus, owners=result.owners, default="registers", seed=seed
    )


def internal(pin: Pin, instance: Instance, toggles: dict[int, float], load: float) -> float:
    """pJ inside the cell per change of ``pin``."""
    total = weights = 0.0
    values = []
    for related, tables in pin.energies:
        edges = [table(SLEW, load) for table in (tables.get(e) for e in _EDGES) if table]
        value = sum(edges) / len(edges)
        nets = [instance.pins.get(name) for name in related.split()]
        weight = sum(toggles.get(net, 0.0) for net in nets)
        values.append(value)
        total += weight * value
        weights += weight
    if weights:
        return total / weights
    return sum(values) / len(values) if values else 0.0


_EDGES = ("rise_power", "fall_power")
