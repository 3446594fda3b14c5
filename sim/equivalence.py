"""Whether a mutant that no vector noticed can be noticed at all.

The netlist's gates become Boolean terms, once as they are and once with the fault, over free
inputs and a free state: if outputs and next state are the same for every input and *every* state
(Bitwuzla), the mutant is equivalent. Otherwise there is a state in which it differs; whether that
one is reachable is not decided here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from matweave.hw.config import GemmConfig

from .mutation import Mutation, Report
from .toolchain import ToolError

LIMIT = 20_000
"""Milliseconds that one question may take."""

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
CLOCKS = frozenset({"C", "RD_CLK", "WR_CLK"})


@dataclass(frozen=True)
class Verdict:
    """``how`` says what was shown, or what was not."""

    equivalent: bool
    how: str


def classify(
    config: GemmConfig,
    report: Report,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[Mutation, Verdict]:
    """A verdict on every survivor of ``report``."""
    if not report.survivors:
        return {}
    model = Model(report.netlist)
    verdicts = {}
    for done, mutation in enumerate(report.survivors, 1):
        verdicts[mutation] = model.compare(mutation)
        progress(f"survivors of {config.name}", done, len(report.survivors))
    return verdicts


class Terms:
    """Boolean terms of Bitwuzla, by short names; constants are folded."""

    def __init__(self):
        try:
            import bitwuzla
        except ImportError as error:
            raise ToolError("bitwuzla is not installed: pip install 'matweave[formal]'") from error
        self._kind = bitwuzla.Kind
        self.manager = bitwuzla.TermManager()
        self._bool = self.manager.mk_bool_sort()
        self.true, self.false = self.manager.mk_true(), self.manager.mk_false()

    def free(self):
        return self.manager.mk_const(self._bool)

    def no(self, a):
        if a in (self.true, self.false):
            return self.false if a == self.true else self.true
        return self.manager.mk_term(self._kind.NOT, [a])

    def both(self, a, b):
        if self.false in (a, b):
            return self.false
        if a == self.true or a == b:
            return b
        return a if b == self.true else self.manager.mk_term(self._kind.AND, [a, b])

    def either(self, a, b):
        return self.no(self.both(self.no(a), self.no(b)))

    def differ(self, a, b):
        if a == b:
            return self.false
        for x, y in ((a, b), (b, a)):
            if x == self.false:
                return y
            if x == self.true:
                return self.no(y)
        return self.manager.mk_term(self._kind.XOR, [a, b])

    def choose(self, condition, yes, no):
        if yes == no or condition == self.true:
            return yes
        if condition == self.false:
            return no
        return self.manager.mk_term(self._kind.ITE, [condition, yes, no])

    def satisfiable(self, conditions) -> bool | None:
        """Whether all ``conditions`` can hold at once; ``None`` if it takes too long."""
        import bitwuzla

        options = bitwuzla.Options()
        options.set(bitwuzla.Option.TIME_LIMIT_PER, LIMIT)
        solver = bitwuzla.Bitwuzla(self.manager, options)
        for condition in conditions:
            solver.assert_formula(condition)
        result = solver.check_sat()
        if result == bitwuzla.Result.UNKNOWN:
            return None
        return result == bitwuzla.Result.SAT


class Model:
    """One module of a Yosys JSON netlist of single-bit gates, flip-flops and memories."""

    def __init__(self, netlist: dict):
        self.terms = Terms()
        self.cells = {
            name: cell for name, cell in netlist["cells"].items() if cell["type"] != "$scopeinfo"
        }
        self._order = self._sorted()
        self._place = {name: place for place, name in enumerate(self._order)}
        self._readers = {}
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                if port not in OUTPUTS:
                    for bit in bits:
                        self._readers.setdefault(bit, set()).add(name)
        self.values = {"0": self.terms.false, "1": self.terms.true, "x": self.terms.false}
        ports = netlist["ports"].values()
        free = [bit for port in ports if port["direction"] == "input" for bit in port["bits"]]
        for cell in self.cells.values():
            if cell["type"] not in GATES:
                free += [bit for port in OUTPUTS for bit in cell["connections"].get(port, ())]
        for bit in free:
            self.values[bit] = self.terms.free()
        for name in self._order:
            cell = self.cells[name]
            self.values[cell["connections"]["Y"][0]] = self._gate(cell, self._inputs(cell))
        self._outputs = [
            bit for port in ports if port["direction"] == "output" for bit in port["bits"]
        ]

    def _sorted(self) -> list[str]:
        """Gates, each after those that drive it."""
        driver = {
            cell["connections"]["Y"][0]: name
            for name, cell in self.cells.items()
            if cell["type"] in GATES
        }
        order, seen = [], set()
        for root in driver.values():
            stack = [(root, False)]
            while stack:
                name, done = stack.pop()
                if done:
                    order.append(name)
                elif name not in seen:
                    seen.add(name)
                    stack.append((name, True))
                    for port, bits in self.cells[name]["connections"].items():
                        if port != "Y" and bits[0] in driver:
                            stack.append((driver[bits[0]], False))
        return order

    def _inputs(self, cell, changed=None) -> dict:
        """Terms at the single-bit input ports."""
        return {
            port: self._value(bits[0], changed)
            for port, bits in cell["connections"].items()
            if port not in OUTPUTS
        }

    def _value(self, bit, changed=None):
        return changed[bit] if changed and bit in changed else self.values[bit]

    def _gate(self, cell, inputs):
        return GATES[cell["type"]](self.terms, inputs)

    def _next(self, cell, inputs, state):
        """The next state of a flip-flop whose present one is ``state``."""
        kind, polarity = cell["type"].strip("$_").split("_", 1)
        polarity = polarity.rstrip("_").partition("_")[0]
        t = self.terms
        inputs = dict(inputs)
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

    def _faulty(self, mutation: Mutation, bits, changed):
        """The term of the mutated port bit."""
        t = self.terms
        value = self._value(bits[mutation.bit], changed)
        if mutation.mode == "inv":
            return t.no(value)
        if mutation.mode in ("const0", "const1"):
            return t.true if mutation.mode == "const1" else t.false
        control = self._value(bits[mutation.control], changed)
        return t.differ(value, control if mutation.mode == "cnot1" else t.no(control))

    def differences(self, mutation: Mutation) -> list:
        """Pairs of terms (as it is, with the fault) of every sink that the fault may change."""
        target = self.cells[mutation.cell]
        bits = target["connections"][mutation.port]
        changed, pairs = {}, []
        waiting = set()

        def change(bit, term):
            if term != self.values[bit]:
                changed[bit] = term
                waiting.update(self._readers.get(bit, ()))

        if mutation.port in OUTPUTS:
            change(bits[mutation.bit], self._faulty(mutation, bits, None))
        else:
            waiting.add(mutation.cell)
        sinks = set()
        while waiting:
            gates = [name for name in waiting if name in self._place]
            sinks |= waiting.difference(gates)
            if not gates:
                break
            name = min(gates, key=self._place.__getitem__)
            waiting = set(gates) - {name}
            cell = self.cells[name]
            inputs = self._inputs(cell, changed)
            if name == mutation.cell and mutation.port not in OUTPUTS:
                inputs[mutation.port] = self._faulty(mutation, bits, changed)
            output = cell["connections"]["Y"][0]
            if name != mutation.cell or mutation.port not in OUTPUTS:
                change(output, self._gate(cell, inputs))
        for name in sinks:
            pairs += self._sink(name, mutation, changed)
        pairs += [(self.values[bit], changed[bit]) for bit in self._outputs if bit in changed]
        return [(was, now) for was, now in pairs if was != now]

    def _sink(self, name, mutation, changed):
        cell = self.cells[name]
        mutated = name == mutation.cell and mutation.port not in OUTPUTS
        if "Q" in cell["connections"]:
            state = self.values[cell["connections"]["Q"][0]]
            inputs = self._inputs(cell, changed)
            if mutated:
                inputs[mutation.port] = self._faulty(
                    mutation, cell["connections"][mutation.port], changed
                )
            return [(self._next(cell, self._inputs(cell), state), self._next(cell, inputs, state))]
        pairs = []
        for port, bits in cell["connections"].items():
            for place, bit in enumerate(bits if port not in OUTPUTS else ()):
                now = self._value(bit, changed)
                if mutated and (port, place) == (mutation.port, mutation.bit):
                    now = self._faulty(mutation, bits, changed)
                pairs.append((self.values[bit], now))
        return pairs

    def compare(self, mutation: Mutation) -> Verdict:
        """Whether outputs and next state are the same in every state."""
        if mutation.port in CLOCKS:
            return Verdict(False, "a fault in a clock is not modelled")
        t = self.terms
        any_difference = t.false
        for was, now in self.differences(mutation):
            any_difference = t.either(any_difference, t.differ(was, now))
        if any_difference == t.false:
            return Verdict(True, "same function")
        answer = t.satisfiable([any_difference])
        if answer is None:
            return Verdict(False, f"no answer in {LIMIT // 1000} s")
        if answer:
            return Verdict(False, "differs in a state that the vectors do not reach")
        return Verdict(True, "same function in every state (Bitwuzla)")
