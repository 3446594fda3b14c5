"""Windows of a stream of tokens as hardware: line buffers, and the steps that drive them."""

from itertools import pairwise

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..rom import lookup
from .paces import Grid, Pace, number

__all__ = ["LineBuffer", "Steps"]

MEMORY_FROM = 5
"""Steps between two places that are read from which on a memory holds them, instead of registers.
"""


class LineBuffer(wiring.Component):
    """What values were some steps ago. No reset: what is read before it was there is undefined.

    Between two places that are read there are registers; or, where they are far apart (in
    another row of the image), a memory that is read and written at the same place in every step,
    and a register behind it. Memories of equal depth are one.

    Parameters
    ----------
    widths : tuple of int
        Bits of the values.
    delays : tuple of tuple of int
        Of each, the steps ago that are read: at least 0, in rising order.

    Attributes
    ----------
    i : In
        The values, the first lowest.
    step : In
        Everything moves on by one with the end of this cycle.
    o : Out
        For each value, at each of its delays: what ``i`` was in the step so many steps before this
        one. The first value's are lowest, in their order.
    """

    def __init__(self, *, widths: tuple[int, ...], delays: tuple[tuple[int, ...], ...]):
        self.widths, self.delays = widths, delays
        total = sum(bits * len(each) for bits, each in zip(widths, delays, strict=True))
        super().__init__({"i": In(sum(widths)), "step": In(1), "o": Out(total)})

    def elaborate(self, platform):
        m = Module()
        places = sorted({0, *(each for delays in self.delays for each in delays)})
        now, first = {}, 0
        for index, bits in enumerate(self.widths):
            now[index] = self.i[first : first + bits]
            first += bits
        at = {(index, 0): value for index, value in now.items()}
        memories: dict[int, list] = {}
        for place, after in pairwise(places):
            for index in now:
                if max(self.delays[index]) > place:
                    now[index] = self._later(m, memories, now[index], after - place)
                    at[index, after] = now[index]
        for depth, parts in memories.items():
            self._memory(m, depth, parts)
        taken = [at[index, each] for index, delays in enumerate(self.delays) for each in delays]
        m.d.comb += self.o.eq(Cat(*taken))
        return m

    def _later(self, m, memories, value, steps):
        if steps >= MEMORY_FROM:  # one step more is the memory's output, and one the register
            stored = Signal(len(value), name="stored")
            memories.setdefault(steps - 2, []).append((value, stored))
            value, steps = stored, 1
        for _ in range(steps):
            register = Signal(len(value), name="line", reset_less=True)
            with m.If(self.step):
                m.d.sync += register.eq(value)
            value = register
        return value

    def _memory(self, m, depth, parts):
        """Words of ``depth`` steps ago, and one more, as reading takes a step."""
        words = Cat(*(value for value, _ in parts))
        m.submodules[f"memory{depth}"] = memory = Memory(shape=len(words), depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        place = Signal(range(depth), name=f"place{depth}")
        with m.If(self.step):
            m.d.sync += place.eq(place + 1)
            with m.If(place == depth - 1):
                m.d.sync += place.eq(0)
        m.d.comb += [
            write.en.eq(self.step),
            write.addr.eq(place),
            write.data.eq(words),
            read.en.eq(self.step),
            read.addr.eq(place),
            Cat(*(stored for _, stored in parts)).eq(read.data),
        ]


class Steps(wiring.Component):
    """The steps of a pace's parent, when there are tokens, and what of them is in the image.

    A token of the parent is a step; behind a sample's last one there are :attr:`.Pace.flush` more,
    one per cycle, which are the next sample's tokens where these come at once.

    Parameters
    ----------
    pace : Pace
    insides : tuple of int
        As :attr:`.Window.inside`.

    Attributes
    ----------
    valid : In
        There is a token of the parent.
    step, token : Out
        There is a step; and with it a token of the pace.
    inside : Out
        Of each of ``insides`` the token's bit; if there are any.
    """

    def __init__(self, *, pace: Pace, insides: tuple[int, ...]):
        self.pace, self.insides = pace, insides
        ports = {"valid": In(1), "step": Out(1), "token": Out(1)}
        super().__init__(ports | ({"inside": Out(len(insides))} if insides else {}))

    def elaborate(self, platform):
        m = Module()
        pace, grid = self.pace, Grid.of(self.pace, list(self.insides))
        come = Signal(range(max(pace.parent.tokens, 2)))  # tokens of the parent's sample
        row, column = Signal(range(max(grid.rows, 2))), Signal(range(max(grid.width, 2)))
        running, active, starts = Signal(), Signal(), Signal()
        ends = self.valid & (come == pace.parent.tokens - 1)
        m.d.comb += [
            self.step.eq(self.valid | self._flushing(m, ends)),
            starts.eq(self.valid & (come == pace.steps[0])),
            active.eq(running | starts),
        ]
        with m.If(self.valid):
            m.d.sync += come.eq(come + 1)
            with m.If(ends):
                m.d.sync += come.eq(0)
        final = (row == grid.rows - 1) & (column == (pace.span - 1) % grid.width)
        with m.If(self.step & active):
            m.d.sync += [running.eq(~final), column.eq(column + 1)]
            with m.If(final | (column == grid.width - 1)):
                m.d.sync += column.eq(0)
            with m.If(final):
                m.d.sync += row.eq(0)
            with m.Elif(column == grid.width - 1):
                m.d.sync += row.eq(row + 1)
        functions = [grid.emitted(pace), *(grid.mask(pace, each) for each in self.insides)]
        by_row, by_column = (
            self._table(m, name, address, [each[axis] for each in functions])
            for axis, (name, address) in enumerate((("rows", row), ("columns", column)))
        )
        found = by_row & by_column
        m.d.comb += self.token.eq(self.step & active & found[0])
        if self.insides:
            m.d.comb += self.inside.eq(found[1:])
        return m

    def _flushing(self, m, ends):
        """Whether there are steps left behind the last token."""
        if not self.pace.flush:
            return 0
        left = Signal(range(self.pace.flush + 1))
        with m.If(ends):
            m.d.sync += left.eq(self.pace.flush)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        return left != 0

    def _table(self, m, name, address, functions):
        """Of each of the functions, its value at the address."""
        values = [number(each) for each in functions]
        words = tuple(
            sum((value >> place & 1) << bit for bit, value in enumerate(values))
            for place in range(1 << len(address))
        )
        return lookup(m, name, address, words, len(values))
