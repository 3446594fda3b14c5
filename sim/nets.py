"""A Yosys JSON netlist of single-bit gates, flip-flops and memories, as a graph.

A read-only memory becomes gates: what it holds is a function of its address.
"""

from collections.abc import Iterable

GATES = {
    "$_NOT_": lambda t, a: t.no(a["A"]),
    "$_BUF_": lambda t, a: a["A"],
    "$_AND_": lambda t, a: t.both(a["A"], a["B"]),
    "$_OR_": lambda t, a: t.either(a["A"], a["B"]),
    "$_XOR_": lambda t, a: t.differ(a["A"], a["B"]),
    "$_XNOR_": lambda t, a: t.no(t.differ(a["A"], a["B"])),
    "$_NAND_": lambda t, a: t.no(t.both(a["A"], a["B"])),
    "$_NOR_": lambda t, a: t.no(t.either(a["A"], a["B"])),
    "$_ANDNOT_": lambda t, a: t.both(a["A"], t.no(a["B"])),
    "$_ORNOT_": lambda t, a: t.either(a["A"], t.no(a["B"])),
    "$_MUX_": lambda t, a: t.choose(a["S"], a["B"], a["A"]),
}
OUTPUTS = frozenset({"Y", "Q", "RD_DATA"})
ROM_PORTS = ("RD_ADDR", "RD_DATA")
"""Ports of a read-only memory without a clock; it ignores the others."""


def gate(t, kind: str, inputs: dict):
    """The output of a gate, in the terms of ``t`` (``no``, ``both``, ``either``, ``differ``,
    ``choose``, ``true``, ``false``)."""
    return GATES[kind](t, inputs)


def next_state(t, kind: str, inputs: dict, state):
    """The next state of a flip-flop whose present one is ``state``."""
    kind, polarity = kind.strip("$_").split("_", 1)
    polarity = polarity.rstrip("_").partition("_")[0]
    enable = inputs.get("E", t.true)
    if "E" in inputs and polarity[-1 if kind != "DFFE" else 1] == "N":
        enable = t.no(enable)
    result = inputs["D"]
    if kind == "DFF":
        return result
    if kind == "DFFE":
        return t.choose(enable, result, state)
    reset = inputs["R"] if polarity[1] == "P" else t.no(inputs["R"])
    value = t.true if polarity[2] == "1" else t.false
    if kind == "SDFF":
        return t.choose(reset, value, result)
    if kind == "SDFFE":  # reset over enable
        return t.choose(reset, value, t.choose(enable, result, state))
    assert kind == "SDFFCE", kind  # enable over reset
    return t.choose(enable, t.choose(reset, value, result), state)


