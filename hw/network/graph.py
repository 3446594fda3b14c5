"""The adder graph: one representation from which come the RTL, an evaluation and the costs.

Every node is an integer with the exact interval of its values (:class:`Node`); where the binary
point is, only :mod:`.lower` knows. Nodes are made by the methods of :class:`Graph`, which fold
constants, drop what the interval makes superfluous (a saturation that cannot saturate, the ReLU of
what is never negative) and give the same node for the same operation.
"""

from dataclasses import dataclass

import numpy as np

from ..fixed import FixedRounding
from .adders import width


@dataclass(frozen=True)
class Node:
    """One operation. ``low`` and ``high``: the least and largest value that can occur.

    ==========  ==========================================================  ==========
    op          value                                                       parameters
    ==========  ==========================================================  ==========
    input       an input                                                    its index
    constant    ``low``
    add         ``(a << i) + (b << j)``, or ``-`` if ``minus``; i or j is 0  i, j, minus
    negate      ``-a``
    round       ``a / 2**drop``, rounded                                    drop, mode
    wrap        ``a`` modulo ``2**width``, in the range of that format      width, signed
    clamp       ``min(max(a, least), most)``                                least, most
    zero        ``a`` in the range, else 0                                  least, most
    relu        ``max(a, 0)``
    ==========  ==========================================================  ==========
    """

    op: str
    args: tuple[int, ...]
    parameters: tuple
    low: int
    high: int

    @property
    def signed(self) -> bool:
        return self.low < 0

    @property
    def width(self) -> int:
        """Bits of the narrowest two's-complement number, or unsigned one if never negative."""
        return width(self.low, self.high)


class Graph:
    """Nodes in topological order, by index; ``outputs``: those that are the result."""

    def __init__(self):
        self.nodes: list[Node] = []
        self.outputs: list[int] = []
        self._index = {}

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def _make(self, op, args, parameters, low, high) -> int:
        if low == high and op != "input":
            op, args, parameters = "constant", (), ()
        key = (op, args, parameters, low if op == "constant" else None)
        if key not in self._index:
            self._index[key] = len(self.nodes)
            self.nodes.append(Node(op, args, parameters, low, high))
        return self._index[key]

    @property
    def inputs(self) -> list[int]:
        """Nodes that are inputs, by their place."""
        found = [i for i, node in enumerate(self.nodes) if node.op == "input"]
        return sorted(found, key=lambda i: self.nodes[i].parameters[0])

    def input(self, place: int, low: int, high: int) -> int:
        return self._make("input", (), (place,), low, high)

    def constant(self, value: int) -> int:
        return self._make("constant", (), (), value, value)

    def add(self, a: int, b: int, *, left: int = 0, right: int = 0, minus: bool = False) -> int:
        """``(a << left) + (b << right)``, or their difference."""
        assert min(left, right) == 0
        if self.is_zero(b) and not left:
            return a
        if self.is_zero(a) and not minus and not right:
            return b
        if not minus and (right, b) < (left, a):  # commutative: one order
            a, b, left, right = b, a, right, left
        low, high = self._shifted(a, left)
        other_low, other_high = self._shifted(b, right)
        if minus:
            other_low, other_high = -other_high, -other_low
        return self._make("add", (a, b), (left, right, minus), low + other_low, high + other_high)

    def _shifted(self, index, shift):
        node = self.nodes[index]
        return node.low << shift, node.high << shift

    def is_zero(self, index: int) -> bool:
        return self.nodes[index].low == self.nodes[index].high == 0

    def negate(self, a: int) -> int:
        node = self.nodes[a]
        if node.op == "negate":
            return node.args[0]
        return self._make("negate", (a,), (), -node.high, -node.low)

    def shift(self, a: int, shift: int) -> int:
        """``a << shift``: wiring."""
        return self.add(self.constant(0), a, right=shift) if shift else a

    def round(self, a: int, drop: int, mode: FixedRounding) -> int:
        """``a / 2**drop`` rounded to an integer; half-up rounding becomes an addition."""
        if drop <= 0:
            return self.shift(a, -drop)
        node = self.nodes[a]
        if mode is FixedRounding.TRN_ZERO and not node.signed:
            mode = FixedRounding.TRN
        if mode is FixedRounding.RND:
            a = self.add(a, self.constant(1 << (drop - 1)))
            return self.round(a, drop, FixedRounding.TRN)
        low, high = (int(_ROUND[mode](value, drop)) for value in (node.low, node.high))
        return self._make("round", (a,), (drop, mode), low, high)

    def wrap(self, a: int, width: int, signed: bool) -> int:
        node = self.nodes[a]
        least, most = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (
            0, (1 << width) - 1)  # fmt: skip
        if least <= node.low and node.high <= most:
            return a
        if node.low == node.high:
            return self.constant((node.low - least) % (1 << width) + least)
        # An interval that wraps as a whole stays an interval.
        turns = (node.low - least) >> width
        if turns == (node.high - least) >> width:
            least, most = node.low - (turns << width), node.high - (turns << width)
        return self._make("wrap", (a,), (width, signed), least, most)

    def clamp(self, a: int, least: int, most: int) -> int:
        node = self.nodes[a]
        if least <= node.low and node.high <= most:
            return a
        low, high = (min(max(value, least), most) for value in (node.low, node.high))
        return self._make("clamp", (a,), (least, most), low, high)

    def zero(self, a: int, least: int, most: int) -> int:
        node = self.nodes[a]
        if least <= node.low and node.high <= most:
            return a
        low, high = max(node.low, least), min(node.high, most)
        if low > high:
            return self.constant(0)
        return self._make("zero", (a,), (least, most), min(low, 0), max(high, 0))

    def relu(self, a: int) -> int:
        node = self.nodes[a]
        if not node.signed:
            return a
        return self._make("relu", (a,), (), 0, max(node.high, 0))

    def live(self) -> list[int]:
        """The nodes that some output needs, and all inputs, in topological order."""
        needed = set(self.outputs) | set(self.inputs)
        for index in reversed(range(len(self.nodes))):
            if index in needed:
                needed.update(self.nodes[index].args)
        return sorted(needed)

    def include(self, other: "Graph") -> list[int]:
        """Take in another graph of the same inputs; where its outputs are here. What is the same
        operation of the same nodes is not made twice."""
        place = []
        for node in other.nodes:
            args = tuple(place[each] for each in node.args)
            place.append(self._make(node.op, args, node.parameters, node.low, node.high))
        return [place[each] for each in other.outputs]

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """Results, (samples, outputs), for the integers ``inputs`` (samples, inputs)."""
        live = self.live()
        widest = max((self.nodes[i].width for i in live), default=0)
        x = np.asarray(inputs).astype(np.int64 if widest < 60 else object)
        values = {}
        for index in live:
            node = self.nodes[index]
            args = [values[each] for each in node.args]
            values[index] = _EVALUATE[node.op](node, args, x)
        return np.stack([values[i] for i in self.outputs], axis=1)


