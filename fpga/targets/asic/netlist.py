"""Mapped netlists as Yosys writes them in JSON, flattened without being copied through Yosys."""

from dataclasses import dataclass, field

from ....hw.errors import UserError
from .library import Library


@dataclass
class Instance:
    """One library cell: ``pins`` gives the net of every connected pin."""

    name: str
    type: str
    pins: dict[str, int]


@dataclass
class Netlist:
    """Library cells and nets of one design; nets are integers, constants are -1 (0) and -2 (1)."""

    instances: list[Instance] = field(default_factory=list)
    inputs: dict[str, list[int]] = field(default_factory=dict)
    outputs: dict[str, list[int]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """Net -> hierarchical name, where the design named it."""

    def counts(self) -> dict[str, int]:
        found = {}
        for instance in self.instances:
            found[instance.type] = found.get(instance.type, 0) + 1
        return found


_CONSTANT = {"0": -1, "1": -2, "x": -1, "z": -1}


def flatten(modules: dict, top: str) -> Netlist:
    """The netlist of module ``top`` of a Yosys JSON ``modules``, every submodule dissolved."""
    result = Netlist()
    counter = [0]

    def fresh():
        counter[0] += 1
        return counter[0]

    def expand(name, prefix, outer):
        module = modules[name]
        nets = dict(outer)

        def net(bit):
            if isinstance(bit, str):
                return _CONSTANT[bit]
            if bit not in nets:
                nets[bit] = fresh()
            return nets[bit]

        for label, item in module["netnames"].items():
            width = len(item["bits"])
            for index, bit in enumerate(item["bits"]):
                number = net(bit)
                suffix = f"[{index}]" if width > 1 else ""
                text = f"{prefix}{label}{suffix}"
                known = result.names.get(number)
                if known is None or (item.get("hide_name") == 0 and "$" in known):
                    result.names[number] = text
        for label, cell in module["cells"].items():
            inner = cell["type"]
            if inner in modules and not modules[inner].get("attributes", {}).get("blackbox"):
                ports = modules[inner]["ports"]
                bound = {}
                for port, bits in cell["connections"].items():
                    for inside, outside in zip(ports[port]["bits"], bits, strict=False):
                        if isinstance(inside, int):
                            bound[inside] = net(outside)
                        elif ports[port]["direction"] == "output" and isinstance(outside, int):
                            # A constant output: its reader sees the constant.
                            aliases[net(outside)] = _CONSTANT[inside]
                seen = {}
                for port, bits in cell["connections"].items():
                    # One net of the submodule behind two ports (a feed-through).
                    for inside, outside in zip(ports[port]["bits"], bits, strict=False):
                        if isinstance(inside, int):
                            if inside in seen and seen[inside] != net(outside):
                                first, second = seen[inside], net(outside)
                                if ports[port]["direction"] == "output":
                                    aliases[second] = first
                                else:
                                    aliases[first] = second
                                    bound[inside] = second
                            seen.setdefault(inside, net(outside))
                expand(inner, f"{prefix}{label}.", bound)
            else:
                pins = {pin: net(bits[0]) for pin, bits in cell["connections"].items() if bits}
                result.instances.append(Instance(prefix + label, inner, pins))
        return net

    aliases = {}
    net = expand(top, "", {})
    for port, item in modules[top]["ports"].items():
        target = result.inputs if item["direction"] == "input" else result.outputs
        target[port] = [net(bit) for bit in item["bits"]]

    def real(number):
        while number in aliases:
            number = aliases[number]
        return number

    if aliases:
        for instance in result.instances:
            instance.pins = {pin: real(number) for pin, number in instance.pins.items()}
        for ports in (result.inputs, result.outputs):
            for port, bits in ports.items():
                ports[port] = [real(number) for number in bits]
        for number in aliases:
            name = result.names.pop(number, None)
            if name is not None:
                result.names.setdefault(real(number), name)
    return result


def in_order(netlist: Netlist, library: Library) -> list[Instance]:
    """The combinational cells, each behind all that drive it."""
    logic = []
    for instance in netlist.instances:
        cell = library.cells.get(instance.type)
        if cell is None:
            raise UserError(f"{library.path}: has no cell {instance.type}")
        if not cell.clocked_on:
            logic.append((instance, cell))
    driven = {i.pins[pin] for i, cell in logic for pin in cell.outputs if pin in i.pins}
    readers: dict[int, list[int]] = {}
    waiting = []
    for index, (instance, cell) in enumerate(logic):
        nets = [net for pin in cell.inputs if (net := instance.pins.get(pin)) in driven]
        waiting.append(len(nets))
        for net in nets:
            readers.setdefault(net, []).append(index)
    ready = [index for index, count in enumerate(waiting) if count == 0]
    found = []
    while ready:
        instance, cell = logic[ready.pop()]
        found.append(instance)
        for pin in cell.outputs:
            for reader in readers.get(instance.pins.get(pin), ()):
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    ready.append(reader)
    if len(found) < len(logic):
        raise UserError("the netlist has a combinational loop")
    return found
