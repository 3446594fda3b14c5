"""Whether a mutant that no vector noticed can be noticed at all.

The netlist's gates become Boolean terms, once as they are and once with the fault, over free
inputs and a free state. What is asked, in this order, each time of Bitwuzla:

1. Are outputs and next state the same for every input and *every* state?
2. The same in every state that satisfies invariants (:mod:`.invariants`), which are proved to hold
   at power-on and after every cycle.
3. The same but for some flip-flops whose difference nobody sees: states may differ in them while
   certain conditions hold, and this relation, which starts as equality, is proved to be kept.
4. The same in every state that can be reached, or different where nobody sees it, which a model
   checker proves (:mod:`.reachability`, if ABC is installed).
5. If not: does it differ after a very long stall (:mod:`.stalls`)? Then it is killed.

Payload of a stream or response counts only while it is valid. What is left may differ in a state
that is reachable: that is not decided here. Each step has a budget of time (:data:`BUDGET`,
:data:`PROOF`, :data:`STALLS`); a survivor that is not decided within it is one that is not shown.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace

from matweave.hw.config import GemmConfig

from .harness import payload
from .mutation import Mutation, Report, stopped
from .nets import GATES, OUTPUTS, ROM_PORTS, Nets, gate, next_state
from .terms import LIMIT, Terms

BUDGET, PROOF, STALLS = 60, 300, 600
"""Seconds that all questions about one survivor may take, about an engine's invariants, and about
its stalls (the question that is being asked then is still answered). What is not answered by then
is not shown."""

CLOCKS = frozenset({"C", "RD_CLK", "WR_CLK"})

N_DIFFERENT, FEW = 40, 2
"""Flip-flops in which states may differ; bits of registers that say when, at first."""


@dataclass(frozen=True)
class Verdict:
    """``how`` says what was shown, or what was not."""

    equivalent: bool
    how: str
    killed: bool = False


def classify(
    config: GemmConfig,
    report: Report,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> dict[Mutation, Verdict]:
    """A verdict on every survivor of ``report``."""
    from . import invariants, reachability, stalls

    if not report.survivors:
        return {}
    nets = Nets(report.netlist)
    model = Model(nets)
    verdicts = {}
    for done, mutation in enumerate(report.survivors, 1):
        verdicts[mutation] = model.compare(mutation)
        progress(f"survivors of {config.name}, any state", done, len(report.survivors))
    open_ones = [mutation for mutation, verdict in verdicts.items() if not verdict.equivalent]
    verdicts |= reachability.harmless(config, nets, open_ones, progress)
    open_ones = [mutation for mutation in open_ones if not verdicts[mutation].equivalent]
    if open_ones:
        progress(f"stalls of {config.name}", 0, 1)
        verdicts |= stalls.killed(config, nets, open_ones)
        open_ones = [mutation for mutation in open_ones if not verdicts[mutation].killed]
    verdicts |= reachability.unseen(config, nets, open_ones, progress)
    open_ones = [mutation for mutation in open_ones if not verdicts[mutation].equivalent]
    if open_ones:
        progress(f"invariants of {config.name}", 0, 1)
        with model.terms.within(PROOF):
            model.assume(invariants.find(config, nets, model))
    for done, mutation in enumerate(open_ones, 1):
        verdicts[mutation] = model.compare(mutation)
        progress(f"survivors of {config.name}, invariants", done, len(open_ones))
    return verdicts


class Model:
    """The terms of a netlist. ``known``: nets that are not free, with their terms."""

    def __init__(self, nets: Nets, terms: Terms | None = None, known: dict | None = None):
        self.nets = nets
        self.terms = terms or Terms()
        self._place = {name: place for place, name in enumerate(nets.order)}
        self.values = {"0": self.terms.false, "1": self.terms.true, "x": self.terms.false}
        free = [bit for bits in nets.inputs.values() for bit in bits] + nets.read_bits
        free += [nets.output(name) for name in nets.flops]
        for bit in free:
            self.values[bit] = known[bit] if known and bit in known else self.terms.free()
        for name in nets.order:
            kind = nets.cells[name]["type"]
            self.values[nets.output(name)] = gate(self.terms, kind, self._inputs(name))
        self._port = {bit: port for port, bits in nets.outputs.items() for bit in bits}
        self.assumed = []
        self._following = {}

    def assume(self, conditions) -> None:
        """States are those in which ``conditions`` hold."""
        self.assumed = list(conditions)

    def state(self, name):
        """The term of a flip-flop's state."""
        return self.values[self.nets.output(name)]

    def following(self, name):
        """The term of its next state."""
        kind = self.nets.cells[name]["type"]
        return next_state(self.terms, kind, self._inputs(name), self.state(name))

    def _inputs(self, name, changed=None) -> dict:
        """Terms at the single-bit input ports."""
        return {
            port: self._value(bits[0], changed)
            for port, bits in self.nets.cells[name]["connections"].items()
            if port not in OUTPUTS
        }

    def _value(self, bit, changed=None):
        return changed[bit] if changed and bit in changed else self.values[bit]

    def _faulty(self, mutation: Mutation, bits, changed):
        """The term of the mutated port bit."""
        t = self.terms
        value = self._value(bits[mutation.bit], changed)
        if mutation.mode == "inv":
            return t.no(value)
        if mutation.mode in ("const0", "const1"):
            return t.true if mutation.mode == "const1" else t.false
        control = self._value(self.control_of(mutation), changed)
        return t.differ(value, control if mutation.mode == "cnot1" else t.no(control))

    def control_of(self, mutation: Mutation):
        """The net of the port bit on whose value the fault depends, if there is one."""
        if mutation.control is None:
            return None
        bits = self.nets.beside.get(mutation.cell)
        return (bits or self.nets.cells[mutation.cell]["connections"][mutation.port])[
            mutation.control
        ]

    def differences(self, mutation: Mutation, states: dict | None = None) -> dict:
        """Pairs of terms (as it is, with the fault) of every sink that the fault may change: next
        states by flip-flop, and ``None``: outputs and what memories get.

        ``states``: terms of flip-flops whose state is another in the faulty netlist (not for a
        fault at a flip-flop's clock: what it has at the falling edge all others see at the next
        rising one; inputs change after rising edges)."""
        mutation = self.at_buffer(mutation)
        early = self.early(mutation)
        control = None if early else self.control_of(mutation)
        states = {mutation.cell: self.following(mutation.cell)} if early else states or {}
        nets, cells = self.nets, self.nets.cells
        bits = cells[mutation.cell]["connections"][mutation.port]
        changed, waiting, sinks = {}, [], set(states)
        place = self._place

        def wait(name):
            if name in place:
                heapq.heappush(waiting, (place[name], name))
            else:
                sinks.add(name)

        def change(bit, term):
            if term != self._value(bit, changed):
                changed[bit] = term
                for name in nets.readers.get(bit, ()):
                    wait(name)
                if bit == control:
                    wait(mutation.cell)

        for name, term in states.items():
            change(nets.output(name), term)
        if early:
            pass
        elif mutation.port in OUTPUTS and cells[mutation.cell]["type"] not in GATES:
            change(bits[mutation.bit], self._faulty(mutation, bits, changed))
        else:
            wait(mutation.cell)
        while waiting:
            _, name = heapq.heappop(waiting)
            while waiting and waiting[0][1] == name:
                heapq.heappop(waiting)
            inputs = self._inputs(name, changed)
            at = name == mutation.cell
            if at and mutation.port not in OUTPUTS:
                inputs[mutation.port] = self._faulty(mutation, bits, changed)
            output = nets.output(name)
            term = gate(self.terms, cells[name]["type"], inputs)
            if at and mutation.port in OUTPUTS:
                term = self._faulty(mutation, bits, {**changed, output: term})
            change(output, term)
        found = {None: []}
        for name in sinks:
            if early and name == mutation.cell:
                continue  # its state is the same, only half a cycle before the others'
            if "Q" in cells[name]["connections"]:
                found[name] = [self._flop_pair(name, mutation, changed, states)]
            else:
                found[None] += self._memory_pairs(name, mutation, changed)
        found[None] += [self._seen(bit, changed) for bit in self._port if bit in changed]
        pairs = {
            name: [(was, now) for was, now in pairs if was != now] for name, pairs in found.items()
        }
        return {name: pairs for name, pairs in pairs.items() if pairs}

    def modelled(self, mutation: Mutation) -> bool:
        """Whether :meth:`differences` can say what the fault does."""
        clock = mutation.port in CLOCKS
        return not clock or stopped(mutation) or self.early(mutation)

    def early(self, mutation: Mutation) -> bool:
        """Whether the fault is a flip-flop at the falling edge."""
        flop = mutation.cell in self.nets.flop_set
        return flop and mutation.port in CLOCKS and not stopped(mutation)

    def at_buffer(self, mutation: Mutation) -> Mutation:
        """Where that port bit is, if the cell is a memory that became gates."""
        if mutation.cell in self.nets.cells:
            return mutation
        cell = f"{mutation.cell}.{mutation.port}[{mutation.bit}]"
        port = "Y" if mutation.port in OUTPUTS else "A"
        return replace(mutation, cell=cell, port=port, bit=0)

    def _flop_pair(self, name, mutation, changed, states):
        cell = self.nets.cells[name]
        inputs = self._inputs(name, changed)
        if name == mutation.cell and mutation.port not in OUTPUTS:
            bits = cell["connections"][mutation.port]
            inputs[mutation.port] = self._faulty(mutation, bits, changed)
        state = states.get(name, self.state(name))
        if name == mutation.cell and stopped(mutation):
            return self.following(name), state
        return self.following(name), next_state(self.terms, cell["type"], inputs, state)

    def _memory_pairs(self, name, mutation, changed):
        """What a memory gets: addresses and data count only while their port is enabled."""
        connections = self.nets.cells[name]["connections"]
        was, now = {}, {}
        for port, bits in connections.items():
            if port in OUTPUTS:
                continue
            was[port] = [self.values[bit] for bit in bits]
            now[port] = [self._value(bit, changed) for bit in bits]
            if (name, port) == (mutation.cell, mutation.port):
                now[port][mutation.bit] = self._faulty(mutation, bits, changed)
        for values in (was, now):
            self.while_enabled(name, values, self.terms)
        return [pair for port in was for pair in zip(was[port], now[port], strict=True)]

    def while_enabled(self, name, values, t) -> None:
        """Change ``values``, terms of ``t`` at the ports of memory ``name``, to 0 where their port
        is not enabled."""
        cell = self.nets.cells[name]
        both = [("WR_DATA", "WR_EN"), ("WR_ADDR", "WR_EN")]
        if "0" not in cell["parameters"]["RD_CLK_ENABLE"]:  # others read all the time
            both.append(("RD_ADDR", "RD_EN"))
        for port, enable in both:
            ports = int(cell["parameters"][f"{port[:2]}_PORTS"], 2)
            for place in range(ports):
                bits, enables = len(values[port]) // ports, len(values[enable]) // ports
                on = values[enable][place * enables : (place + 1) * enables]
                any_on = t.any(on)
                for bit in range(bits):
                    at = place * bits + bit
                    open_ = on[bit] if port == "WR_DATA" else any_on
                    values[port][at] = t.both(open_, values[port][at])

    def _seen(self, bit, changed):
        """An output with and without the fault; payload where it is valid."""
        valid = payload(self._port[bit])
        if valid not in self.nets.outputs:
            return self.values[bit], changed[bit]
        (valid,) = self.nets.outputs[valid]
        both = self.terms.both
        return (
            both(self.values[valid], self.values[bit]),
            both(self._value(valid, changed), changed[bit]),
        )

    def compare(self, mutation: Mutation) -> Verdict:
        """Whether it can be told from no fault."""
        with self.terms.within(BUDGET):
            return self._compare(mutation)

    def _compare(self, mutation: Mutation) -> Verdict:
        if self._ignored(mutation):
            return Verdict(True, "same function")
        if not self.modelled(mutation):
            return Verdict(False, "a fault in a memory's clock is not modelled")
        t = self.terms
        found = self.differences(mutation)
        if not found:
            return Verdict(True, "same function")
        any_difference = t.any(t.differ(*pair) for pairs in found.values() for pair in pairs)
        answer = t.solve([any_difference, *self.assumed])
        if answer is None:
            return Verdict(False, f"no answer in {LIMIT // 1000} s")
        if answer is False:
            if not self.assumed:
                return Verdict(True, "same function in every state (Bitwuzla)")
            return Verdict(True, "same function in every state with the invariants (Bitwuzla)")
        # Few literals are soon tried; what they do not show may need all.
        few = [flop for flop in self.control if len(self._beside(flop)) <= FEW]
        if self.assumed and (self._unseen(mutation, few) or self._unseen(mutation, self.control)):
            return Verdict(True, "states may differ, and nobody sees it (Bitwuzla)")
        if self.terms.late:
            return Verdict(False, f"differs in a state; no answer in {BUDGET} s who sees it")
        return Verdict(False, "differs in a state that the vectors do not reach")

    def _ignored(self, mutation: Mutation) -> bool:
        """Whether it is at a port that a memory that became gates does not need."""
        return mutation.cell not in self.nets.cells and mutation.port not in ROM_PORTS

    def _unseen(self, mutation: Mutation, control) -> bool:
        """Whether there is a relation between states, kept by every step from equal states on, in
        which all that is seen is equal: flip-flops of a set may differ, each only while others
        (literals, of flip-flops in ``control`` or beside it) have certain values. The set grows,
        the literals of each become fewer, until what is left is inductive."""
        t = self.terms
        if self.early(mutation):
            return False
        unequal = {}  # flip-flop -> literals that hold while it differs
        while True:
            states = {name: t.free() for name in unequal}
            relation = [
                t.either(t.no(t.differ(self.state(name), states[name])), literal)
                for name, literals in unequal.items()
                for literal in self._literal_terms(literals, self.state)
            ]
            found = self.differences(mutation, states)
            bad = [t.differ(*pair) for pair in found.pop(None, ())]
            solver = t.solver([*self.assumed, *relation])
            if bad and t.check(solver, t.any(bad)) is not False:
                return False
            grown = False
            for name, pairs in found.items():
                if t.late:
                    return False
                (pair,) = pairs
                different = t.differ(*pair)
                literals = unequal.get(name)
                if literals is None:
                    if t.check(solver, different) is False:
                        continue
                    if len(unequal) >= N_DIFFERENT:
                        return False
                    flops = {*control, *self._beside(name)}
                    literals = {(flop, value) for flop in flops for value in (0, 1)}
                kept = self._kept(literals, different, solver)
                if kept is None:
                    return False
                grown |= kept != unequal.get(name)
                unequal[name] = kept
            if not grown:
                return True

    control = ()
    """Flip-flops about which the relation may speak; see :mod:`.invariants`."""

    def _beside(self, name) -> set[str]:
        """The bits of its register."""
        return {flop for word in self.nets.words if name in word for flop in word}

    def _literal_terms(self, literals, of):
        return [of(name) if value else self.terms.no(of(name)) for name, value in literals]

    def _kept(self, literals, different, solver):
        """Those of ``literals`` that hold after every step after which there is a difference."""
        t = self.terms
        literals = set(literals)
        while literals:
            ordered = sorted(literals)
            terms = self._literal_terms(ordered, self._followed)
            answer = t.check(solver, different, t.any(t.no(term) for term in terms))
            if answer is None:
                return None
            if answer is False:
                break
            flops = {name for name, _ in ordered}
            after = {name: t.holds(solver, self._followed(name)) for name in flops}
            literals = {(name, value) for name, value in ordered if after[name] == value}
        return literals

    def _followed(self, name):
        if name not in self._following:
            self._following[name] = self.following(name)
        return self._following[name]
