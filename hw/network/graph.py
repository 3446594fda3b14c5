"""The adder graph: one representation from which come the RTL, an evaluation and the costs.

Every node is an integer with the exact interval of its values (:class:`Node`); where the binary
point is, only :mod:`.lower` knows. Nodes are made by the methods of :class:`Graph`, which fold
constants, drop what the interval makes superfluous (a saturation that cannot saturate, the ReLU of
what is never negative) and give the same node for the same operation.
"""

from dataclasses import dataclass

import numpy as np

from ..fixed import FixedRounding
from .adders import csd, width
from .operations import EVALUATE, OF_ONE, ROUND

MAX_TABLE = 1 << 12
"""Most entries of a table."""
FEW = 64
"""Entries that are one LUT per bit: tables of so few take in what is in front of them."""


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
    multiply    ``a * b``
    round       ``a / 2**drop``, rounded                                    drop, mode
    wrap        ``a`` modulo ``2**width``, in the range of that format      width, signed
    clamp       ``min(max(a, least), most)``                                least, most
    zero        ``a`` in the range, else 0                                  least, most
    relu        ``max(a, 0)``
    maximum     the larger of a and b
    minimum     the smaller of a and b
    select      b if a is negative, else c
    table       ``contents[a - first]``                                      first, contents
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
        if op in OF_ONE and op != "table" and self.nodes[args[0]].op == "table":
            return self._through(Node(op, args, parameters, low, high))
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
        low, high = (int(ROUND[mode](value, drop)) for value in (node.low, node.high))
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

    def multiply(self, a: int, b: int) -> int:
        """``a * b``; by a constant it is a sum of shifted ones."""
        x, y = self.nodes[a], self.nodes[b]
        if x.low == x.high:
            return self._multiple(b, x.low)
        if y.low == y.high:
            return self._multiple(a, y.low)
        corners = [p * q for p in (x.low, x.high) for q in (y.low, y.high)]
        low, high = min(corners), max(corners)
        if a == b:  # a square
            low = 0 if x.low <= 0 <= x.high else min(x.low**2, x.high**2)
        return self._make("multiply", (min(a, b), max(a, b)), (), low, high)

    def _multiple(self, a, factor):
        total = self.constant(0)
        for shift, sign in csd(factor):
            total = self.add(total, a, right=shift, minus=sign < 0)
        return total

    def maximum(self, a: int, b: int) -> int:
        return self._extreme("maximum", a, b, max)

    def minimum(self, a: int, b: int) -> int:
        return self._extreme("minimum", a, b, min)

    def _extreme(self, op, a, b, of):
        x, y = self.nodes[a], self.nodes[b]
        if a == b:
            return a
        for one, other, index in ((x, y, a), (y, x, b)):
            if one.low >= other.high if op == "maximum" else one.high <= other.low:
                return index
        return self._make(op, (min(a, b), max(a, b)), (), of(x.low, y.low), of(x.high, y.high))

    def select(self, a: int, b: int, c: int) -> int:
        """``b`` if ``a`` is negative, else ``c``."""
        sign, x, y = self.nodes[a], self.nodes[b], self.nodes[c]
        if not sign.signed or b == c:
            return c
        if sign.high < 0:
            return b
        return self._make("select", (a, b, c), (), min(x.low, y.low), max(x.high, y.high))

    def table(self, a: int, contents) -> int:
        """``contents[a - low]``, where ``low`` is the least value of ``a``: an integer for every
        value that ``a`` can have, at most :data:`MAX_TABLE`. What leads to ``a`` from a node of as
        few values becomes part of the table."""
        node = self.nodes[a]
        contents = tuple(int(each) for each in contents)
        assert len(contents) == node.high - node.low + 1 <= MAX_TABLE
        most, last = max(len(contents), FEW), node.low
        while (inner := self._only_argument(node)) is not None:
            below = self.nodes[inner]
            if below.high - below.low >= most:
                break
            values = self._evaluated(node, np.arange(below.low, below.high + 1))
            contents = tuple(contents[int(each) - last] for each in values)
            a, node, last = inner, below, below.low
        return self._make("table", (a,), (last, contents), min(contents), max(contents))

    def _only_argument(self, node) -> int | None:
        """The node whose function alone this node is, if there is one."""
        variable = [i for i in node.args if self.nodes[i].op != "constant"]
        return variable[0] if len(variable) == 1 else None

    def _evaluated(self, node, values):
        """Such a node's values for those of its argument."""
        args = [
            np.full(len(values), self.nodes[i].low) if self.nodes[i].op == "constant" else values
            for i in node.args
        ]
        return EVALUATE[node.op](node, args, None)

    def _through(self, node) -> int:
        """An operation on a table's result, as a table."""
        (index,) = node.args
        _, contents = self.nodes[index].parameters
        changed = EVALUATE[node.op](node, [np.array(contents)], None)
        return self.table(self.nodes[index].args[0], changed)

    def live(self) -> list[int]:
        """The nodes that some output needs, and all inputs, in topological order."""
        needed = set(self.outputs) | set(self.inputs)
        for index in reversed(range(len(self.nodes))):
            if index in needed:
                needed.update(self.nodes[index].args)
        return sorted(needed)

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """Results, (samples, outputs), for the integers ``inputs`` (samples, inputs)."""
        live = self.live()
        widest = max((self.nodes[i].width for i in live), default=0)
        x = np.asarray(inputs).astype(np.int64 if widest < 60 else object)
        values = {}
        for index in live:
            node = self.nodes[index]
            args = [values[each] for each in node.args]
            values[index] = EVALUATE[node.op](node, args, x)
        return np.stack([values[i] for i in self.outputs], axis=1)
