"""The adder graph as hardware: a pipeline that takes an input and gives a result every cycle."""

from collections.abc import Set

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..fixed import FixedRounding
from .graph import Graph, Node
from .pipeline import Stages
from .product import product
from .rom import lookup
from .timing import needed

__all__ = ["Pipeline", "lanes"]


def lanes(graph: Graph, indices) -> list[tuple[int, int]]:
    """(first bit, bits) of each node among the packed bits of all."""
    places, first = [], 0
    for index in indices:
        places.append((first, graph[index].width))
        first += graph[index].width
    return places


class Pipeline(wiring.Component):
    """Free-running: no handshake, no enable, no reset of the data.

    Parameters
    ----------
    graph : Graph
    stages : Stages
    dsps : set of Node, optional
        Products of two values that are left to the synthesiser, which makes DSP blocks of them if
        it may. By default none: they are rows of additions.

    Attributes
    ----------
    latency : int
        Cycles from an input to its result: ``stages.count``.
    i : In
        All inputs, each as wide as its node, the first lowest.
    o : Out
        All outputs, each as wide as its node (:func:`lanes`); a constant one has no bits if it is
        zero. Undefined until ``latency`` cycles after the first input.
    """

    def __init__(self, *, graph: Graph, stages: Stages, dsps: Set[Node] = frozenset()):
        self.graph, self.stages, self.dsps = graph, stages, dsps
        self.latency = stages.count
        widths = [sum(graph[i].width for i in each) for each in (graph.inputs, graph.outputs)]
        super().__init__({"i": In(widths[0]), "o": Out(widths[1])})

    def elaborate(self, platform):
        m = Module()
        places = lanes(self.graph, self.graph.inputs)
        inputs = {
            index: self.i[first : first + width]
            for index, (first, width) in zip(self.graph.inputs, places, strict=True)
        }
        drawing = _Drawing(m, self.graph, self.stages, inputs, self.dsps)
        results = [drawing.value(index, self.latency) for index in self.graph.outputs]
        m.d.comb += self.o.eq(Cat(*results))
        return m


