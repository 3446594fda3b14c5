"""A component's netlist as it is emitted, with each gate's place in the hierarchy and in the code.

Amaranth's own intermediate netlist: one cell per operator, register or decision, words not bits.
Inverters and constant shifts are looked through: they are no box in a datapath.
"""

import ast
import functools
from pathlib import Path

from amaranth.hdl import ClockDomain, Instance
from amaranth.hdl import _nir as nir
from amaranth.hdl._ir import Fragment, PortDirection, build_netlist

from matweave.hw import emit

CLOCK = ("clk", "rst")


class Circuit:
    """``component``, elaborated flat but for the parts that are ``boxed`` (a function of a
    component): each of those is one cell. ``components``: every component by its path, those inside
    of boxes too; ``cells``: the netlist's (cell 0 has the ports)."""

    def __init__(self, component, boxed):
        fragment = Fragment.get(component, None)
        self.components = dict(_hierarchy(fragment, (type(component).__name__,)))
        _box(fragment, boxed)
        domain = ClockDomain("sync")
        fragment.add_domains(domain)
        ports = {name: (getattr(domain, name), PortDirection.Input) for name in CLOCK}
        top = next(iter(self.components))[0]
        self.netlist = build_netlist(fragment, ports=ports | emit._ports(component), name=top)
        self.cells = self.netlist.cells
        self.outputs = {name: list(nets) for name, nets in self.netlist.top.ports_o.items()}
        self._names = {}
        self.ports = {}  # bit of cell 0 -> name of the input port
        for name, (start, width) in self.netlist.top.ports_i.items():
            self.ports |= dict.fromkeys(range(start, start + width), name)

    def path(self, cell: int) -> tuple[str, ...]:
        """Names of the components that a cell is in, outermost first."""
        return self.netlist.modules[self.cells[cell].module_idx].name

    def box_path(self, cell: int) -> tuple[str, ...]:
        """The path of the component that a box stands for."""
        return (*self.path(cell), self.cells[cell].name)

    def driver(self, net) -> int | None:
        """The cell that drives a net; ``None`` for constants, clock and reset."""
        if net.is_const or (net.cell == 0 and self.ports[net.bit] in CLOCK):
            return None
        return net.cell

    def source(self, net):
        """The net that ``net`` is, or is the inverse of, possibly a constant."""
        while not net.is_const:
            gate, operator = self.cells[net.cell], self.operator(net.cell)
            if operator == "~" or (operator in ("b", "r&", "r|") and len(gate.inputs[0]) == 1):
                net = gate.inputs[0][net.bit]
            elif operator in ("<<", "u>>") and all(each.is_const for each in gate.inputs[1]):
                value, by = gate.inputs
                places = sum(each.const << bit for bit, each in enumerate(by))
                bit = net.bit + (places if operator == "u>>" else -places)
                net = value[bit] if 0 <= bit < len(value) else nir.Net.from_const(0)
            elif isinstance(gate, nir.AssignmentList) and all(
                each.cond == nir.Net.from_const(1) for each in self._assignments(gate)
            ):  # a vector put together from parts
                net = _last(gate.default, self._assignments(gate), net.bit)
            else:
                return net
        return net

    def operator(self, cell: int) -> str:
        return getattr(self.cells[cell], "operator", "")

    def inputs(self, cell: int) -> list[tuple[str, list]]:
        """``("data" or "select", nets)`` of each input, inverters looked through."""
        gate = self.cells[cell]
        if isinstance(gate, nir.Top):
            found = []
        elif isinstance(gate, nir.FlipFlop):
            found = [("data", gate.data)]
        elif isinstance(gate, nir.AssignmentList):
            found = [("data", gate.default)]
            for each in self._assignments(gate):
                found += [("select", self.decided_by(each.cond)), ("data", each.value)]
        elif isinstance(gate, nir.Part):
            found = [("data", gate.value), ("select", gate.offset)]
        elif self.operator(cell) == "m":
            found = list(zip(("select", "data", "data"), gate.inputs, strict=True))
        elif self.operator(cell) in ("&", "^") and self.replicated(cell) is not None:
            which = self.replicated(cell)
            roles = ["select" if n == which else "data" for n in range(2)]
            found = list(zip(roles, gate.inputs, strict=True))
        elif isinstance(gate, nir.Operator):
            found = [("data", nets) for nets in gate.inputs]
        else:
            found = [("data", sorted(gate.input_nets()))]
        return [(role, [self.source(net) for net in nets]) for role, nets in found]

    def _assignments(self, gate) -> list:
        """A decision's assignments, but for what reset does."""
        return [
            each
            for each in gate.assignments
            if each.cond.is_const
            or any(self.driver(net) is not None for net in self.decided_by(each.cond))
        ]

    def decided_by(self, net) -> list:
        """What the condition of an assignment compares."""
        if net.is_const or net.cell == 0:
            return [] if net.is_const else [net]
        gate = self.cells[net.cell]
        if isinstance(gate, nir.Matches):
            return list(gate.value)
        if isinstance(gate, nir.PriorityMatch):
            parts = [gate.en, *gate.inputs[: net.bit + 1]]
            return list(dict.fromkeys(bit for part in parts for bit in self.decided_by(part)))
        return [net]

    def replicated(self, cell: int) -> int | None:
        """Which input of a binary gate is one and the same bit everywhere, if one is."""
        for number, nets in enumerate(self.cells[cell].inputs):
            if len(nets) > 1 and len(set(nets)) == 1 and not nets[0].is_const:
                return number
        return None

    def function(self, cell: int) -> str:
        """Name of the function whose line made a cell."""
        where = self.cells[cell].src_loc
        return _function(*where) if where else ""

    def written_in(self, cell: int, file: str) -> bool:
        """Whether a line of ``file`` made a cell."""
        where = self.cells[cell].src_loc
        return bool(where) and Path(where[0]) == Path(file)

    def name(self, net, module: int) -> str:
        """What a net is called in the module of that number, or else anywhere; ``""``: nothing."""
        return self._named(module).get(net) or self._everywhere.get(net, "")

    @functools.cached_property
    def _everywhere(self):
        names = {}
        for signal, nets in self.netlist.signals.items():
            for bit, net in enumerate(nets):
                names.setdefault(net, _bit_name(signal.name, bit, len(nets)))
        return names

    def _named(self, module: int):
        if module not in self._names:
            found = self._names[module] = {}
            for signal, name in self.netlist.modules[module].signal_names.items():
                for bit, net in enumerate(self.netlist.signals[signal]):
                    # A bit with a name of its own is not called by the vector's it is put into.
                    if net not in found or len(signal) == 1:
                        found[net] = _bit_name(name, bit, len(signal))
        return self._names[module]


def _last(default, assignments, bit: int):
    net = default[bit]
    for each in assignments:
        if 0 <= bit - each.start < len(each.value):
            net = each.value[bit - each.start]
    return net


def _bit_name(name: str, bit: int, width: int) -> str:
    return f"{name}[{bit}]" if width > 1 else name


def _box(fragment, boxed):
    for index, (part, name, where) in enumerate(fragment.subfragments):
        component = part.origins[0] if part.origins else None
        if component is not None and boxed(component):
            ports = {
                ("i_" if direction is PortDirection.Input else "o_") + port: value
                for port, (value, direction) in emit._ports(component).items()
            }
            fragment.subfragments[index] = Instance(type(component).__name__, **ports), name, where
        else:
            _box(part, boxed)


def _hierarchy(fragment, path):
    yield path, fragment.origins[0] if fragment.origins else None
    for part, name, _ in fragment.subfragments:
        yield from _hierarchy(part, (*path, name))


@functools.cache
def _functions(file: str):
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def _function(file: str, line: int) -> str:
    around = [node for node in _functions(file) if node.lineno <= line <= node.end_lineno]
    return max(around, key=lambda node: node.lineno).name if around else ""
