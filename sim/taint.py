"""Where a fault's difference can get to, without saying what it is.

Beside every net's value there is a tag: whether the faulty netlist may have another value there. A
gate passes a tag on only if another input does not decide its output (an AND with an input 0 that
has no tag gives 0 in both). No tag at an output means that both are the same; a tag need not mean
that they differ. What differs is never computed, so that a multiplier behind it costs no more than
any other gates. Source: Tiwari et al., "Complete information flow tracking from the gates up",
ASPLOS 2009.
"""

from .harness import payload
from .mutation import Mutation, stopped
from .nets import GATES, OUTPUTS, gate, next_state


class Tagged:
    """Pairs of a value and its tag, both terms of ``t``; for :func:`.nets.gate`."""

    def __init__(self, t):
        self._t = t
        self.true, self.false = (t.true, t.false), (t.false, t.false)

    def no(self, a):
        return self._t.no(a[0]), a[1]

    def both(self, a, b):
        t = self._t
        one = t.both(a[1], t.either(b[0], b[1]))
        return t.both(a[0], b[0]), t.either(one, t.both(b[1], t.either(a[0], a[1])))

    def either(self, a, b):
        return self.no(self.both(self.no(a), self.no(b)))

    def differ(self, a, b):
        return self._t.differ(a[0], b[0]), self._t.either(a[1], b[1])

    def any(self, pairs):
        result = self.false
        for pair in pairs:
            result = self.either(result, pair)
        return result

    def choose(self, condition, yes, no):
        t = self._t
        value = t.choose(condition[0], yes[0], no[0])
        other = t.either(t.differ(yes[0], no[0]), t.either(yes[1], no[1]))
        return value, t.choose(condition[1], other, t.choose(condition[0], yes[1], no[1]))


class Taint:
    """The tags of one fault in a netlist's ``model`` (:class:`.equivalence.Model`).

    The model's terms are those of :class:`.aiger.Aig`. ``tags``: of those flip-flops that may have
    one.
    """

    def __init__(self, model, mutation: Mutation, tags: dict):
        self._model, self._nets, self._t = model, model.nets, model.terms
        self._mutation = mutation
        self._tagged = Tagged(self._t)
        self._lost = False
        self._tags = {self._nets.output(name): tag for name, tag in tags.items()}
        self._spread()

    def following(self) -> dict:
        """The next tag of every flip-flop that may get one."""
        found = {}
        for name in self._nets.flops:
            cell = self._nets.cells[name]
            ports = self._ports(name)
            if name != self._mutation.cell and not any(
                self._tags.get(bits[0]) for bits in cell["connections"].values()
            ):
                continue
            bit = self._nets.output(name)
            state = self._model.values[bit], self._own.get(name, self._t.false)
            tag = next_state(self._tagged, cell["type"], ports, state)[1]
            if name == self._mutation.cell and stopped(self._mutation):
                moved = self._t.differ(self._model.following(name), state[0])
                tag = self._t.either(moved, state[1])
            if tag != self._t.false:
                found[name] = tag
        return found

    def seen(self):
        """Whether outputs (payload while it is valid) or what memories get may differ."""
        if self._lost:
            return self._t.true
        found = []
        for name, bits in self._nets.outputs.items():
            valid = payload(name)
            shown = self._tagged.true
            if valid in self._nets.outputs:
                shown = self._pair(self._nets.outputs[valid][0])
            found += [self._tagged.both(shown, self._pair(bit))[1] for bit in bits]
        for name in self._nets.memories:
            ports = {
                port: [self._pair(bit) for bit in bits]
                for port, bits in self._nets.cells[name]["connections"].items()
                if port not in OUTPUTS
            }
            if name == self._mutation.cell and self._mutation.port in ports:
                faulty = ports[self._mutation.port]
                faulty[self._mutation.bit] = self._faulty(faulty[self._mutation.bit])
            self._model.while_enabled(name, ports, self._tagged)
            found += [tag for pairs in ports.values() for _, tag in pairs]
        return self._t.any(tag for tag in found if tag != self._t.false)

    def _pair(self, bit):
        return self._model.values[bit], self._tags.get(bit, self._t.false)

    def _ports(self, name) -> dict:
        """Pairs at the input ports, the fault's included."""
        ports = {
            port: self._pair(bits[0])
            for port, bits in self._nets.cells[name]["connections"].items()
            if port not in OUTPUTS
        }
        if name == self._mutation.cell and self._mutation.port in ports:
            port = self._mutation.port
            ports[port] = self._faulty(ports[port])
        return ports

    def _faulty(self, pair):
        t, (value, tag), mode = self._t, pair, self._mutation.mode
        if mode == "const0":
            return value, value
        if mode == "const1":
            return value, t.no(value)
        if mode == "inv":
            return value, t.true
        other, beside = self._pair(self._model.control_of(self._mutation))
        inverted = other if mode == "cnot1" else t.no(other)
        return value, t.either(tag, t.either(inverted, beside))

    def _spread(self) -> None:
        """Tags from flip-flops and the fault through the gates."""
        cells, at = self._nets.cells, self._mutation.cell
        self._own = {
            name: self._tags[self._nets.output(name)]
            for name in self._nets.flops
            if self._nets.output(name) in self._tags
        }
        if self._model.early(self._mutation):
            self._fall()
            return
        if self._mutation.port in OUTPUTS and cells[at]["type"] not in GATES:
            bit = cells[at]["connections"][self._mutation.port][self._mutation.bit]
            self._tags[bit] = self._faulty(self._pair(bit))[1]
        self._settle()

    def _settle(self) -> None:
        cells, at = self._nets.cells, self._mutation.cell
        for name in self._nets.order:
            bits = cells[name]["connections"].values()
            if name != at and not any(self._tags.get(bit[0]) for bit in bits):
                continue
            pair = gate(self._tagged, cells[name]["type"], self._ports(name))
            if name == at and self._mutation.port in OUTPUTS:
                pair = self._faulty(pair)
            if pair[1] != self._t.false:
                self._tags[self._nets.output(name)] = pair[1]

    def _fall(self) -> None:
        """Others see a flip-flop's next state, which it takes half a cycle before them."""
        name = self._mutation.cell
        bit = self._nets.output(name)
        self._tags.pop(bit, None)
        self._settle()
        kind = self._nets.cells[name]["type"]
        state = self._model.state(name), self._own.get(name, self._t.false)
        moved = self._t.differ(self._model.following(name), state[0])
        before = next_state(self._tagged, kind, self._ports(name), state)[1]
        self._tags[bit] = self._t.either(before, moved)
        self._settle()
        # What it takes must not depend on what is seen of it.
        after = next_state(self._tagged, kind, self._ports(name), state)[1]
        self._lost = after != before
