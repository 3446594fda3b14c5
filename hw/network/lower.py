"""From a network's layers to the adder graph, bit for bit.

A value is a node and the weight of its last bit. Where a sum is only rounded half up after it was
made (and possibly went through a ReLU), the half is one of the sum's constants and rounding is
leaving bits away: ``max(x, 0)`` rounded is ``max(floor(x + half), 0)``.
"""

from dataclasses import dataclass, replace

from ..fixed import Fixed, FixedOverflow, FixedRounding
from . import cmvm
from .adders import Term
from .graph import Graph
from .layers import Affine, Cast, Dense, Network, Relu, Reshape

FEW_DIGITS = 1500
"""Weights of so many digits are solved in several ways, of which the cheapest is kept."""


@dataclass(frozen=True)
class Value:
    """The number ``graph[node] * 2**exponent``.

    ``half``: the node is too large by half of ``2**half``, to which precision it is rounded next;
    ``relu``: after that, negative numbers become zero.
    """

    node: int
    exponent: int
    half: int | None = None
    relu: bool = False


@dataclass(frozen=True)
class Lowered:
    """The graph of a network. Output ``i`` is worth ``graph.outputs[i] * 2**exponents[i]``."""

    graph: Graph
    exponents: tuple[int, ...]


def lower(network: Network, choices=None) -> Lowered:
    """The graph of all layers; ``choices``: how to solve matrices (:class:`.cmvm.Options`),
    instead of what suits their size."""
    return _Lowering(network, choices).run()


