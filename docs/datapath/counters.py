"""Full and half adders, found in a netlist of ``&``, ``|`` and ``^`` by what they compute."""

from matweave.hw.arith import compress

_GATES = ("&", "|", "^")


class Counters:
    """The counters of a circuit. ``cells``: the gates they are made of; ``inputs``: of each net
    that is a sum or a carry, the bits that were counted."""

    def __init__(self, circuit):
        self.circuit = circuit
        self.cells, self.inputs = set(), {}
        self.sums, self.carries = {}, {}
        self.same = []  # pairs of cells that belong to one counter
        self._full()
        self._near()

    def _bits(self, operator):
        """``(net, inputs, cell)`` of every bit of the gates with an operator."""
        for cell, gate in enumerate(self.circuit.cells):
            if self.circuit.operator(cell) == operator:
                for bit, pair in enumerate(zip(*gate.inputs, strict=True)):
                    yield type(pair[0]).from_cell(cell, bit), pair, cell

    def _full(self):
        """x ^ y ^ z with (x & y) | ((x ^ y) & z)."""
        xors = {net: pair for net, pair, _ in self._bits("^")}
        ands = {net: pair for net, pair, _ in self._bits("&")}
        majorities = set()
        for net, pair, cell in self._bits("|"):
            for both, either in (pair, pair[::-1]):
                last = ands.get(either)
                for half, third in (last, last[::-1]) if last and both in ands else ():
                    if set(xors.get(half, ())) == set(ands[both]):
                        counted = frozenset((*ands[both], third))
                        self.inputs[net] = self.carries[net] = counted
                        majorities.add(counted)
                        self._add(cell, both.cell, either.cell, half.cell)
        inner = {}  # cell of x ^ y ^ z -> that of x ^ y
        sums = list(self._bits("^"))
        for _, pair, cell in sums:
            for half, third in (pair, pair[::-1]):
                if half in xors and frozenset((*xors[half], third)) in majorities:
                    inner[cell] = half.cell
                    self._add(cell, half.cell)
        for net, pair, cell in sums:  # the uppermost of a vector of them has no carry
            for half, third in (pair, pair[::-1]):
                if half in xors and half.cell == inner.get(cell):
                    self.inputs[net] = self.sums[net] = frozenset((*xors[half], third))

    def _near(self):
        """Half adders, and what is left of counters whose one input is constant: what the
        compressor trees' own module wrote and is no full adder."""
        circuit = self.circuit
        for operator in _GATES:
            for net, pair, cell in self._bits(operator):
                if cell not in self.cells and circuit.written_in(cell, compress.__file__):
                    self.inputs[net] = frozenset(pair)
        self.cells |= {net.cell for net in self.inputs}
        first = {}
        for net, counted in self.inputs.items():
            self.same.append((net.cell, first.setdefault(counted, net.cell)))

    def _add(self, *cells):
        self.cells |= set(cells)
        self.same += [(cells[0], cell) for cell in cells]

    def depth(self, cells) -> int:
        """Counters in a row, at most, in a connected group of ``cells``."""
        known = {}

        def below(net):
            net = self.circuit.source(net)
            if net.is_const or net.cell not in cells or net not in self.inputs:
                return 0
            if net not in known:
                known[net] = (_size(self.inputs[net]) > 1) + max(map(below, self.inputs[net]))
            return known[net]

        return max((below(net) for net in self.inputs if net.cell in cells), default=0)

    def number(self, cells) -> tuple[int, int]:
        """Full and half adders among ``cells``; with a constant input a full one is a half one, and
        with two it is none."""
        mine = [net for net in self.inputs if net.cell in cells]
        found = [self.sums[net] for net in mine if net in self.sums]
        # Sums of half adders are not told from their carries, nor carries alone from others.
        alone = {self.inputs[net]: 0 for net in mine if net not in self.sums}
        found += [counted for counted in alone if counted not in found]
        sizes = [_size(counted) for counted in found]
        return sizes.count(3), sizes.count(2)

    def is_chain(self, cells) -> bool:
        """Whether only carries are counted again: then it is an adder, not a tree."""
        counted = {net for inputs in self.inputs.values() for net in inputs}
        mine = [net for net in self.inputs if net.cell in cells]
        return any(net in counted for net in mine if net in self.carries) and not any(
            net in counted for net in mine if net in self.sums
        )


def _size(counted) -> int:
    return sum(not net.is_const for net in counted)
