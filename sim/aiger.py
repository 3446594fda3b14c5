"""And-inverter graphs, and the AIGER files that model checkers read.

A literal is an even number for a node, plus one for its inverse; 0 is false and 1 is true. The
operations are those of :class:`.terms.Terms`, so that a :class:`.equivalence.Model` can be
made of either. Source: Biere, Heljanko, Wieringa, "AIGER 1.9 and beyond", 2011.
"""

from collections.abc import Mapping
from pathlib import Path


class Aig:
    """Literals and how they hang together; equal functions of equal literals are one literal."""

    true, false = 1, 0

    def __init__(self):
        self._count = 0
        self._nodes = {}
        self.inputs_of = {}
        """The two literals of which an AND node is made, by node."""

    def free(self) -> int:
        """A literal that nothing drives."""
        self._count += 1
        return 2 * self._count

    def no(self, a):
        return a ^ 1

    def both(self, a, b):
        a, b = sorted((a, b))
        if a == 0 or a ^ b == 1:
            return 0
        if a in (1, b):
            return b
        if (a, b) not in self._nodes:
            self._nodes[a, b] = node = self.free()
            self.inputs_of[node] = (a, b)
        return self._nodes[a, b]

    def either(self, a, b):
        return self.both(a ^ 1, b ^ 1) ^ 1

    def differ(self, a, b):
        return self.either(self.both(a, b ^ 1), self.both(a ^ 1, b))

    def choose(self, condition, yes, no):
        if yes == no:
            return yes
        return self.either(self.both(condition, yes), self.both(condition ^ 1, no))

    def value(self, literal: int, values: dict[int, int]) -> int:
        """What ``literal`` is, from the ``values`` of nodes (0's too), to which more are added."""
        stack = [literal & ~1]
        while stack:
            node = stack[-1]
            if node in values:
                stack.pop()
                continue
            a, b = self.inputs_of[node]
            waiting = [other & ~1 for other in (a, b) if other & ~1 not in values]
            if waiting:
                stack += waiting
            else:
                values[node] = (values[a & ~1] ^ a & 1) & (values[b & ~1] ^ b & 1)
        return values[literal & ~1] ^ (literal & 1)

    def any(self, literals):
        result = 0
        for literal in literals:
            result = self.either(result, literal)
        return result


def write(aig: Aig, path: Path, latches: Mapping[int, tuple[int, int]], bad: int) -> None:
    """The part of ``aig`` on which ``bad`` depends, now or later, as a binary AIGER file.

    ``latches``: next state and value at power-on (0 or 1) by the literal of the state. The file has
    one output, ``bad``, and latches that start at 0: those that start at 1 are inverted.
    """
    latches_used, inputs, ands = needed(aig, latches, bad)
    number = {0: 0}
    for place, node in enumerate([*inputs, *latches_used, *ands], 1):
        number[node] = 2 * place
    inverted = {node for node in latches_used if latches[node][1]}

    def literal(a: int) -> int:
        return number[a & ~1] ^ (a & 1) ^ (a & ~1 in inverted)

    counts = len(number) - 1, len(inputs), len(latches_used), 1, len(ands)
    with path.open("wb") as file:
        file.write(f"aig {' '.join(map(str, counts))}\n".encode())
        for node in latches_used:
            file.write(f"{literal(latches[node][0]) ^ (node in inverted)}\n".encode())
        file.write(f"{literal(bad)}\n".encode())
        for node in ands:
            small, large = sorted(literal(a) for a in aig.inputs_of[node])
            file.write(_compact(number[node] - large) + _compact(large - small))


def needed(aig: Aig, latches: Mapping[int, tuple[int, int]], bad: int):
    """Latches, inputs and ANDs (each after those it is made of) that ``bad`` needs."""
    seen, used, inputs, ands = {0}, [], [], []
    roots = [bad & ~1]
    while roots:
        stack = [(roots.pop(), False)]
        while stack:
            node, done = stack.pop()
            if done:
                ands.append(node)
            elif node in seen:
                continue
            elif node in latches:
                seen.add(node)
                used.append(node)
                roots.append(latches[node][0] & ~1)
            elif node in aig.inputs_of:
                seen.add(node)
                stack.append((node, True))
                stack += [(a & ~1, False) for a in aig.inputs_of[node]]
            else:
                seen.add(node)
                inputs.append(node)
    return used, inputs, ands


def _compact(number: int) -> bytes:
    """Seven bits per byte, lowest first; the top bit says that more follow."""
    result = bytearray()
    while number > 127:
        result.append(number & 127 | 128)
        number >>= 7
    return bytes([*result, number])
