"""From gates to blocks: connected gates of one kind are one block of a datapath."""

from collections import defaultdict
from dataclasses import dataclass, field

from amaranth.hdl import _nir as nir
from amaranth.lib import wiring

from matweave.hw.array.skew import Delay, Skew

from .circuit import Circuit
from .counters import Counters

OPERANDS = ("a", "b", "w", "select", "a_tdata", "b_tdata")
RESULTS = ("o", "r_data", "o_data", "c_tdata")
"""Ports that a datapath leads from and to, of arrays, cores and their parts; any others are
control."""

EDGE, PE, DRAIN = "edge", "pe", "drain"


@dataclass(eq=False)
class Block:
    """``kind``: port, result, box, register, multiplexer, complement, counters, adder, multiplier
    or logic. ``path``: the component it is in. ``copies``: the cells of each of several blocks
    that are drawn as one. ``inputs``: nets by role."""

    kind: str
    path: tuple[str, ...]
    copies: list[list[int]]
    name: str = ""
    inputs: dict[str, list] = field(default_factory=dict)
    section: str = EDGE

    @property
    def cells(self) -> list[int]:
        return [cell for copy in self.copies for cell in copy]


class Blocks:
    """The blocks of ``circuit`` through which operands flow to results, and what they read.

    ``inside``: paths of the PEs, or of what has them; ``pes``: of the PEs that are no boxes.
    """

    def __init__(self, circuit: Circuit, inside: list[tuple[str, ...]], pes=()):
        self.circuit, self.inside, self.pes = circuit, inside, pes
        self.counters = Counters(circuit)
        self._control = self._control_nets()
        self.kinds = [self._kind(cell) for cell in range(len(circuit.cells))]
        self._absorb_holds()
        self.of_cell = {}  # cell -> block; ports: (0, name)
        self.blocks = self._joined()
        self._connect()
        self._keep_data()
        self._place()

    def block_of(self, net) -> Block | None:
        """The block that drives a net."""
        driver = self.circuit.driver(net)
        if driver is None or net in self._control:
            return None
        return self.of_cell.get((0, self.circuit.ports[net.bit]) if driver == 0 else driver)

    def _control_nets(self) -> set:
        """What boxes and PEs give out besides results."""
        circuit, found = self.circuit, set()
        for cell, gate in enumerate(circuit.cells):
            if isinstance(gate, nir.Instance):
                for name, (start, width) in gate.ports_o.items():
                    if name not in RESULTS:
                        bits = range(start, start + width)
                        found |= {nir.Net.from_cell(cell, bit) for bit in bits}
        for path in self.pes:
            component = circuit.components[path]
            for name, member in component.signature.members.items():
                if member.flow is wiring.Out and name not in RESULTS:
                    found |= set(circuit.netlist.signals[getattr(component, name)])
        return found

    def _kind(self, cell: int) -> str:
        gate, operator = self.circuit.cells[cell], self.circuit.operator(cell)
        if cell == 0 or isinstance(gate, nir.Matches | nir.PriorityMatch) or self._is_wire(cell):
            return ""
        if isinstance(gate, nir.Instance):
            return "register" if gate.type == Delay.__name__ else "box"
        if isinstance(gate, nir.FlipFlop):
            return "register"
        if operator == "*":
            return "multiplier"
        if operator == "+" or (operator == "-" and len(gate.inputs) == 2):
            return "adder"
        if cell in self.counters.cells:
            return "counters"
        if operator == "m" or isinstance(gate, nir.AssignmentList | nir.Part):
            return "multiplexer"
        if operator in ("&", "^") and self.circuit.replicated(cell) is not None:
            return "multiplexer" if operator == "&" else "complement"
        return "logic"

    def _is_wire(self, cell) -> bool:
        gate = self.circuit.cells[cell]
        if not isinstance(gate, nir.Operator | nir.AssignmentList):
            return False
        first = nir.Net.from_cell(cell, 0)
        return self.circuit.source(first) != first

    def _absorb_holds(self):
        """A register whose input is its own output, unless something: one block."""
        self.holds = {}  # choosing cell -> register
        for cell, kind in enumerate(self.kinds):
            if kind != "register" or isinstance(self.circuit.cells[cell], nir.Instance):
                continue
            choosers = {self.circuit.driver(net) for net in self.circuit.cells[cell].data}
            (chooser, *more) = choosers
            if more or chooser is None or self.kinds[chooser] != "multiplexer":
                continue
            nets = [net for role, nets in self.circuit.inputs(chooser) for net in nets]
            if any(net.is_cell and not net.is_const and net.cell == cell for net in nets):
                self.kinds[chooser] = "register"
                self.holds[chooser] = cell

    def _joined(self) -> list[Block]:
        """Gates of one kind that follow each other in one component and function, joined."""
        circuit, parent = self.circuit, {}

        def root(cell):
            while parent.setdefault(cell, cell) != cell:
                cell = parent[cell]
            return cell

        for chooser, register in self.holds.items():
            parent[root(register)] = root(chooser)
        for one, other in self.counters.same:
            parent[root(one)] = root(other)
        # An OR of what multiplexers give belongs to them.
        for cell, gate in enumerate(circuit.cells):
            if self.kinds[cell] == "logic" and circuit.operator(cell) == "|":
                drivers = {circuit.driver(net) for nets in gate.inputs for net in nets}
                if all(each and self.kinds[each] == "multiplexer" for each in drivers - {None}):
                    self.kinds[cell] = "multiplexer"
        for cell, kind in enumerate(self.kinds):
            if kind in ("counters", "logic", "multiplexer"):
                for role, nets in circuit.inputs(cell):
                    for driver in {circuit.driver(net) for net in nets} - {None, 0}:
                        if self._one_block(driver, cell, role):
                            parent[root(driver)] = root(cell)
        members = defaultdict(list)
        for cell, kind in enumerate(self.kinds):
            if kind:
                members[root(cell)].append(cell)
        return [self._block(cells) for cells in members.values()] + self._ports()

    def _one_block(self, driver, cell, role):
        return (
            self.kinds[driver] == self.kinds[cell]
            and self.circuit.path(driver) == self.circuit.path(cell)
            and (role == "data" or self.kinds[cell] == "logic")
            and (
                self.kinds[cell] == "counters"
                or self.circuit.function(driver) == self.circuit.function(cell)
            )
        )

    def _block(self, cells) -> Block:
        kind, path = self.kinds[cells[0]], self.circuit.path(cells[0])
        name = self.circuit.function(cells[0])
        if kind == "box":
            path = self.circuit.box_path(cells[0])
            name = self.circuit.cells[cells[0]].type
            name = path[-1] if name == Skew.__name__ else name
        elif kind == "register":
            name = self._register_name(next(c for c in cells if c not in self.holds))
        elif kind == "counters" and self.counters.is_chain(set(cells)):
            kind = "adder"
        block = Block(kind, path, [cells], name)
        self.of_cell |= dict.fromkeys(cells, block)
        return block

    def _register_name(self, cell) -> str:
        """The signal's; of a delay line, its own in the component that has it."""
        if isinstance(self.circuit.cells[cell], nir.Instance):
            return self.circuit.cells[cell].name
        net = nir.Net.from_cell(cell, 0)
        name = self.circuit.name(net, self.circuit.cells[cell].module_idx).removesuffix("[0]")
        return self.circuit.path(cell)[-1] if name.startswith("stage_") else name

    def _ports(self):
        top = self.circuit.path(0)
        for name in dict.fromkeys(self.circuit.ports.values()):
            self.of_cell[0, name] = Block("port", top, [[]], name)
        results = [Block("result", top, [[]], name) for name in self.circuit.outputs]
        return [block for key, block in self.of_cell.items() if isinstance(key, tuple)] + results

    def _connect(self):
        for block in self.blocks:
            found = defaultdict(dict)
            if block.kind == "result":
                nets = map(self.circuit.source, self.circuit.outputs[block.name])
                found["data"] = dict.fromkeys(nets)
            for cell in block.cells:
                for role, nets in self.circuit.inputs(cell):
                    role = "data" if block.kind in ("box", "logic") else role
                    for net in nets:
                        if not net.is_const and self.block_of(net) is not block:
                            found[role].setdefault(net)
            block.inputs = {role: list(nets) for role, nets in found.items()}

    def _keep_data(self):
        """Of what does not depend on operands, or leads to no result, nothing is drawn."""
        sources = {
            block: {self.block_of(net): 0 for nets in block.inputs.values() for net in nets}
            for block in self.blocks
        }
        drains = defaultdict(set)
        for block, before in sources.items():
            before.pop(None, None)
            for each in before:
                drains[each].add(block)
        starts = [b for b in self.blocks if b.kind == "port" and b.name in OPERANDS]
        ends = [b for b in self.blocks if b.kind == "result" and b.name in RESULTS]
        kept = _reached(starts, drains) & _reached(ends, sources)
        self.blocks = [block for block in self.blocks if block in kept]
        self.sources = {b: [each for each in sources[b] if each in kept] for b in self.blocks}

    def _place(self):
        """At the edge, inside the PE, or in the drain: behind a PE."""
        behind = defaultdict(set)
        for block, sources in self.sources.items():
            for each in sources:
                behind[each].add(block)
        pes = [b for b in self.blocks if any(b.path[: len(p)] == p for p in self.inside)]
        after = _reached(pes, behind)
        for block in self.blocks:
            block.section = PE if block in pes else DRAIN if block in after else EDGE


def _reached(starts, following):
    seen, todo = set(starts), list(starts)
    while todo:
        for each in following.get(todo.pop(), ()):
            if each not in seen:
                seen.add(each)
                todo.append(each)
    return seen