class _Lowering:
    def __init__(self, network, choices):
        self.network, self.choices = network, choices
        self.graph = Graph()
        self.values: dict[str, list[Value]] = {}

    def run(self) -> Lowered:
        first = self.network.input
        to = first.result.plain()
        self.values[first.name] = [
            Value(self.graph.input(place, to.min, to.max), -to.fraction)
            for place in range(first.size)
        ]
        makers = {Dense: self._dense, Affine: self._affine, Relu: self._relu, Cast: self._cast}
        for layer in self.network.layers[1:]:
            values = [self.values[name] for name in layer.sources]
            if isinstance(layer, Reshape):
                self.values[layer.name] = values[0]
            else:
                self.values[layer.name] = makers[type(layer)](layer, *values)
        outputs = self.values[self.network.output]
        self.graph.outputs = [value.node for value in outputs]
        return Lowered(self.graph, tuple(value.exponent for value in outputs))

    # Layers.

    def _dense(self, layer, x):
        fraction = layer.weight_format.fraction
        bias = [(int(raw), -layer.bias_format.fraction) for raw in layer.bias]
        products = [
            [(value, int(w), value.exponent - fraction) for value, w in zip(x, column, strict=True)
             if w and not self.graph.is_zero(value.node)]
            for column in layer.weight.T
        ]  # fmt: skip
        exact = all(self._exact(*each, layer) for each in zip(products, bias, strict=True))
        sums = self._sums(layer, products, bias) if exact else self._stepwise(layer, products, bias)
        return [self.cast(value, layer.result) for value in sums]

    def _affine(self, layer, x):
        fraction = layer.scale_format.fraction
        products = [
            [(value, int(w), value.exponent - fraction)] if w else []
            for value, w in zip(x, layer.scale, strict=True)
        ]
        bias = [(int(raw), -layer.bias_format.fraction) for raw in layer.bias]
        return [self.cast(value, layer.result) for value in self._sums(layer, products, bias)]

    def _relu(self, layer, x):
        return [self.cast(self.relu(value), layer.result) for value in x]

    def _cast(self, layer, x):
        zero = Value(self.graph.constant(0), -layer.result.fraction)
        return [
            zero if to is None else self.cast(self.cast(value, to), layer.result)
            for value, to in zip(x, layer.formats, strict=True)
        ]

    # Sums.

    def _exact(self, products, bias, layer):
        """Whether casts to the accumulator change nothing, or only wrap: then one is enough."""
        raw, exponent = bias
        accum = layer.accum
        lowest = min([e for *_, e in products] + [exponent] * (raw != 0), default=0)
        for _, w, e in products:
            if e + _trailing(w) < -accum.fraction:
                return False
        if raw and exponent + _trailing(raw) < -accum.fraction:
            return False
        if accum.overflow is FixedOverflow.WRAP:
            return True
        low = high = raw << (exponent - lowest) if raw else 0
        fits = _fits(low, high, lowest, accum)
        for value, w, e in products:  # every product, and every sum on the way
            least, most = self._times(value, w << (e - lowest))
            low, high = low + least, high + most
            fits &= _fits(least, most, lowest, accum) and _fits(low, high, lowest, accum)
        return fits

    def _times(self, value, weight):
        node = self.graph[value.node]
        return sorted((node.low * weight, node.high * weight))

    def _sums(self, layer, products, bias) -> list[Value]:
        """Exact sums of products and bias, in the solver's additions; those of a dense layer are
        wrapped as its accumulator does."""
        accum = getattr(layer, "accum", None)
        parts = [(w, e) for each in products for _, w, e in each] + bias
        lowest = min((e + _trailing(w) for w, e in parts if w), default=0)
        wanted, halves = [], []
        for place, (each, (raw, exponent)) in enumerate(zip(products, bias, strict=True)):
            constant = _aligned(raw, exponent - lowest)
            weights = []
            for value, w, e in each:
                node = self.graph[value.node]
                if node.low == node.high:
                    constant += node.low * _aligned(w, e - lowest)
                else:
                    weights.append((value, _aligned(w, e - lowest)))
            half = self._half(layer, place, weights, constant, lowest) if weights else None
            if half is not None:
                constant += 1 << (half - 1 - lowest)
            wanted.append((weights, constant))
            halves.append(half)
        sums = self._solved(wanted)
        values = [
            Value(node, lowest + shift, half)
            for (node, shift), half in zip(sums, halves, strict=True)
        ]
        return [value if value.half is not None or accum is None else self.cast(value, accum)
                for value in values]  # fmt: skip

    def _half(self, layer, place, weights, constant, exponent):
        """Where (the weight of the last bit that stays) the sum is going to be rounded half up
        before anything else changes it; else ``None``."""
        bounds = [self._times(value, w) for value, w in weights]
        low, high = (constant + sum(each) for each in zip(*bounds, strict=True))
        for to in self._upcoming(layer, place):
            if to is Relu:
                low, high = max(low, 0), max(high, 0)
            elif -exponent > to.fraction:
                return -to.fraction if to.rounding is FixedRounding.RND else None
            elif not _fits(low, high, exponent, to):
                return None
        return None

    def _upcoming(self, layer, place):
        """The formats that value ``place`` is cast to, and ``Relu``, while it goes one way only."""
        if isinstance(layer, Dense):
            yield layer.accum
        yield layer.result
        while layer.name != self.network.output:
            readers = [each for each in self.network.layers if layer.name in each.sources]
            if len(readers) != 1:
                return
            layer = readers[0]
            if isinstance(layer, Relu):
                yield Relu
            elif isinstance(layer, Cast):
                if layer.formats[place] is None:
                    return
                yield layer.formats[place]
            elif not isinstance(layer, Reshape):
                return
            yield layer.result

    def _solved(self, wanted, choices=None) -> list[tuple[int, int]]:
        """Nodes, and by how much to shift them, for sums of (value, weight) and a constant;
        ``choices``: how to solve them, if not as matrices."""
        nodes = list(dict.fromkeys(value.node for weights, _ in wanted for value, _ in weights))
        constants = list(dict.fromkeys(_odd(each) for _, each in wanted if each))
        place = {node: index for index, node in enumerate(nodes)}
        operands = [self._term(node) for node in nodes]
        operands += [Term(each, each) for each in constants]
        sums = []
        for weights, constant in wanted:
            combined = {}
            for value, weight in weights:
                combined[place[value.node]] = combined.get(place[value.node], 0) + weight
            sums.append(([*combined.items()], constant))
        digits = sum(w.bit_count() for each, _ in sums for _, w in each)
        choices = choices or self.choices or (CHOICES if digits <= FEW_DIGITS else CHOICES[:1])
        shifted = [
            [*each, *([(len(nodes) + constants.index(_odd(c)), c // _odd(c))] if c else [])]
            for each, c in sums
        ]
        plan = cmvm.best(operands, shifted, choices)
        made = nodes + [self.graph.constant(each) for each in constants]
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

    def _term(self, index):
        node = self.graph[index]
        return Term(node.low, node.high)

    def _stepwise(self, layer, products, bias) -> list[Value]:
        """Every product, and every sum, cast to the accumulator."""
        accum = layer.accum
        wanted = [self._product(value, w) for each in products for value, w, _ in each]
        solved = iter(self._solved(wanted, CHOICES[:1]))
        sums = []
        for each, (raw, exponent) in zip(products, bias, strict=True):
            total = self.cast(Value(self.graph.constant(raw), exponent), accum)
            terms = []
            for _, _, e in each:
                node, shift = next(solved)
                terms.append(self.cast(Value(node, e + shift), accum))
            if accum.overflow is FixedOverflow.WRAP:
                value = self._plain_sum([total, *terms])
                sums.append(self.cast(value, accum))
                continue
            for term in terms:
                total = self.cast(self._plain_sum([total, term]), accum)
            sums.append(total)
        return sums

    def _product(self, value, weight):
        node = self.graph[value.node]
        return ([], node.low * weight) if node.low == node.high else ([(value, weight)], 0)

    def _plain_sum(self, values):
        values = [value for value in values if not self.graph.is_zero(value.node)]
        if not values:
            return Value(self.graph.constant(0), 0)
        lowest = min(value.exponent for value in values)
        weights, constant = [], 0
        for value in values:
            node = self.graph[value.node]
            if node.low == node.high:
                constant += node.low << (value.exponent - lowest)
            else:
                weights.append((value, 1 << (value.exponent - lowest)))
        if not weights:
            return Value(self.graph.constant(constant), lowest)
        ((node, shift),) = self._solved([(weights, constant)], PLAIN)
        return Value(node, lowest + shift)

    # Casts.

    def relu(self, value: Value) -> Value:
        if value.half is not None:
            return replace(value, relu=True)
        return replace(value, node=self.graph.relu(value.node))

    def cast(self, value: Value, to: Fixed) -> Value:
        """``value`` in the format ``to``; exponents may stay above the format's."""
        graph, node = self.graph, value.node
        drop = -value.exponent - to.fraction
        if value.half is not None:
            if to.fraction > -value.half:
                return value  # changes nothing, as :meth:`_half` found out
            node = graph.round(node, drop, FixedRounding.TRN) if drop > 0 else node
            node = graph.relu(node) if value.relu else node
        elif drop > 0:
            node = graph.round(node, drop, to.rounding)
        spare = max(-drop, 0)  # bits of the format below the value's last: zeros
        exponent = -to.fraction + spare
        if _fits(graph[node].low, graph[node].high, exponent, to):
            return Value(node, exponent)
        if to.overflow is FixedOverflow.WRAP:
            if spare >= to.width:
                return Value(graph.constant(0), -to.fraction)
            return Value(graph.wrap(node, to.width - spare, to.signed), exponent)
        node = graph.shift(node, spare)
        if to.overflow is FixedOverflow.SAT_ZERO:
            return Value(graph.zero(node, to.min, to.max), -to.fraction)
        return Value(graph.clamp(node, to.min, to.max), -to.fraction)


CHOICES = tuple(
    cmvm.Options(slack=slack, power=power) for slack in (1, 0, 2) for power in (1.0, 2.0, 0.5)
)
"""Ways to solve a matrix; a large one takes the first."""
PLAIN = (cmvm.Options(sharing=False),)
"""For the sum of a few values, which has nothing to share."""


def _fits(low: int, high: int, exponent: int, to: Fixed) -> bool:
    """Whether all of ``low * 2**exponent`` … ``high * 2**exponent`` is in the range of ``to``,
    which has a last bit not above that of the numbers."""
    shift = exponent + to.fraction
    if shift < 0:  # rounded already, or finer: compare outside of the last bit
        low, high = low >> -shift, -(-high >> -shift)
        shift = 0
    return to.min <= low << shift and high << shift <= to.max


def _aligned(value: int, shift: int) -> int:
    """``value * 2**shift``, which is an integer."""
    return value << shift if shift >= 0 else value >> -shift


def _trailing(value: int) -> int:
    return (value & -value).bit_length() - 1


def _odd(value: int) -> int:
    return value >> _trailing(value)