class Nets:
    """``cells`` by name, as in the JSON; ``order``: the gates, each after those that drive it;
    ``flops`` and ``memories``: names; ``readers``: names of the cells that read a net;
    ``inputs`` and ``outputs``: nets by port; ``words``: flip-flops by name of their register;
    ``beside``: all nets of the memory port at a bit of which a read-only memory's buffer is."""

    def __init__(self, netlist: dict):
        self.cells = {
            name: cell for name, cell in netlist["cells"].items() if cell["type"] != "$scopeinfo"
        }
        self.beside = {}
        for name in [name for name, cell in self.cells.items() if is_rom(cell)]:
            rom = self.cells.pop(name)
            self.cells |= _rom(name, rom)
            for port in ROM_PORTS:
                bits = rom["connections"][port]
                self.beside |= {f"{name}.{port}[{i}]": bits for i in range(len(bits))}
        self.flops = [name for name, cell in self.cells.items() if "Q" in cell["connections"]]
        self.flop_set = frozenset(self.flops)
        self.memories = [name for name, cell in self.cells.items() if "mem" in cell["type"]]
        self.driver = {
            bit: name
            for name, cell in self.cells.items()
            for port, bits in cell["connections"].items()
            if port in OUTPUTS
            for bit in bits
        }
        self.order = self._sorted()
        self.readers = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if port not in OUTPUTS:
                    for bit in bits:
                        self.readers.setdefault(bit, set()).add(name)
        ports = netlist["ports"].items()
        self.inputs = {name: p["bits"] for name, p in ports if p["direction"] == "input"}
        self.outputs = {name: p["bits"] for name, p in ports if p["direction"] == "output"}
        self.read_bits = [
            bit for name in self.memories for bit in self.cells[name]["connections"]["RD_DATA"]
        ]
        self._initial, self.words = {}, {}
        owner = {self.output(name): name for name in self.flops}
        for name, net in netlist.get("netnames", {}).items():
            init = net.get("attributes", {}).get("init", "")
            self._initial |= {
                owner[bit]: int(value == "1")
                for bit, value in zip(net["bits"], reversed(init), strict=False)
                if bit in owner and value in "01"
            }
            if init and all(bit in owner for bit in net["bits"]):
                word = tuple(owner[bit] for bit in net["bits"])
                if len(set(word)) == len(word):
                    self.words.setdefault(word, name)

    def output(self, name):
        """The net that a gate or flip-flop drives."""
        connections = self.cells[name]["connections"]
        return connections["Y" if "Y" in connections else "Q"][0]

    def initial(self, name) -> int:
        """A flip-flop's value at power-on."""
        return self._initial.get(name, 0)

    def cone(self, names: Iterable[str]) -> set[str]:
        """The cells ``names`` and all gates that drive them."""
        seen, stack = set(), list(names)
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            for port, bits in self.cells[name]["connections"].items():
                if port not in OUTPUTS:
                    stack += [
                        driver
                        for bit in bits
                        if (driver := self.driver.get(bit)) is not None
                        and self.cells[driver]["type"] in GATES
                    ]
        return seen

    def sources(self, names: Iterable[str]) -> set[str]:
        """The flip-flops that the cells ``names`` read through gates."""
        found = set()
        for name in self.cone(names):
            for port, bits in self.cells[name]["connections"].items():
                if port not in OUTPUTS:
                    found |= {self.driver[bit] for bit in bits if bit in self.driver}
        return {name for name in found if "Q" in self.cells[name]["connections"]}

    def _sorted(self) -> list[str]:
        order, seen = [], set()
        gates = {name: None for name, cell in self.cells.items() if cell["type"] in GATES}
        for root in gates:
            stack = [(root, False)]
            while stack:
                name, done = stack.pop()
                if done:
                    order.append(name)
                elif name not in seen:
                    seen.add(name)
                    stack.append((name, True))
                    for port, bits in self.cells[name]["connections"].items():
                        if port != "Y" and self.driver.get(bits[0]) in gates:
                            stack.append((self.driver[bits[0]], False))
        return order


def is_rom(cell) -> bool:
    """Whether a cell is a small memory that is never written and has no clock."""
    parameters = cell.get("parameters", {})
    return (
        "mem" in cell["type"]
        and not int(parameters["WR_PORTS"], 2)
        and not int(parameters["RD_CLK_ENABLE"], 2)
        and int(parameters["RD_PORTS"], 2) == 1
        and len(cell["connections"]["RD_ADDR"]) <= 10
    )


def _rom(name: str, cell) -> dict:
    """Multiplexers, and at every port bit a buffer named ``{name}.{port}[{bit}]``."""
    address, data = (cell["connections"][port] for port in ROM_PORTS)
    contents = cell["parameters"]["INIT"][::-1]
    cells = {}

    def add(kind, label, **connections):
        net = connections.setdefault("Y", [f"{name}.{label}"])
        cells[f"{name}.{label}"] = {"type": kind, "connections": connections}
        return net

    selects = [add("$_BUF_", f"RD_ADDR[{i}]", A=[bit]) for i, bit in enumerate(address)]
    for i, bit in enumerate(data):
        level = [[contents[word * len(data) + i : word * len(data) + i + 1] or "x"]
                 for word in range(1 << len(address))]  # fmt: skip
        for depth, select in enumerate(selects):
            level = [
                add("$_MUX_", f"{i}_{depth}_{place}", A=low, B=high, S=select)
                for place, (low, high) in enumerate(zip(level[::2], level[1::2], strict=True))
            ]
        add("$_BUF_", f"RD_DATA[{i}]", A=level[0], Y=[bit])
    return cells
