"""Which register stage every node belongs to: few registers for a clock or a number of stages.

Stage 0 is fed by the inputs themselves; between two stages is a rank of registers, and the last
rank is behind the outputs, so that n ranks are n cycles of latency. A node must not be earlier than
its arguments, and no path inside a stage longer than the period.

Ranks are placed from the inputs on. For each, some nodes must lie before it (the rest would not fit
into the stages behind it), some cannot (their paths from the rank before are too long), and of what
is between a minimum cut chooses the fewest bits to hold: a node's bits count once however many read
them. A register that takes a ReLU's output counts half: the ReLU becomes the register's synchronous
reset, which saves a LUT per bit.
"""

from dataclasses import dataclass

from ..errors import ConfigError
from .graph import Graph
from .mincut import Flow
from .timing import Family, delay, is_wiring, needed

MAX_STAGES = 64
SLACK = 1.3
"""If only the stages are given: how much longer than the shortest possible period one may be in
which registers are saved."""


@dataclass(frozen=True, eq=False)
class Stages:
    """``of``: live node -> stage; ``count``: ranks of registers; ``period``: the longest path as
    the model has it, in ns."""

    of: dict[int, int]
    count: int
    period: float
    register_bits: int


def place(
    graph: Graph, of: Family, *, stages: int | None = None, period: float | None = None
) -> Stages:
    """Stages for a graph: as many as given, or as few as reach ``period`` (ns).

    Raises :class:`ConfigError` where no number of stages reaches it.
    """
    if stages is not None and not 1 <= stages <= MAX_STAGES:
        raise ConfigError(f"stages: must be 1 to {MAX_STAGES}, not {stages}")
    work = _Work(graph, of)
    if period is not None:
        longest = period - of.register
        least = work.count(longest)
        if least is None or least > MAX_STAGES:
            raise ConfigError(
                f"clock: no {MAX_STAGES} stages reach a period of {period:g} ns; one addition and "
                f"its register take up to {work.slowest + of.register:.2f} ns"
            )
        stages = max(least, stages or 1)
    else:
        longest = work.shortest(stages) * SLACK
    return work.cut(stages, longest)


class _Work:
    def __init__(self, graph, of):
        self.graph, self.family = graph, of
        self.live = graph.live()
        self.delay = {index: delay(graph, index, of) for index in self.live}
        self.bits = needed(graph)
        self.readers = {index: [] for index in self.live}
        for index in self.live:
            for argument in graph[index].args:
                self.readers[argument].append(index)
        self.moving = [index for index in self.live if graph[index].op != "constant"]
        self.slowest = max(self.delay.values(), default=0.0)

    def count(self, longest: float) -> int | None:
        """The fewest stages whose paths are not longer."""
        if longest < self.slowest or longest <= 0:
            return None
        stage = self._latest(longest, 0)
        return 1 - min(stage.values(), default=0)

    def shortest(self, stages: int) -> float:
        """The shortest period of so many stages, to a hundredth of it."""
        total = max(self._arrivals(set(), {}).values(), default=0.0) or 1.0
        low, high = max(self.slowest, total / stages), total
        while high - low > 0.005 * high:
            middle = (low + high) / 2
            low, high = (low, middle) if (self.count(middle) or 99) <= stages else (middle, high)
        return high

    def _latest(self, longest, last) -> dict[int, int]:
        """The last stage in which each node may be, if the outputs are in stage ``last``."""
        stage, tail = {}, {}  # tail: the path from the node's input to its stage's end
        for index in reversed(self.moving):
            readers = self.readers[index]
            stage[index] = min((stage[each] for each in readers), default=last)
            after = max((tail[each] for each in readers if stage[each] == stage[index]), default=0)
            tail[index] = after + self.delay[index]
            if tail[index] > longest * (1 + 1e-9):
                stage[index] -= 1
                tail[index] = self.delay[index]
        return stage

    def _arrivals(self, done, stage):
        """When each node that is not ``done`` is ready, after the rank in front of it."""
        arrival = {}
        for index in self.moving:
            if index in done:
                continue
            before = [arrival[each] for each in self.graph[index].args if each in arrival]
            arrival[index] = max(before, default=0.0) + self.delay[index]
        return arrival

    def cut(self, stages: int, longest: float) -> Stages:
        latest = self._latest(longest, stages - 1)
        stage, done = {}, set()
        for rank in range(stages - 1):
            arrival = self._arrivals(done, stage)
            must = {index for index in arrival if latest[index] <= rank}
            must |= {index for index in arrival if self.graph[index].op == "input"}
            may = {index for index, time in arrival.items() if time <= longest * (1 + 1e-9)}
            before = self._before(done, must, may, arrival)
            stage.update(dict.fromkeys(before - done, rank))
            done |= before
        stage.update({index: stages - 1 for index in self.moving if index not in done})
        for index in self.live:
            stage.setdefault(index, 0)  # constants are everywhere
        return Stages(stage, stages, self._period(stage), self._register_bits(stage, stages))

    def _before(self, done, must, may, arrival) -> set[int]:
        """The nodes before the next rank: the fewest bits that cross it."""
        flow, outputs = Flow(), set(self.graph.outputs)
        flow.edge("source", "sink", 0)
        for index in self.moving:
            readers = [each for each in self.readers[index] if each not in done]
            if index in done:
                if not readers and index not in outputs:
                    continue
                flow.edge("source", index)
            elif index in must:
                flow.edge("source", index)
            elif index not in may:
                flow.edge(index, "sink")
            register = ("register", index)
            flow.edge(index, register, self._price(index))
            if index in outputs:
                flow.edge(register, "sink")
            for each in readers:
                flow.edge(register, each)
                flow.edge(each, index)  # what is read lies before its reader
        side = flow.side("source", "sink")
        return {index for index in side if isinstance(index, int)} | done

    def _price(self, index):
        node = self.graph[index]
        while node.op != "relu" and is_wiring(self.graph, index) and node.args:
            index = node.args[-1]
            node = self.graph[index]
        return self.bits[index] * (1 if node.op == "relu" else 2)

    def _period(self, stage):
        arrival = {}
        for index in self.moving:
            before = [arrival[each] for each in self.graph[index].args
                      if each in arrival and stage[each] == stage[index]]  # fmt: skip
            arrival[index] = max(before, default=0.0) + self.delay[index]
        return max(arrival.values(), default=0.0) + self.family.register

    def _register_bits(self, stage, stages):
        outputs, total = set(self.graph.outputs), 0
        for index in self.moving:
            last = max((stage[each] for each in self.readers[index]), default=stage[index])
            last = stages if index in outputs else last
            total += self.bits[index] * (last - stage[index])
        return total
