"""Activity of a mapped netlist: how often every net changes, over many streams of inputs at once.

Bit *i* of a value is stream *i*, as in :mod:`....sim.gatesim`; here the gates are a library's, by
their functions. Nets take their final value at once (zero delay): glitches are not seen.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from ....hw.errors import UserError
from . import boolean
from .library import Cell, Library
from .netlist import Instance, Netlist, in_order

CHUNK = 1_000
"""Statements per compiled function: one for all would take Python long to compile."""

Drive = Mapping[str, np.ndarray]
"""Input port -> bits (cycle, stream, bit), lowest bit first; one stream stands for all of them.
Ports that are not there are 0."""


class Simulator:
    """``streams`` copies of ``netlist``, flip-flops zero at first."""

    def __init__(self, netlist: Netlist, library: Library, streams: int):
        self.netlist, self.library, self.streams = netlist, library, streams
        self._mask = (1 << streams) - 1
        self._place = {-1: 0, -2: 1}
        self._v = [0, self._mask]
        self._state: list[int] = []
        outputs, following, logic = [], [], []
        for instance in netlist.instances:
            cell = library.cells[instance.type]
            if cell.clocked_on:
                state = self._at(("state", instance.name))
                names = self._names(instance, cell, state)
                outputs += self._functions(instance, cell, names)
                following.append(f"n[{len(self._state)}]={_expression(cell.next_state, names)}&m")
                self._state.append(state)
        for instance in in_order(netlist, library):
            cell = library.cells[instance.type]
            logic += self._functions(instance, cell, self._names(instance, cell))
        self._settle = _compiled(outputs + logic)
        self._follow = _compiled(following)
        for bits in (*netlist.inputs.values(), *netlist.outputs.values()):
            for net in bits:
                self._at(net)

    def _at(self, key) -> int:
        if key not in self._place:
            self._place[key] = len(self._v)
            self._v.append(0)
        return self._place[key]

    def _names(self, instance: Instance, cell: Cell, state: int | None = None) -> dict[str, str]:
        """What functions call the inputs and the state, and where that is."""
        names = {p: f"v[{self._at(instance.pins.get(p, -1))}]" for p in cell.inputs}
        if state is not None:
            if not cell.next_state or cell.asynchronous:
                raise UserError(f"{self.library.path}: cell {cell.name}: power needs flip-flops "
                                "without clear and preset")  # fmt: skip
            texts = (f"v[{state}]", f"(~v[{state}])")
            names |= dict(zip(cell.state, texts, strict=False))
        return names

    def _functions(self, instance: Instance, cell: Cell, names: dict[str, str]) -> list[str]:
        found = []
        for pin, about in cell.outputs.items():
            net = instance.pins.get(pin)
            if net is not None:
                if not about.function:
                    raise UserError(f"{self.library.path}: cell {cell.name}: {pin} has no function")
                found.append(f"v[{self._at(net)}]={_expression(about.function, names)}&m")
        return found

    def run(self, drive: Drive) -> Iterator[int]:
        """Every cycle's number, all nets settled (:meth:`value`)."""
        assert set(drive) <= set(self.netlist.inputs), "a port that the netlist does not have"
        places = {port: [self._at(net) for net in bits] for port, bits in
                  self.netlist.inputs.items() if port in drive}  # fmt: skip
        packed = {port: self._packed(drive[port]) for port in places}
        v, mask = self._v, self._mask
        following = [0] * len(self._state)
        for cycle in range(min(len(values) for values in packed.values())):
            for port, where in places.items():
                for place, value in zip(where, packed[port][cycle], strict=True):
                    v[place] = value
            for function in self._settle:
                function(v, None, mask)
            yield cycle
            for function in self._follow:
                function(v, following, mask)
            for place, value in zip(self._state, following, strict=True):
                v[place] = value

    def _packed(self, bits: np.ndarray) -> list[list[int]]:
        """One long integer per cycle and bit."""
        if bits.shape[1] == 1:
            return [[self._mask if bit else 0 for bit in row] for row in bits[:, 0]]
        packed = np.packbits(bits.astype(bool), axis=1, bitorder="little").transpose(0, 2, 1)
        return [[int.from_bytes(word.tobytes(), "little") for word in row] for row in packed]

    def toggles(self, drive: Drive, warm: int) -> dict[int, float]:
        """Net -> changes per cycle and stream, from cycle ``warm`` on."""
        counts, old, cycles = [0] * len(self._v), None, 0
        for cycle in self.run(drive):
            if cycle >= warm:
                pairs = zip(counts, self._v, old or self._v, strict=True)
                counts = [count + (new ^ before).bit_count() for count, new, before in pairs]
                cycles += 1
            if cycle >= warm - 1:
                old = self._v.copy()
        scale = 1 / (cycles * self.streams)
        return {
            net: counts[place] * scale
            for net, place in self._place.items()
            if isinstance(net, int) and net >= 0
        }

    def value(self, port: str) -> np.ndarray:
        """Bits (stream, bit) of an input or output now."""
        nets = (self.netlist.inputs | self.netlist.outputs)[port]
        words = [self._v[self._at(net)] for net in nets]
        return np.array([[w >> s & 1 for w in words] for s in range(self.streams)], bool)


def _expression(function: str, names: dict[str, str]) -> str:
    """A Liberty function in Python; ``~`` gives negative numbers, which the mask then cuts."""

    def place(match):
        if match[0] not in names:
            raise UserError(f"function {function!r}: there is no {match[0]!r}")
        return names[match[0]]

    return "(" + re.sub(r"[A-Za-z_]\w*", place, boolean.python(function)) + ")"


def _compiled(lines: list[str]) -> list:
    functions = []
    for start in range(0, len(lines), CHUNK):
        scope = {}
        exec("def f(v, n, m):\n " + "\n ".join(lines[start : start + CHUNK]), scope)
        functions.append(scope["f"])
    return functions
