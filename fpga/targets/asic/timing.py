"""Static timing of a mapped netlist: the longest register-to-register path, with Liberty's tables.

Rising and falling edges apart, slews propagated, loads the sum of the pins' capacitances (no wires:
nothing is placed, and ABC's own analysis has none either). Inputs of the design come from
flip-flops of the library, and outputs are captured by such flip-flops: a path through a port is a
register-to-register path as well, clock-to-output and set-up time included.
"""

from dataclasses import dataclass, field

from ....hw.errors import UserError
from .library import Library
from .netlist import Netlist

CLOCK_SLEW = 0.05
"""ns, of an ideal clock tree."""


@dataclass
class Timing:
    """``critical`` (ns): clock to output, logic and set-up of the longest path, which goes through
    the nets in ``path`` ((name, arrival in ns), from start to end)."""

    critical: float
    path: list[tuple[str, float]] = field(default_factory=list)
    endpoint: str = ""
    startpoint: str = ""
    worst_slew: float = 0.0

    @property
    def fmax(self) -> float:
        """MHz."""
        return 1e3 / self.critical if self.critical else float("inf")


class _Arrival:
    """Arrival time and slew of both edges of a net, and where the worse came from."""

    __slots__ = ("fall", "fall_from", "fall_slew", "rise", "rise_from", "rise_slew")

    def __init__(self):
        self.rise = self.fall = float("-inf")
        self.rise_slew = self.fall_slew = 0.0
        self.rise_from = self.fall_from = None


class _Characterized:
    """Arcs of a library cell, sorted for use."""

    def __init__(self, cell):
        self.capacitance = {name: pin.capacitance for name, pin in cell.inputs.items()}
        self.clock = cell.clocked_on.strip("!() '") if cell.clocked_on else None
        self.delays, self.launch, self.setup = {}, {}, {}
        for name, pin in cell.pins.items():
            for arc in pin.arcs:
                if pin.direction == "output":
                    kind = self.launch if "edge" in arc.kind else self.delays
                    if "edge" in arc.kind or arc.kind == "combinational":
                        kind.setdefault(name, []).append(arc)
                elif arc.kind.startswith("setup"):
                    self.setup.setdefault(name, []).append(arc)


def load_of(netlist: Netlist, library: Library, port_load: float) -> dict[int, float]:
    """Capacitance (pF) on every net."""
    loads = {}
    for instance in netlist.instances:
        pins = library.cells[instance.type].pins
        for pin, net in instance.pins.items():
            if pins[pin].direction == "input":
                loads[net] = loads.get(net, 0.0) + pins[pin].capacitance
    for bits in netlist.outputs.values():
        for net in bits:
            loads[net] = loads.get(net, 0.0) + port_load
    return loads