class _Drawing:
    """Nodes as values of as many bits as somebody needs (:func:`.timing.needed`), per stage."""

    def __init__(self, m, graph, stages, inputs, dsps):
        self.dsps = dsps
        self.m, self.graph, self.stages = m, graph, stages
        self.tables = 0
        self.bits = needed(graph)
        # node -> its value in its own stage, and after each register behind it
        self.at = {index: [value] for index, value in inputs.items()}
        for index in graph.live():
            node = graph[index]
            if node.op not in ("input", "constant") and self.bits[index]:
                stage = stages.of[index]
                signal = Signal(self.bits[index], name=f"n{index}")
                m.d.comb += signal.eq(self._draw(index, stage))
                self.at[index] = [signal]

    def value(self, index, stage):
        """The node's bits in a stage not before its own."""
        node = self.graph[index]
        if node.op == "constant":
            return Const(node.low & ((1 << node.width) - 1), node.width)
        copies = self.at[index]
        while len(copies) <= stage - self.stages.of[index]:
            register = Signal(
                len(copies[-1]), name=f"n{index}_{self.stages.of[index] + len(copies)}",
                reset_less=True,
            )  # fmt: skip
            self.m.d.sync += register.eq(copies[-1])
            copies.append(register)
        return copies[stage - self.stages.of[index]]

    def _number(self, index, stage, drop=0):
        """The node without its ``drop`` lowest bits, as an Amaranth number of its sign."""
        node, value = self.graph[index], self.value(index, stage)
        whole = self.bits[index] == node.width or node.op == "constant"
        if len(value) <= drop:  # nothing left but the sign
            return value[-1:].as_signed() if node.signed and whole else Const(0, 1)
        value = value[drop:]
        return value.as_signed() if node.signed and whole else value

    def _draw(self, index, stage):
        node = self.graph[index]
        return getattr(self, f"_{node.op}")(node, stage, self.bits[index])

    def _add(self, node, stage, bits):
        (a, b), (left, right, minus) = node.args, node.parameters
        if left and minus:
            if bits <= left:  # nothing of a: it may have no bits at all
                return -self._number(b, stage)
            shifted = Cat(Const(0, left), self.value(a, stage))
            shifted = shifted.as_signed() if self.graph[a].signed else shifted
            return shifted - self._number(b, stage)
        first = max(left, right)
        lower, higher = (b, a) if left else (a, b)
        low = self._low(lower, stage, first)
        if bits <= first:
            return low
        x, y = self._number(lower, stage, first), self._number(higher, stage)
        high = Signal(bits - first, name="high")
        self.m.d.comb += high.eq(x - y if minus else x + y)
        return Cat(low, high)

    def _low(self, index, stage, count):
        """The ``count`` lowest bits of a node, extended by its sign."""
        if not count:
            return Const(0, 0)
        value = self._number(index, stage)
        bits = Signal(count, name="low")
        self.m.d.comb += bits.eq(value)
        return bits

    def _negate(self, node, stage, bits):
        return -self._number(node.args[0], stage)

    def _wrap(self, node, stage, bits):
        return self._number(node.args[0], stage)

    def _round(self, node, stage, bits):
        drop, mode = node.parameters
        (a,) = node.args
        floor = self._number(a, stage, drop)
        if mode is FixedRounding.TRN:
            return floor
        value = self._low(a, stage, drop)
        negative = self.value(a, stage)[-1] if self.graph[a].signed else Const(0, 1)
        half, rest = value[-1], value[:-1].any() if drop > 1 else Const(0, 1)
        up = {
            FixedRounding.TRN_ZERO: lambda: negative & value.any(),
            FixedRounding.RND_ZERO: lambda: half & (rest | negative),
            FixedRounding.RND_INF: lambda: half & (rest | ~negative),
            FixedRounding.RND_MIN_INF: lambda: half & rest,
            FixedRounding.RND_CONV: lambda: half & (rest | floor[0]),
        }[mode]()
        return floor + up

    def _clamp(self, node, stage, bits):
        value, (least, most) = self._number(node.args[0], stage), node.parameters
        argument = self.graph[node.args[0]]
        result = value
        if argument.high > most:
            result = Mux(value > most, most, result)
        if argument.low < least:
            result = Mux(value < least, least, result)
        return result

    def _zero(self, node, stage, bits):
        value, (least, most) = self._number(node.args[0], stage), node.parameters
        argument = self.graph[node.args[0]]
        inside = Const(1, 1)
        if argument.high > most:
            inside = inside & (value <= most)
        if argument.low < least:
            inside = inside & (value >= least)
        return Mux(inside, value, 0)

    def _multiply(self, node, stage, bits):
        a, b = (self._number(each, stage) for each in node.args)
        return a * b if node in self.dsps else product(self.m, a, b)

    def _maximum(self, node, stage, bits):
        a, b = (self._number(each, stage) for each in node.args)
        return Mux(a > b, a, b)

    def _minimum(self, node, stage, bits):
        a, b = (self._number(each, stage) for each in node.args)
        return Mux(a < b, a, b)

    def _select(self, node, stage, bits):
        sign = self.value(node.args[0], stage)[-1]
        b, c = (self._number(each, stage) for each in node.args[1:])
        return Mux(sign, b, c)

    def _table(self, node, stage, bits):
        """By the bits of the argument; those that it never has give what its nearest value does."""
        argument, (first, contents) = self.graph[node.args[0]], node.parameters
        width, last = argument.width, first + len(contents) - 1
        words = []
        for pattern in range(1 << width):
            value = pattern - (1 << width) * (argument.signed and pattern >> (width - 1))
            words.append(contents[min(max(value, first), last) - first] & ((1 << bits) - 1))
        self.tables += 1
        name, address = f"table{self.tables}", self.value(node.args[0], stage)
        return lookup(self.m, name, address, tuple(words), bits)

    def _relu(self, node, stage, bits):
        # In front of a register this is its synchronous reset, and no LUT.
        value = self.value(node.args[0], stage)
        return Mux(value[-1], 0, value[:-1])