def _add(node, args, _):
    left, right, minus = node.parameters
    a, b = args[0] * (1 << left), args[1] * (1 << right)
    return a - b if minus else a + b


def _wrap(node, args, _):
    width, signed = node.parameters
    least = -(1 << (width - 1)) if signed else 0
    return ((args[0] - least) & ((1 << width) - 1)) + least


def _clamp(node, args, _):
    return np.minimum(np.maximum(args[0], node.parameters[0]), node.parameters[1])


def _zero(node, args, _):
    least, most = node.parameters
    return np.where((args[0] >= least) & (args[0] <= most), args[0], 0)


# Every mode as the RTL does it: the floor, and one that is added under a condition on the bits
# that go (``last``: the highest of them; ``rest``: any below it), the sign and the bit that stays.
_ROUND = {
    FixedRounding.TRN: lambda a, drop: a >> drop,
    FixedRounding.TRN_ZERO: lambda a, drop: (a + (a < 0) * ((1 << drop) - 1)) >> drop,
    FixedRounding.RND_ZERO: lambda a, drop: (a + (1 << (drop - 1)) - (a >= 0)) >> drop,
    FixedRounding.RND_INF: lambda a, drop: (a + (1 << (drop - 1)) - (a < 0)) >> drop,
    FixedRounding.RND_MIN_INF: lambda a, drop: (a + (1 << (drop - 1)) - 1) >> drop,
    FixedRounding.RND_CONV: lambda a, drop: (a + (1 << (drop - 1)) - 1 + ((a >> drop) & 1)) >> drop,
}

_EVALUATE = {
    "input": lambda node, args, x: x[:, node.parameters[0]],
    "constant": lambda node, args, x: np.full(len(x), node.low, x.dtype),
    "add": _add,
    "negate": lambda node, args, x: -args[0],
    "round": lambda node, args, x: _ROUND[node.parameters[1]](args[0], node.parameters[0]),
    "wrap": _wrap,
    "clamp": _clamp,
    "zero": _zero,
    "relu": lambda node, args, x: np.maximum(args[0], 0),
}