def analyse(netlist: Netlist, library: Library, *, clock: str = "clk") -> Timing:
    """The longest path of the netlist."""
    kinds = {}
    for instance in netlist.instances:
        if instance.type not in kinds:
            cell = library.cells.get(instance.type)
            if cell is None:
                raise UserError(f"{library.path}: has no cell {instance.type}")
            kinds[instance.type] = _Characterized(cell)
    register = library.flip_flop
    drive = _Characterized(register)
    data = register.next_state
    loads = load_of(netlist, library, drive.capacitance[data])

    arrivals: dict[int, _Arrival] = {}
    starts: dict[int, str] = {}
    clocks = set(netlist.inputs.get(clock, []))

    def launch(net, arcs, name):
        at = arrivals.setdefault(net, _Arrival())
        load = loads.get(net, 0.0)
        for arc in arcs:
            tables = arc.tables
            if "cell_rise" in tables:
                at.rise = max(at.rise, tables["cell_rise"](CLOCK_SLEW, load))
                at.rise_slew = max(at.rise_slew, tables["rise_transition"](CLOCK_SLEW, load))
            if "cell_fall" in tables:
                at.fall = max(at.fall, tables["cell_fall"](CLOCK_SLEW, load))
                at.fall_slew = max(at.fall_slew, tables["fall_transition"](CLOCK_SLEW, load))
        starts[net] = name

    (launch_arcs,) = list(drive.launch.values())[:1]
    for port, bits in netlist.inputs.items():
        if port != clock:
            for net in bits:
                launch(net, launch_arcs, f"input {port}")

    # Combinational cells in topological order.
    waiting, readers, ends = {}, {}, []
    driven = {}
    for index, instance in enumerate(netlist.instances):
        kind = kinds[instance.type]
        if kind.clock:
            for pin, arcs in kind.launch.items():
                if pin in instance.pins:
                    launch(instance.pins[pin], arcs, instance.name)
            for pin, arcs in kind.setup.items():
                if pin in instance.pins:
                    ends.append((instance.pins[pin], arcs, instance))
            continue
        for pin in kind.delays:
            if pin in instance.pins:
                driven[instance.pins[pin]] = index
    for index, instance in enumerate(netlist.instances):
        kind = kinds[instance.type]
        if kind.clock:
            continue
        count = 0
        for pin in kind.capacitance:
            net = instance.pins.get(pin)
            if net in driven:
                readers.setdefault(net, []).append(index)
                count += 1
        waiting[index] = count
    ready = [index for index, count in waiting.items() if count == 0]
    done = 0
    while ready:
        index = ready.pop()
        done += 1
        instance = netlist.instances[index]
        for pin, arcs in kinds[instance.type].delays.items():
            net = instance.pins.get(pin)
            if net is None:
                continue
            _propagate(arrivals, instance, arcs, net, loads.get(net, 0.0))
            for reader in readers.get(net, ()):
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    if done < len(waiting):
        raise UserError("the netlist has a combinational loop")

    worst = Timing(0.0)
    final = None
    for net, arcs, instance in ends:
        at = arrivals.get(net)
        if at is None or net in clocks:
            continue
        for edge in ("rise", "fall"):
            time, slew = getattr(at, edge), getattr(at, f"{edge}_slew")
            setup = max(
                (
                    arc.tables[f"{edge}_constraint"](slew, CLOCK_SLEW)
                    for arc in arcs
                    if f"{edge}_constraint" in arc.tables
                ),
                default=0.0,
            )
            if time + setup > worst.critical:
                worst = Timing(time + setup, endpoint=netlist.names.get(net, instance.name))
                final = (net, edge)
    setup_arcs = drive.setup.get(data, [])
    for port, bits in netlist.outputs.items():
        for net in bits:
            at = arrivals.get(net)
            if at is None:
                continue
            for edge in ("rise", "fall"):
                time, slew = getattr(at, edge), getattr(at, f"{edge}_slew")
                setup = max(
                    (arc.tables[f"{edge}_constraint"](slew, CLOCK_SLEW) for arc in setup_arcs
                     if f"{edge}_constraint" in arc.tables),
                    default=0.0,
                )  # fmt: skip
                if time + setup > worst.critical:
                    worst = Timing(time + setup, endpoint=f"output {port}")
                    final = (net, edge)
    if final is not None:
        net, edge = final
        path = []
        while True:
            at = arrivals[net]
            path.append((netlist.names.get(net, f"net{net}"), round(getattr(at, edge), 4)))
            before = getattr(at, f"{edge}_from")
            if before is None:
                worst.startpoint = starts.get(net, "constant")
                break
            net, edge = before
        worst.path = path[::-1]
    worst.worst_slew = max(
        (max(at.rise_slew, at.fall_slew) for at in arrivals.values()), default=0.0
    )
    return worst


def _propagate(arrivals, instance, arcs, net, load):
    out = arrivals.get(net)
    if out is None:
        out = arrivals[net] = _Arrival()
    for arc in arcs:
        source = instance.pins.get(arc.start)
        at = arrivals.get(source)
        if at is None:
            continue
        tables, sense = arc.tables, arc.sense
        if sense == "positive_unate":
            pairs = (("rise", "rise"), ("fall", "fall"))
        elif sense == "negative_unate":
            pairs = (("fall", "rise"), ("rise", "fall"))
        else:
            pairs = (("rise", "rise"), ("fall", "rise"), ("rise", "fall"), ("fall", "fall"))
        for before, after in pairs:
            if before == "rise":
                time, slew = at.rise, at.rise_slew
            else:
                time, slew = at.fall, at.fall_slew
            if time == float("-inf"):
                continue
            if after == "rise":
                time += tables["cell_rise"](slew, load)
                slew = tables["rise_transition"](slew, load)
                if time > out.rise:
                    out.rise, out.rise_from = time, (source, before)
                if slew > out.rise_slew:
                    out.rise_slew = slew
            else:
                time += tables["cell_fall"](slew, load)
                slew = tables["fall_transition"](slew, load)
                if time > out.fall:
                    out.fall, out.fall_from = time, (source, before)
                if slew > out.fall_slew:
                    out.fall_slew = slew
