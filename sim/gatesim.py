"""A netlist of single-bit gates, simulated for many runs at once: bit *i* of a value is run *i*.

Compiled to straight Python on long integers: a few milliseconds a cycle for thousands of gates and
any number of runs. What memories give is chosen by the caller.
"""

from collections.abc import Iterable, Mapping

from .nets import Nets, gate, next_state

CHUNK = 1_000
"""Statements per compiled function: one for all would take Python long to compile."""


class Code:
    """Boolean terms as Python expressions; for :func:`.nets.gate` and :func:`.nets.next_state`."""

    true, false = "v[1]", "v[0]"

    def no(self, a):
        return f"({a}^v[1])"

    def both(self, a, b):
        return f"({a}&{b})"

    def either(self, a, b):
        return f"({a}|{b})"

    def differ(self, a, b):
        return f"({a}^{b})"

    def choose(self, condition, yes, no):
        return f"({no}^({condition}&({yes}^{no})))"


class Simulator:
    """``runs`` copies of ``nets``, run *i* with ``faults[i]`` if there is one.

    ``only``: the flip-flops (cell names) to simulate with what drives them; all if it is ``None``.
    :attr:`state` has the value of each flip-flop. A flip-flop with an inverted clock takes its next
    state in the first :meth:`settle` after a :meth:`clock`, that is at the falling edge: inputs
    change after rising edges.
    """

    def __init__(self, nets: Nets, runs: int, *, faults: Mapping = {}, only=None):
        self.nets, self.runs = nets, runs
        self.all = (1 << runs) - 1
        self.flops = list(nets.flops if only is None else only)
        self._place = {"0": 0, "1": 1, "x": 0}
        self._v = [0, self.all]
        self._masks = {}
        self._faults = {}
        for run, fault in faults.items():
            self._faults.setdefault(fault.cell, []).append((fault, 1 << run))
        wanted = None if only is None else nets.cone(self.flops)
        body = [
            f"v[{self._at(nets.output(name))}]=" + self._gate(name)
            for name in nets.order
            if wanted is None or name in wanted
        ]
        self._gates = self._compile(body)
        self._next = self._compile(
            [f"n[{index}]=" + self._flop(name) for index, name in enumerate(self.flops)]
        )
        self.state = {name: self.all * nets.initial(name) for name in self.flops}
        self._early = self._falling_edge()
        self._next_early = self._compile(
            [f"n[{index}]=" + self._following(name) for name, (index, _) in self._early.items()]
        )
        self._fell = False
        if only is None:
            for cell in nets.cells.values():
                for bits in cell["connections"].values():
                    for bit in bits:
                        self._at(bit)

    def _at(self, bit) -> int:
        if bit not in self._place:
            self._place[bit] = len(self._v)
            self._v.append(0)
        return self._place[bit]

    def _read(self, bit) -> str:
        return f"v[{self._at(bit)}]"

    def _faulty(self, name, port, index, expression) -> str:
        """``expression``, with the faults there are at that port bit."""
        for fault, mask in self._faults.get(name, ()):
            if (fault.port, fault.bit) == (port, index):
                m = self._read(("mask", mask))
                self._v[self._at(("mask", mask))] = mask
                if fault.mode == "inv":
                    expression = f"({expression}^{m})"
                elif fault.mode == "const0":
                    expression = f"({expression}&~{m})"
                elif fault.mode == "const1":
                    expression = f"({expression}|{m})"
                else:
                    other = self._read(self.nets.cells[name]["connections"][port][fault.control])
                    other = other if fault.mode == "cnot1" else f"({other}^v[1])"
                    expression = f"({expression}^({m}&{other}))"
        return expression

    def _ports(self, name) -> dict:
        return {
            port: self._faulty(name, port, 0, self._read(bits[0]))
            for port, bits in self.nets.cells[name]["connections"].items()
            if port not in ("Y", "Q", "C")
        }

    def _gate(self, name) -> str:
        kind = self.nets.cells[name]["type"]
        return self._faulty(name, "Y", 0, gate(Code(), kind, self._ports(name)))

    def _following(self, name) -> str:
        """What a flip-flop takes with its clock."""
        self._at(self.nets.output(name))
        state = self._read(("state", name))
        return next_state(Code(), self.nets.cells[name]["type"], self._ports(name), state)

    def _flop(self, name) -> str:
        """What it has after a rising edge."""
        following, state = self._following(name), self._read(("state", name))
        for fault, mask in self._faults.get(name, ()):
            if fault.port == "C":  # no clock, or it has taken that state already
                self._v[self._at(("mask", mask))] = mask
                following = Code().choose(self._read(("mask", mask)), state, following)
        return following

    def _compile(self, lines) -> list:
        functions = []
        for start in range(0, len(lines), CHUNK):
            text = "def f(v, n):\n " + "\n ".join(lines[start : start + CHUNK])
            scope = {}
            exec(text, scope)
            functions.append(scope["f"])
        return functions

    def settle(self, inputs: Mapping[str, Iterable[int]], memory) -> None:
        """Evaluate the gates with ``inputs`` (port -> one value per bit; others are 0);
        ``memory()`` gives the value of one bit that a memory reads."""
        v = self._v
        for name, bits in self.nets.inputs.items():
            for bit, value in zip(bits, inputs.get(name, [0] * len(bits)), strict=True):
                if bit in self._place:
                    v[self._place[bit]] = value
        for bit in self.nets.read_bits:
            if bit in self._place:
                v[self._place[bit]] = memory()
        self._evaluate()
        if self._early and not self._fell:
            self._fell = True
            following = [0] * len(self.flops)
            for function in self._next_early:
                function(v, following)
            for name, (index, mask) in self._early.items():
                self.state[name] ^= mask & (following[index] ^ self.state[name])
            self._evaluate()

    def _falling_edge(self) -> dict:
        """Flip-flops with an inverted clock: their place, and the runs in which it is."""
        masks = {}
        for name, faults in self._faults.items():
            for fault, mask in faults:
                if fault.port == "C" and fault.mode == "inv":
                    masks[name] = masks.get(name, 0) | mask
        place = {name: index for index, name in enumerate(self.flops)}
        return {name: (place[name], mask) for name, mask in masks.items()}

    def _evaluate(self) -> None:
        """Flip-flops' outputs and all gates from the states."""
        v = self._v
        for name, value in self.state.items():
            v[self._at(("state", name))] = value
            v[self._at(self.nets.output(name))] = value
        for (name, _), place in self._faulty_outputs().items():
            masked = self._v[place]
            for fault, mask in self._faults[name]:
                masked = _apply(fault.mode, masked, mask)
            v[place] = masked
        for function in self._gates:
            function(v, None)

    def _faulty_outputs(self) -> dict:
        """Where values of flip-flops are whose output has a fault."""
        return {
            (name, "Q"): self._place[self.nets.output(name)]
            for name, faults in self._faults.items()
            if name in self.state and any(fault.port == "Q" for fault, _ in faults)
        }

    def clock(self) -> None:
        following = [0] * len(self.flops)
        for function in self._next:
            function(self._v, following)
        self.state = dict(zip(self.flops, following, strict=True))
        self._fell = False

    def value(self, bit) -> int:
        """What a net has after :meth:`settle`."""
        return self._v[self._place[bit]]


def _apply(mode, value, mask):
    return {"inv": value ^ mask, "const0": value & ~mask, "const1": value | mask}[mode]
