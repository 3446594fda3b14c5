"""What all layers are made with: values, casts, and sums by the solver.

A value is a node and the weight of its last bit. Where a sum is only rounded half up after it was
made (and possibly went through a ReLU), the half is one of the sum's constants and rounding is
leaving bits away: ``max(x, 0)`` rounded is ``max(floor(x + half), 0)``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...fixed import Fixed, FixedOverflow, FixedRounding
from ..cmvm import Options
from ..graph import FEW, Graph
from ..layers import Network
from .sums import PLAIN, Sums


@dataclass(frozen=True)
class Value:
    """The number ``graph[node] * 2**exponent``.

    ``half``: the node is too large by half of ``2**half``, to which precision it is rounded next
    (by phase, if it is several, and ``None`` where it is not rounded); ``relu``: after that,
    negative numbers become zero.
    """

    node: int
    exponent: int
    half: int | tuple[int | None, ...] | None = None
    relu: bool = False


class Builder(Sums):
    """A network's graph on the way; ``choices``: as of :class:`Sums`; ``phase``: gives the node of
    a folded network's phase."""

    def __init__(
        self,
        network: Network,
        choices: Sequence[Options] | None = None,
        phase: Callable[[], int] | None = None,
    ):
        super().__init__(Graph(), choices)
        self.network, self.phase = network, phase

    # Values.

    def constant(self, raw: int, exponent: int = 0) -> Value:
        return Value(self.graph.constant(raw), exponent)

    def aligned(self, *values: Value) -> tuple[list[int], int]:
        """Nodes of the same exponent, and that exponent."""
        exponent = min(value.exponent for value in values)
        nodes = [self.graph.shift(each.node, each.exponent - exponent) for each in values]
        return nodes, exponent

    def relu(self, value: Value) -> Value:
        if isinstance(value.half, int):
            return replace(value, relu=True)
        return replace(value, node=self.graph.relu(value.node))

    def multiply(self, a: Value, b: Value) -> Value:
        return Value(self.graph.multiply(a.node, b.node), a.exponent + b.exponent)

    def negate(self, value: Value) -> Value:
        return Value(self.graph.negate(value.node), value.exponent)

    def maximum(self, a: Value, b: Value) -> Value:
        (x, y), exponent = self.aligned(a, b)
        return Value(self.graph.maximum(x, y), exponent)

    def minimum(self, a: Value, b: Value) -> Value:
        (x, y), exponent = self.aligned(a, b)
        return Value(self.graph.minimum(x, y), exponent)

    def select(self, sign: int, negative: Value, other: Value) -> Value:
        """``negative`` where the node ``sign`` is, else ``other``."""
        (x, y), exponent = self.aligned(negative, other)
        return Value(self.graph.select(sign, x, y), exponent)

    def cast(self, value: Value, to: Fixed) -> Value:
        """``value`` in the format ``to``; exponents may stay above the format's."""
        graph, node = self.graph, value.node
        drop = -value.exponent - to.fraction
        if isinstance(value.half, tuple):
            return value  # until its phase's cast
        if value.half is not None:
            if to.fraction > -value.half:
                return value  # changes nothing, as :func:`.linear.half` found out
            node = graph.round(node, drop, FixedRounding.TRN) if drop > 0 else node
            node = graph.relu(node) if value.relu else node
        elif drop > 0:
            node = graph.round(node, drop, to.rounding)
        spare = max(-drop, 0)  # bits of the format below the value's last: zeros
        exponent = -to.fraction + spare
        if fits(graph[node].low, graph[node].high, exponent, to):
            return Value(node, exponent)
        if to.overflow is FixedOverflow.WRAP:
            if spare >= to.width:
                return Value(graph.constant(0), -to.fraction)
            return Value(graph.wrap(node, to.width - spare, to.signed), exponent)
        node = graph.shift(node, spare)
        if to.overflow is FixedOverflow.SAT_ZERO:
            return Value(graph.zero(node, to.min, to.max), -to.fraction)
        return Value(graph.clamp(node, to.min, to.max), -to.fraction)

    def raw(self, value: Value, fraction: int) -> int:
        """The node of ``value`` as an integer times ``2**-fraction``; towards zero, if it has more
        bits."""
        return self.graph.round(value.node, -value.exponent - fraction, FixedRounding.TRN_ZERO)

    def interval(self, value: Value) -> tuple[int, int]:
        node = self.graph[value.node]
        return node.low, node.high

    def scaled(self, value: Value, factor: int, exponent: int = 0) -> Value:
        """``value * factor * 2**exponent``."""
        node = self.graph.multiply(value.node, self.graph.constant(factor))
        return Value(node, value.exponent + exponent)

    def function(self, value: Value, of: Callable[["Builder", Value], Value]) -> Value:
        """``of(self, value)``; of a value that has few ones, as a table."""
        low, high = self.interval(value)
        if not 1 < high - low + 1 <= FEW:
            return of(self, value)
        apart = Builder(self.network, self.choices)
        result = of(apart, Value(apart.graph.input(0, low, high), value.exponent))
        apart.graph.outputs = [result.node]
        contents = apart.graph.evaluate(np.arange(low, high + 1)[:, None])[:, 0]
        return Value(self.graph.table(value.node, contents), result.exponent)

    def divided(self, value: Value, count: int, fraction: int) -> Value:
        """``value / count`` towards zero, with ``fraction`` bits behind the point, of which
        ``value`` has no more.

        By a power of two it is rounding. Else a product with ``2**s / count``, rounded up; ``s`` is
        large enough that the quotients of all numbers are right (T. Granlund, P. Montgomery,
        "Division by invariant integers using multiplication", PLDI 1994), which are made positive
        by a multiple of ``count`` before.
        """
        node = self.raw(value, fraction)
        if count & (count - 1) == 0:
            shift = count.bit_length() - 1
            return Value(self.graph.round(node, shift, FixedRounding.TRN_ZERO), -fraction)
        graph = self.graph
        up = graph.select(node, graph.constant(count - 1), graph.constant(0))
        node = graph.add(node, up)
        low, high = graph[node].low, graph[node].high
        turns = max(-(low // count), 0)
        largest = high + turns * count
        shift = next(s for s in range(128) if (-(1 << s) % count) * largest < 1 << s)
        factor = -(-(1 << shift) // count)
        ((made, left),) = self.solved([([(node, factor)], turns * count * factor)])
        quotient = graph.round(graph.shift(made, left), shift, FixedRounding.TRN)
        return Value(graph.add(quotient, graph.constant(-turns)), -fraction)

    def looked_up(self, index: int, contents: np.ndarray, of: Fixed) -> Value:
        """``contents`` at the node ``index``, or at the end that is nearest to it."""
        index = self.graph.clamp(index, 0, len(contents) - 1)
        node = self.graph[index]
        return Value(self.graph.table(index, contents[node.low : node.high + 1]), -of.fraction)

    def entry(self, value: Value, to: Fixed, contents: np.ndarray, of: Fixed) -> Value:
        """What the highest bits of ``value``, which is in the format ``to``, find in ``contents``,
        raw numbers of the format ``of``: as many as a power of two."""
        bits = len(contents).bit_length() - 1
        index = self.graph.round(self.raw(value, to.fraction), to.width - bits, FixedRounding.TRN)
        node = self.graph[index]
        found = [contents[i % len(contents)] for i in range(node.low, node.high + 1)]
        return Value(self.graph.table(index, found), -of.fraction)

    # Sums.

    def subtract(self, a: Value, b: Value) -> Value:
        (x, y), exponent = self.aligned(a, b)
        return Value(self.graph.add(x, y, minus=True), exponent)

    def accumulate(self, terms: Sequence[Value], accum: Fixed) -> Value:
        """Terms added one after another, each sum cast to ``accum``. At once, where these casts
        change nothing, or only wrap."""
        if self._at_once(terms, accum):
            return self.cast(self.total(terms), accum)
        total = self.cast(terms[0], accum)
        for term in terms[1:]:
            total = self.cast(self.total([total, term]), accum)
        return total

    def _at_once(self, terms, accum):
        terms = [each for each in terms if not self.graph.is_zero(each.node)]
        lowest = min((each.exponent for each in terms), default=0)
        if lowest < -accum.fraction:
            return False
        low = high = 0
        good = True
        for each in terms:
            least, most = (end << (each.exponent - lowest) for end in self.interval(each))
            low, high = low + least, high + most
            good &= fits(low, high, lowest, accum)
        return good or accum.overflow is FixedOverflow.WRAP

    def total(self, values: Sequence[Value]) -> Value:
        """The exact sum."""
        values = [value for value in values if not self.graph.is_zero(value.node)]
        if not values:
            return self.constant(0)
        lowest = min(value.exponent for value in values)
        weights, constant = [], 0
        for value in values:
            node = self.graph[value.node]
            if node.low == node.high:
                constant += node.low << (value.exponent - lowest)
            else:
                weights.append((value.node, 1 << (value.exponent - lowest)))
        if not weights:
            return self.constant(constant, lowest)
        ((node, shift),) = self.solved([(weights, constant)], PLAIN)
        return Value(node, lowest + shift)


def fits(low: int, high: int, exponent: int, to: Fixed) -> bool:
    """Whether all of ``low * 2**exponent`` … ``high * 2**exponent`` is in the range of ``to``,
    which has a last bit not above that of the numbers."""
    shift = exponent + to.fraction
    if shift < 0:  # rounded already, or finer: compare outside of the last bit
        low, high = low >> -shift, -(-high >> -shift)
        shift = 0
    return to.min <= low << shift and high << shift <= to.max
