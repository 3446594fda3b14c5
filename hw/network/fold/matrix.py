"""A whole Dense on one of the project's arrays: weights from a memory, a block of products per
cycle, as hls4ml's ``resource`` strategy with its reuse factor.

The array keeps the contract of :class:`~...array.output_stationary.OutputStationaryArray` with one
row: in every cycle it takes ``depth`` inputs and ``depth`` x ``columns`` weights, and the sums of
``columns`` outputs are complete after as many blocks as the inputs make. Row after row of the
layer, tile after tile of its outputs. What an array is made of is a PE of the GEMM engine, or
``lut``, the lookup array of :mod:`...lut`.

Everything here is arithmetic on a few numbers and imports no Amaranth; the array itself is
:class:`.matrix_rtl.MatrixSums`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ... import catalog
from ...errors import ConfigError, nearest, plain, shown
from ...formats import MAX_WIDTH, MIN_WIDTH, Format
from ...weights import WIDTHS
from ..adders import width
from ..layers import Dense, Layer
from ..lower.builder import Builder, Value
from ..lower.sums import trailing
from . import sums as whole

LOOKUP = "lut"
DEFAULT_PE = "mac"
MAX_REUSE = 1 << 12
"""Most cycles of a layer."""
PIPELINE = 2
"""Register stages of the array's products: operands, and their sum in front of the accumulator."""
MAX_DEPTH = 16
"""Most products that are added up in a cycle for one output; more would be a long path."""
LOOKUP_DEPTH = 4
"""The same of lookup arrays, whose tables have 2**(depth - 1) entries."""
LOOKUP_LATENCY = 5


class NoArray(ConfigError):
    """A layer that no array makes in so many cycles."""


def pes() -> list[str]:
    """What an array may be made of."""
    return [*catalog.fitting("cube"), LOOKUP]


def checked_pe(name) -> str:
    """``name``, or :class:`ConfigError`."""
    if name not in pes():
        close = nearest(name, pes()) if isinstance(name, str) else ""
        raise ConfigError(f"pe: {shown(name)} is none; allowed are {', '.join(pes())}{close}")
    return name


def integers(layer: Dense) -> tuple[np.ndarray, list[int]]:
    """The weights, (matrices, inputs, outputs), without the zeros that a column has at its end, and
    how many these are, of every output of every matrix."""
    matrices, taken = layer.matrices.copy(), []
    for matrix in matrices:
        for column in matrix.T:
            zeros = min((trailing(int(w)) for w in column if w), default=0)
            column >>= zeros
            taken.append(zeros)
    return matrices, taken


def weight_bits(weights: np.ndarray, pe: str) -> int:
    """Bits that weights take in an array of ``pe``."""
    bits = max(MIN_WIDTH, width(int(weights.min()), int(weights.max())))
    return next((each for each in WIDTHS if each >= bits), bits) if pe == LOOKUP else bits


def most_bits(pe: str) -> int:
    """Of a weight."""
    return max(WIDTHS) if pe == LOOKUP else MAX_WIDTH


def refusal(layer: Layer, source: Layer, pe: str) -> str | None:
    """Why a layer cannot be on an array, and what to change; ``None``: it can."""
    if not isinstance(layer, Dense):
        return "has no weights for an array; reuse is of Dense, convolutions and EinsumDense"
    if not whole.is_exact(layer, source):
        return (
            f"its accumulator {layer.accum} rounds products or saturates; give it a type that "
            "wraps and holds its sums (accum_t, or precision auto), or Strategy Latency"
        )
    bits = weight_bits(integers(layer)[0], pe)
    if bits > most_bits(pe):
        return (
            f"its weights take {bits} bits, and an array of {pe} at most {most_bits(pe)}; quantise "
            "them coarser, use another PE, or Strategy Latency"
        )
    return None


@dataclass(frozen=True)
class Shape:
    """An array's ``columns`` and ``depth``, and in how many ``steps`` it is done."""

    columns: int
    depth: int
    steps: int


