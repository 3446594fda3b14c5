"""Static timing of a mapped netlist: the longest register-to-register path, with Liberty's tables.

Rising and falling edges apart, slews propagated, loads the sum of the pins' capacitances (no wires:
nothing is placed, and ABC's own analysis has none either). Inputs of the design come from
flip-flops of the library, and outputs are captured by such flip-flops: a path through a port is a
register-to-register path as well, clock-to-output and set-up time included.
"""

from dataclasses import dataclass, field

from .library import Library, Pin
from .netlist import Netlist, in_order

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


def load_of(
    netlist: Netlist, library: Library, reader: Pin | None = None, edge: str | None = None
) -> dict[int, float]:
    """Capacitance (pF) on every net, to a ``rise`` or ``fall`` or on average; ``reader``: the pin
    behind every output of the design."""
    loads = {}

    def add(net, pin):
        loads[net] = loads.get(net, 0.0) + (pin.load(edge) if edge else pin.capacitance)

    for instance in netlist.instances:
        pins = library.cells[instance.type].pins
        for pin, net in instance.pins.items():
            if pins[pin].direction == "input":
                add(net, pins[pin])
    for bits in netlist.outputs.values() if reader else ():
        for net in bits:
            add(net, reader)
    return loads


def analyse(netlist: Netlist, library: Library, *, clock: str = "clk") -> Timing:
    """The longest path of the netlist."""
    return _Analysis(netlist, library, clock).run()


class _Analysis:
    def __init__(self, netlist: Netlist, library: Library, clock: str):
        self.netlist, self.clock = netlist, clock
        self.order = in_order(netlist, library)
        kinds = {instance.type for instance in netlist.instances}
        self.kinds = {kind: _Characterized(library.cells[kind]) for kind in kinds}
        register = library.flip_flop
        self.data, self.edge = register.next_state, _Characterized(register)
        """The flip-flops in front of inputs and behind outputs."""
        pin = register.pins[self.data]
        self.loads = [load_of(netlist, library, pin, edge) for edge in ("rise", "fall")]
        """Of rising and of falling edges."""
        self.arrivals: dict[int, _Arrival] = {}
        self.starts: dict[int, str] = {}

    def run(self) -> Timing:
        self._launch_all()
        for instance in self.order:
            for pin, arcs in self.kinds[instance.type].delays.items():
                net = instance.pins.get(pin)
                if net is not None:
                    at = self.arrivals.setdefault(net, _Arrival())
                    _propagate(self.arrivals, at, instance, arcs, self._loads(net))
        worst = Timing(0.0)
        final = None
        for net, arcs, name in self._ends():
            at = self.arrivals.get(net)
            if at is None:
                continue
            for edge in ("rise", "fall"):
                time = getattr(at, edge) + _setup(arcs, edge, getattr(at, f"{edge}_slew"))
                if time > worst.critical:
                    worst = Timing(time, endpoint=name)
                    final = (net, edge)
        if final is not None:
            worst.path, worst.startpoint = self._trace(*final)
        slews = (max(at.rise_slew, at.fall_slew) for at in self.arrivals.values())
        worst.worst_slew = max(slews, default=0.0)
        return worst

    def _loads(self, net: int) -> tuple[float, float]:
        rise, fall = self.loads
        return rise.get(net, 0.0), fall.get(net, 0.0)

    def _launch_all(self) -> None:
        """Arrivals at what flip-flops drive, and at the inputs."""
        arcs = next(iter(self.edge.launch.values()))
        for port, bits in self.netlist.inputs.items():
            if port != self.clock:
                for net in bits:
                    self._launch(net, arcs, f"input {port}")
        for instance in self.netlist.instances:
            kind = self.kinds[instance.type]
            if kind.clock:
                for pin, arcs in kind.launch.items():
                    if pin in instance.pins:
                        self._launch(instance.pins[pin], arcs, instance.name)

    def _launch(self, net: int, arcs: list, name: str) -> None:
        at = self.arrivals.setdefault(net, _Arrival())
        for arc in arcs:
            for edge, load in zip(("rise", "fall"), self._loads(net), strict=True):
                if f"cell_{edge}" in arc.tables:
                    time = arc.tables[f"cell_{edge}"](CLOCK_SLEW, load)
                    slew = arc.tables[f"{edge}_transition"](CLOCK_SLEW, load)
                    setattr(at, edge, max(getattr(at, edge), time))
                    setattr(at, f"{edge}_slew", max(getattr(at, f"{edge}_slew"), slew))
        self.starts[net] = name

    def _ends(self):
        """(net, constraints, name) of every data input of a flip-flop, and of every output."""
        clocks = set(self.netlist.inputs.get(self.clock, []))
        for instance in self.netlist.instances:
            kind = self.kinds[instance.type]
            if kind.clock:
                for pin, arcs in kind.setup.items():
                    net = instance.pins.get(pin)
                    if net is not None and net not in clocks:
                        yield net, arcs, self.netlist.names.get(net, instance.name)
        for port, bits in self.netlist.outputs.items():
            for net in bits:
                yield net, self.edge.setup.get(self.data, []), f"output {port}"

    def _trace(self, net: int, edge: str) -> tuple[list[tuple[str, float]], str]:
        """The path that ends at ``net``, and what it starts at."""
        path = []
        while True:
            at = self.arrivals[net]
            path.append((self.netlist.names.get(net, f"net{net}"), round(getattr(at, edge), 4)))
            before = getattr(at, f"{edge}_from")
            if before is None:
                return path[::-1], self.starts.get(net, "constant")
            net, edge = before


def _setup(arcs: list, edge: str, slew: float) -> float:
    name = f"{edge}_constraint"
    return max((a.tables[name](slew, CLOCK_SLEW) for a in arcs if name in a.tables), default=0.0)


_EDGES = {
    "positive_unate": (("rise", "rise"), ("fall", "fall")),
    "negative_unate": (("fall", "rise"), ("rise", "fall")),
}
_ALL_EDGES = (("rise", "rise"), ("fall", "rise"), ("rise", "fall"), ("fall", "fall"))


def _propagate(arrivals, out: _Arrival, instance, arcs, loads: tuple[float, float]) -> None:
    load_rise, load_fall = loads
    for arc in arcs:
        source = instance.pins.get(arc.start)
        at = arrivals.get(source)
        if at is None:
            continue
        tables = arc.tables
        for before, after in _EDGES.get(arc.sense, _ALL_EDGES):
            if before == "rise":
                time, slew = at.rise, at.rise_slew
            else:
                time, slew = at.fall, at.fall_slew
            if time == float("-inf") or f"cell_{after}" not in tables:
                continue
            if after == "rise":
                time += tables["cell_rise"](slew, load_rise)
                slew = tables["rise_transition"](slew, load_rise)
                if time > out.rise:
                    out.rise, out.rise_from = time, (source, before)
                out.rise_slew = max(out.rise_slew, slew)
            else:
                time += tables["cell_fall"](slew, load_fall)
                slew = tables["fall_transition"](slew, load_fall)
                if time > out.fall:
                    out.fall, out.fall_from = time, (source, before)
                out.fall_slew = max(out.fall_slew, slew)
