"""Sums of constant multiples of nodes, by the solver (:mod:`..cmvm`)."""

from collections.abc import Sequence

from .. import cmvm
from ..adders import Term
from ..graph import Graph

FEW_DIGITS = 1500
"""Weights of so many digits are solved in several ways, of which the cheapest is kept."""

CHOICES = tuple(
    cmvm.Options(slack=slack, power=power) for slack in (1, 0, 2) for power in (1.0, 2.0, 0.5)
)
"""Ways to solve a matrix; a large one takes the first."""
PLAIN = (cmvm.Options(sharing=False),)
"""For the sum of a few values, which has nothing to share."""

Sum = tuple[list[tuple[int, int]], int]
"""Nodes with their weights, and a constant."""


class Sums:
    """What adds up nodes of ``graph``. ``choices``: how to solve matrices, instead of what suits
    their size."""

    def __init__(self, graph: Graph, choices: Sequence[cmvm.Options] | None = None):
        self.graph, self.choices = graph, choices

    def solved(self, wanted: Sequence[Sum], choices=None) -> list[tuple[int, int]]:
        """Nodes, and by how much to shift them, for sums; ``choices``: how to solve them, if not
        as matrices."""
        return self.solved_rows([wanted], choices)[0]

    def solved_rows(self, rows: Sequence[Sequence[Sum]], choices=None):
        """The same for several sets of sums; those of equal weights are solved once."""
        equal: dict[tuple, list[int]] = {}
        combined = [[_combined(each) for each in row] for row in rows]
        for at, row in enumerate(combined):
            place = _places(row)
            key = tuple(tuple((place[n], w) for n, w in each.items()) for each, _ in row)
            equal.setdefault(key, []).append(at)
        results: list = [None] * len(rows)
        for group in equal.values():
            for at, made in zip(group, self._solved_group([combined[i] for i in group], choices),
                                strict=True):  # fmt: skip
                results[at] = made
        return results

    def _solved_group(self, rows, choices):
        """Rows whose weights are equal. A constant that is not the same in all of them is one more
        operand."""
        places = [_places(row) for row in rows]
        operands = [self._term(each) for each in zip(*places, strict=True)]
        sums, constants = [], []  # of the constants, each row's
        for column in zip(*rows, strict=True):
            weights = [(places[0][node], weight) for node, weight in column[0][0].items()]
            values = [constant for _, constant in column]
            if any(values):
                same = len(set(values)) == 1
                unit = [odd(values[0])] * len(rows) if same else values
                if unit not in constants:
                    constants.append(unit)
                index = len(operands) + constants.index(unit)
                weights.append((index, values[0] // unit[0] if same else 1))
            sums.append(weights)
        operands += [Term(min(each), max(each)) for each in constants]
        plan = cmvm.best(operands, sums, self._choices(sums, choices))
        for at, place in enumerate(places):
            nodes = [*place, *(self.graph.constant(each[at]) for each in constants)]
            yield self._planned(plan, nodes)

    def _choices(self, sums, choices):
        digits = sum(abs(w).bit_count() for each in sums for _, w in each)
        return choices or self.choices or (CHOICES if digits <= FEW_DIGITS else CHOICES[:1])

    def _term(self, nodes):
        """What the solver takes the nodes of one operand for: all that any of them can be."""
        found = [self.graph[index] for index in nodes]
        return Term(min(each.low for each in found), max(each.high for each in found))

    def _planned(self, plan, made):
        for step in plan.steps:
            made.append(
                self.graph.add(made[step.a], made[step.b], left=step.left, right=step.right,
                               minus=step.minus)
            )  # fmt: skip
        return [self._result(made, each) for each in plan.results]

    def _result(self, made, result):
        if result.term is None:
            return self.graph.constant(0), 0
        node = made[result.term]
        return (self.graph.negate(node) if result.negative else node), result.shift


def _combined(wanted: Sum) -> tuple[dict[int, int], int]:
    """Each node once."""
    weights, constant = wanted
    combined: dict[int, int] = {}
    for node, weight in weights:
        combined[node] = combined.get(node, 0) + weight
    return combined, constant


def _places(row) -> dict[int, int]:
    """Every node of a row's sums, and its place among the operands."""
    nodes = dict.fromkeys(node for weights, _ in row for node in weights)
    return {node: index for index, node in enumerate(nodes)}


def trailing(value: int) -> int:
    """Zeros below the lowest one."""
    return (value & -value).bit_length() - 1


def odd(value: int) -> int:
    """Without those."""
    return value >> trailing(value)


def shifted(value: int, shift: int) -> int:
    """``value * 2**shift``, which is an integer."""
    return value << shift if shift >= 0 else value >> -shift
