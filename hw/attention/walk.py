"""The order of a job: which beat of K is next, of which query, and which of its keys count."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..engine.walk import Steps, advance, finished
from .shape import Shape

__all__ = ["KeyWalk", "job_ports"]


def job_ports(shape: Shape) -> dict:
    """Sizes, position and masks of a job, held while it runs, and its start."""
    return {
        "start": In(1),
        "queries": In(range(shape.max_queries + 1)),
        "keys": In(range(shape.max_keys + 1)),
        "kv_heads": In(range(shape.max_kv_heads + 1)),
        "group": In(range(shape.max_group + 1)),
        "causal": In(1),
        "windowed": In(1),
        "position": In(range(shape.max_keys)),
        "window": In(range(shape.max_keys + 1)),
    }


class KeyWalk(wiring.Component):
    """For each KV head, position and query head of the group: the beats with a key that counts.

    ``running`` from the cycle after ``start`` until the last beat has been taken; ``take``: this
    beat is taken, the next cycle has the next one. Of the beat: ``first`` and ``last`` of its
    query, ``block_end`` (blocks end at multiples of the block, and with the query), ``keep``: which
    of its keys count, ``final``: it is of the job's last query. With packed K ``group_start``:
    minima and steps come with it.
    """

    def __init__(self, *, shape: Shape):
        self.shape = shape
        super().__init__(
            {
                **job_ports(shape),
                "take": In(1),
                "running": Out(1),
                "first": Out(1),
                "last": Out(1),
                "block_end": Out(1),
                "final": Out(1),
                "keep": Out(shape.lanes),
                **({"group_start": Out(1)} if shape.k_bits else {}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        shape = self.shape
        heads = Steps(m, "heads", self.kv_heads, 1, shape.max_kv_heads)
        queries = Steps(m, "queries", self.queries, 1, shape.max_queries)
        group = Steps(m, "group", self.group, 1, shape.max_group)
        loops = (group, queries, heads)
        position = Signal.like(self.position, name="query_position", reset_less=True)
        next_beat = Signal(range(max(-(-shape.max_keys // shape.lanes), 2)), reset_less=True)
        fresh = Signal(reset_less=True)
        running = Signal()
        ends = Signal()
        low, high, beat = self._range(m, position, fresh, next_beat)
        m.d.comb += [
            self.running.eq(running),
            self.first.eq(fresh),
            self.last.eq(beat == high[self._lane_bits :]),
            self.block_end.eq(self.last | self._ends_block(beat)),
            self.final.eq(finished(*loops)),
            ends.eq(self.take & self.last),
        ]
        if shape.k_bits:
            within = beat[: (shape.k_group_beats - 1).bit_length()]
            m.d.comb += self.group_start.eq(fresh | ~within.any())
        first_lane, last_lane = low[: self._lane_bits], high[: self._lane_bits]
        for lane in range(shape.lanes):
            m.d.comb += self.keep[lane].eq(
                (~self.first | (first_lane <= lane)) & (~self.last | (last_lane >= lane))
            )
        with m.If(self.start):
            m.d.sync += [running.eq(1), fresh.eq(1), position.eq(self.position)]
            for loop in loops:
                loop.restart()
        with m.Elif(self.take):
            m.d.sync += [next_beat.eq(beat + 1), fresh.eq(self.last)]
            with m.If(self.last):
                advance(m, *loops)
                with m.If(group.last):
                    m.d.sync += position.eq(Mux(queries.last, self.position, position + 1))
                with m.If(finished(*loops)):
                    m.d.sync += running.eq(0)
        return m

    @property
    def _lane_bits(self) -> int:
        return (self.shape.lanes - 1).bit_length()

    def _range(self, m, position, fresh, next_beat):
        """First and last key that count, and the present beat."""
        low, high = (Signal.like(position, name=name) for name in ("low_key", "high_key"))
        before = Signal(len(position) + 2)
        beat = Signal.like(next_beat, name="beat")
        m.d.comb += [
            high.eq(Mux(self.causal, position, self.keys - 1)),
            # The window's first key, below 0 where it reaches beyond the first one.
            before.eq(position + 1 - self.window),
            low.eq(Mux(self.windowed & ~before[-1], before, 0)),
            beat.eq(Mux(fresh, low[self._lane_bits :], next_beat)),
        ]
        return low, high, beat

    def _ends_block(self, beat):
        bits = (self.shape.block_beats - 1).bit_length()
        return Cat(beat[:bits]).all() if bits else 1
