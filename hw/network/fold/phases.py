"""Casts whose format depends on the phase: one token after another through the same adders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...fixed import FixedOverflow, FixedRounding
from ..layers import PhasedCast
from ..lower.builder import Builder, Value


@dataclass(frozen=True)
class Phased:
    """A value, and what it can be in each phase: (least, most, exponent), in units of
    ``2**exponent``, which is not below the value's own."""

    value: Value
    ranges: tuple[tuple[int, int, int], ...]


def cast(build: Builder, layer: PhasedCast, x: list[Value], phase: int) -> list[Phased]:
    """``phase``: the node with the number of the phase."""
    by_value = zip(x, zip(*layer.formats, strict=True), strict=True)
    return [_Cast(build, phase, formats, layer.result).of(value) for value, formats in by_value]


class _Cast:
    """Rounded first, then brought into range: each chosen by the phase among what differs."""

    def __init__(self, build, phase, formats, result):
        self.build, self.graph, self.phase = build, build.graph, phase
        self.formats, self.result = formats, result

    def of(self, value: Value) -> Phased:
        if len(set(self.formats)) == 1:
            made = self._plain(value, self.formats[0])
            return Phased(made, (self._range(made),) * len(self.formats))
        made = self.build.cast(self._in_range(self._rounded(value)), self.result)
        halves = value.half if isinstance(value.half, tuple) else [value.half] * len(self.formats)
        plain = (
            self._range(self._plain(replace(value, half=half), to))
            for half, to in zip(halves, self.formats, strict=True)
        )
        return Phased(made, tuple(self._not_finer(made, *each) for each in plain))

    def _plain(self, value, to):
        """Cast to one of the formats. Only what is used of the nodes is built."""
        if to is None:
            return self.build.constant(0, -self.result.fraction)
        return self.build.cast(self.build.cast(value, to), self.result)

    def _range(self, value):
        node = self.graph[value.node]
        return node.low, node.high, value.exponent

    def _not_finer(self, value, low, high, exponent):
        """A range in units that ``value`` can have; a zero may be in finer ones."""
        spare = max(value.exponent - exponent, 0)
        return low >> spare, -(-high >> spare), exponent + spare

    def _rounded(self, value):
        """At every phase's precision."""
        kinds = [to and (to.fraction, to.rounding) for to in self.formats]
        if value.half is not None:
            kinds = [each and (each[0], FixedRounding.TRN) for each in kinds]
            value = replace(value, half=None)
        elif {mode for _, mode in filter(None, kinds)} == {FixedRounding.RND}:
            kinds = [each and (each[0], FixedRounding.TRN) for each in kinds]
            value = self._with_halves(value)
        made = {kind: self._at(value, *kind) for kind in kinds if kind}
        if None in kinds and len(made) == 1:  # what is zero later need not be so now
            return next(iter(made.values()))
        zero = Value(self.graph.constant(0), max(each.exponent for each in made.values()))
        return self._choice([zero if kind is None else made[kind] for kind in kinds])

    def _with_halves(self, value):
        """What is rounded half up becomes larger by half of its phase's precision."""
        drops = [0 if to is None else -value.exponent - to.fraction for to in self.formats]
        halves = self._table([1 << (drop - 1) if drop > 0 else 0 for drop in drops])
        return replace(value, node=self.graph.add(value.node, halves))

    def _at(self, value, fraction, mode):
        drop = -value.exponent - fraction
        node = self.graph.round(value.node, drop, mode) if drop > 0 else value.node
        return Value(node, max(-fraction, value.exponent))

    def _in_range(self, value):
        """With every phase's overflow."""
        modes = {to.overflow for to in self.formats if to}
        if modes != {FixedOverflow.WRAP}:  # bounds are multiples of a format's last bit
            finest = min(-to.fraction for to in self.formats if to)
            node = self.graph.shift(value.node, max(value.exponent - finest, 0))
            value = Value(node, min(value.exponent, finest))
        if modes <= {FixedOverflow.SAT, FixedOverflow.SAT_SYM}:
            low, high = zip(*(self._ends(to, value.exponent) for to in self.formats), strict=True)
            node = self.graph.maximum(value.node, self._table(low))
            return Value(self.graph.minimum(node, self._table(high)), value.exponent)
        return self._choice([self._overflowed(value, to) for to in self.formats])

    def _ends(self, to, exponent):
        if to is None:
            return 0, 0
        shift = -to.fraction - exponent
        return to.min << shift, to.max << shift

    def _overflowed(self, value, to):
        graph, node = self.graph, value.node
        width = 0 if to is None else to.integer - value.exponent
        if width <= 0:
            return Value(graph.constant(0), value.exponent)
        if to.overflow is FixedOverflow.WRAP:
            return Value(graph.wrap(node, width, to.signed), value.exponent)
        keep = graph.zero if to.overflow is FixedOverflow.SAT_ZERO else graph.clamp
        return Value(keep(node, *self._ends(to, value.exponent)), value.exponent)

    def _table(self, contents):
        return self.graph.table(self.phase, contents)

    def _choice(self, by_phase: Sequence[Value]) -> Value:
        """One of them, by the phase: a tree of selectors over those that differ."""
        nodes, exponent = self.build.aligned(*by_phase)
        groups: dict[int, set] = {}
        for phase, node in enumerate(nodes):
            groups.setdefault(node, set()).add(phase)
        return Value(self._tree(list(groups.items())), exponent)

    def _tree(self, groups):
        if len(groups) == 1:
            return groups[0][0]
        half = len(groups) // 2
        first = set().union(*(phases for _, phases in groups[:half]))
        sign = self._table([-(each in first) for each in range(len(self.formats))])
        return self.graph.select(sign, self._tree(groups[:half]), self._tree(groups[half:]))