def shape(rows: int, inputs: int, outputs: int, reuse: int, lookup: bool) -> Shape | None:
    """The array of fewest products per cycle that needs at most ``reuse`` cycles; of equal ones the
    deepest, which has the fewest accumulators. Deeper than :data:`MAX_DEPTH` only if it must be;
    ``None``: there is none."""
    found = []
    depths = range(2, LOOKUP_DEPTH + 1) if lookup else range(1, inputs + 1)
    for depth in depths:
        blocks = rows * -(-inputs // depth)
        if blocks > reuse:
            continue
        tiles = min(reuse // blocks, outputs)
        columns = -(-outputs // tiles)
        found.append(Shape(columns, depth, blocks * -(-outputs // columns)))
    return min(
        found, key=lambda each: (each.depth > MAX_DEPTH, each.columns * each.depth, -each.depth),
        default=None,
    )  # fmt: skip


class Matrix:
    """The sums of one layer. ``spans``: each input's (least, most, exponent); ``reuse``: how many
    cycles there are; ``pe``: one of :func:`pes`.

    Raises :class:`NoArray` for inputs that are wider than an array's, and for too few cycles.
    """

    def __init__(self, layer: Dense, spans, reuse: int, pe: str = DEFAULT_PE):
        self.layer, self.pe, self.spans = layer, pe, spans
        self.rows, self.inputs = layer.n_rows, layer.weight.shape[-2]
        self.outputs = layer.weight.shape[-1]
        lookup = pe == LOOKUP
        self._align(spans)
        self.a, self.b = self._operands(lookup)
        found = shape(self.rows, self.inputs, self.outputs, reuse, lookup)
        if found is None:
            raise NoArray(
                f"layer {plain(layer.name)}: {self.rows} rows of {self.inputs} inputs are too many "
                f"for {reuse} cycles of an array of {pe}; give it a larger ReuseFactor"
            )
        self.shape = found
        ends = [self.span(output)[:2] for output in range(layer.size)]
        low, high = (end(each) for end, each in zip((min, max), zip(*ends, strict=True),
                                                    strict=True))  # fmt: skip
        self.width = max(2, width(min(low, -1), high))
        """Bits of an accumulator: every sum of the layer, with a sign."""

    def _align(self, spans):
        """Inputs and weights as integers: ``inputs << shifts``, and an exponent per output."""
        fraction = self.layer.weight_format.fraction
        moving = [exponent for low, high, exponent in spans if low or high]
        self.base = min(moving, default=0)
        self.shifts = [max(exponent - self.base, 0) for _, _, exponent in spans]
        self.weights, zeros = integers(self.layer)
        self.exponents = [self.base - fraction + each for each in zeros]

    def _operands(self, lookup):
        ends = [(low << s, high << s) for (low, high, _), s in
                zip(self.spans, self.shifts, strict=True)]  # fmt: skip
        low, high = min(each for each, _ in ends), max(each for _, each in ends)
        a = Format(max(MIN_WIDTH, width(min(low, -1) if lookup else low, high)), lookup or low < 0)
        if a.width > MAX_WIDTH:
            raise NoArray(
                f"layer {plain(self.layer.name)}: its inputs take {a.width} bits with a common "
                f"point, and an array at most {MAX_WIDTH}; quantise them coarser, or use Strategy "
                "Latency"
            )
        return a, Format(weight_bits(self.weights, self.pe), bool(self.weights.min() < 0))

    @property
    def steps(self) -> int:
        return self.shape.steps

    @property
    def latency(self) -> int:
        """Cycles from the first block's inputs to all sums."""
        if self.pe == LOOKUP:
            of_array = LOOKUP_LATENCY
        else:
            facts = catalog.pes()[self.pe]
            of_array = 2 + PIPELINE + facts.edge_latency + facts.resolve_latency
        return self.steps + of_array + 1  # the memory's register, and that of the sums

    def exponent(self, output: int) -> int:
        """Of the layer's value number ``output``, before its bias."""
        row, column = divmod(output, self.outputs)
        return self.exponents[row % len(self.weights) * self.outputs + column]

    def span(self, output: int) -> tuple[int, int, int]:
        """What a sum can be: (least, most, exponent)."""
        row, column = divmod(output, self.outputs)
        low = high = 0
        weights = self.weights[row % len(self.weights), :, column]
        first = row * self.inputs
        for place, w in enumerate(map(int, weights), first):
            least, most, _ = self.spans[place]
            ends = [(end << self.shifts[place]) * w for end in (least, most)]
            low, high = low + min(ends), high + max(ends)
        return low, high, self.exponent(output)

    def order(self) -> list[tuple[int, int, int]]:
        """(row, tile of outputs, block of inputs) of every step."""
        tiles = -(-self.outputs // self.shape.columns)
        blocks = -(-self.inputs // self.shape.depth)
        return [(row, tile, block) for row in range(self.rows) for tile in range(tiles)
                for block in range(blocks)]  # fmt: skip

    def block(self, row: int, tile: int, block: int) -> np.ndarray:
        """The weights of a step, (depth, columns); zeros beyond the matrix."""
        columns, depth = self.shape.columns, self.shape.depth
        found = np.zeros((depth, columns), np.int64)
        part = self.weights[row % len(self.weights), block * depth :, tile * columns :]
        part = part[:depth, :columns]
        found[: part.shape[0], : part.shape[1]] = part
        return found

    def evaluate(self, inputs: np.ndarray) -> np.ndarray:
        """Sums, (samples, outputs), of the inputs, (samples, inputs)."""
        x = (inputs << np.array(self.shifts)).reshape(len(inputs), self.rows, self.inputs)
        sums = [x[:, row] @ self.weights[row % len(self.weights)] for row in range(self.rows)]
        return np.concatenate(sums, axis=1)

    def finish(self, build: Builder, sums: Sequence[Value]) -> list[Value]:
        """The layer's values, with its bias."""
        return whole.finished(build, self.layer, sums, [0] * len(sums), 0)

    def as_dict(self) -> dict:
        """For the manifest."""
        return {
            "layer": self.layer.name, "pe": self.pe, "a": str(self.a), "b": str(self.b),
            "columns": self.shape.columns, "depth": self.shape.depth,
            "accumulator": self.width, "cycles": self.steps,
            "multipliers": self.shape.columns * self.shape.depth,
        }  # fmt: skip
