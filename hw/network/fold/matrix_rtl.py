"""A whole Dense on an array, as hardware: weights from a memory, a block of products per cycle."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ... import pe as pes
from ...array.output_stationary import OutputStationaryArray
from ...cells import describe, shared
from ...lut.gemm_array import LookupArray
from ...pe.base import Pe
from ...weights import Coding, WeightFormat
from .matrix import LOOKUP, PIPELINE, Matrix

__all__ = ["MatrixSums"]


def array(matrix: Matrix) -> tuple[type, dict]:
    """The array's class and what it takes: one row, all columns in one tile."""
    columns, depth = matrix.shape.columns, matrix.shape.depth
    sizes = {"rows": 1, "columns": columns, "depth": depth, "width": matrix.width}
    if matrix.pe == LOOKUP:
        terms = -(-matrix.inputs // depth) * depth
        coding = Coding.SYMMETRIC if matrix.b.signed else Coding.ASYMMETRIC
        pe = Pe(matrix.a, WeightFormat(matrix.b.width, coding))
        return LookupArray, {"pe": pe, **sizes, "terms": terms}
    pe = pes.REGISTRY[matrix.pe](matrix.a, matrix.b)
    return OutputStationaryArray, {
        "pe": pe, **sizes, "tile_columns": columns, "pipeline": PIPELINE
    }  # fmt: skip


class MatrixSums(wiring.Component):
    """All sums of a :class:`.matrix.Matrix`.

    The memory has a word per step: the weights of a block, and whether it is the first or last one
    of its outputs. Cycle 0 reads step 0 and takes its inputs; a cycle later both are at the array.
    Finished sums go into a shift register, and with the last of them all
    are copied to the output, where they stay until those of the next sample.

    Attributes
    ----------
    latency : int
        Cycles from ``start`` to the sums: ``matrix.latency``.
    start : In
        The first cycle of a sample's inputs, which stay for ``matrix.steps`` cycles at least. The
        next may be as many cycles later.
    i : In
        All inputs, each in the array's format, the first lowest.
    o : Out
        All sums, ``matrix.width`` signed bits each, modulo ``2**width``: exact.
    """

    def __init__(self, *, matrix: Matrix):
        self.matrix, self.latency = matrix, matrix.latency
        kind, parameters = array(matrix)
        assert self.latency == matrix.steps + describe(kind, **parameters).latency + 1
        n_inputs = matrix.rows * matrix.inputs
        super().__init__(
            {
                "start": In(1),
                "i": In(n_inputs * matrix.a.width),
                "o": Out(matrix.layer.size * matrix.width),
            }
        )

    def elaborate(self, platform):
        m = Module()
        matrix, shape = self.matrix, self.matrix.shape
        kind, parameters = array(matrix)
        m.submodules.array = grid = shared(kind, **parameters)
        active, step = self._steps(m)
        valid = Signal()
        m.d.sync += valid.eq(active)
        word = self._words(m, step)
        operands = Signal.like(grid.a, name="operands", reset_less=True)
        m.d.sync += operands.eq(self._block(m, step))
        m.d.comb += [
            grid.valid.eq(valid),
            Cat(grid.first, grid.last).eq(word[:2]),
            grid.size.eq(1),
            grid.a.eq(operands),
            grid.b.eq(word[2:]),
        ]
        tiles = matrix.rows * -(-matrix.outputs // shape.columns)
        whole = self._collected(m, grid.o, grid.o_valid, tiles)
        padded = -(-matrix.outputs // shape.columns) * shape.columns
        m.d.comb += self.o.eq(
            Cat(
                whole.word_select(row * padded + column, matrix.width)
                for row in range(matrix.rows)
                for column in range(matrix.outputs)
            )
        )
        return m

    def _steps(self, m):
        """Whether a step begins, and which: from ``start`` on, one per cycle."""
        steps = self.matrix.steps
        if steps == 1:
            return self.start, 0
        running, count = Signal(), Signal(range(steps), reset_less=True)
        step = Signal(range(steps))
        m.d.comb += step.eq(Mux(self.start, 0, count))
        m.d.sync += count.eq(step + 1)
        with m.If(self.start):
            m.d.sync += running.eq(1)
        with m.Elif(count == steps - 1):
            m.d.sync += running.eq(0)
        return self.start | running, step

    def _words(self, m, step):
        """A step's word, a cycle after ``step``."""
        matrix = self.matrix
        blocks = -(-matrix.inputs // matrix.shape.depth)
        wide, mask = matrix.b.width, (1 << matrix.b.width) - 1
        words = []
        for row, tile, block in matrix.order():
            word = int(block == 0) | int(block == blocks - 1) << 1
            for lane, weight in enumerate(matrix.block(row, tile, block).ravel()):
                word |= (int(weight) & mask) << (2 + lane * wide)
            words.append(word)
        bits = 2 + matrix.shape.columns * matrix.shape.depth * wide
        m.submodules.weights = memory = Memory(shape=bits, depth=len(words), init=words)
        read = memory.read_port()
        m.d.comb += [read.addr.eq(step), read.en.eq(1)]
        return read.data

    def _block(self, m, step):
        """The inputs of a step's block, zeros beyond its row's."""
        matrix, depth, wide = self.matrix, self.matrix.shape.depth, self.matrix.a.width
        blocks = {}
        for row, _, block in matrix.order():
            first = row * matrix.inputs
            start = first + block * depth
            end = min(start + depth, first + matrix.inputs)
            blocks[row, block] = self.i[start * wide : end * wide]
        places = {key: place for place, key in enumerate(blocks)}
        if len(places) == 1:
            return blocks[0, 0]
        of_step = Array(places[row, block] for row, _, block in matrix.order())
        place = Signal(range(len(places)))
        m.d.comb += place.eq(of_step[step])
        return Array(blocks.values())[place]

    def _collected(self, m, sums, valid, tiles: int):
        """All tiles' sums, from the cycle after the last one's on."""
        kept = Signal(tiles * len(sums), name="kept", reset_less=True)
        if tiles == 1:
            with m.If(valid):
                m.d.sync += kept.eq(sums)
            return kept
        earlier = Signal((tiles - 1) * len(sums), reset_less=True)
        count = Signal(range(tiles))
        with m.If(valid):
            m.d.sync += [
                earlier.eq(Cat(earlier, sums)[len(sums) :]),
                count.eq(Mux(count == tiles - 1, 0, count + 1)),
            ]
            with m.If(count == tiles - 1):
                m.d.sync += kept.eq(Cat(earlier, sums))
        return kept
