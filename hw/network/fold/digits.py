"""A whole Dense by digits: a few bits of every input per cycle, the same small adders for all.

With :math:`u_i` the input less its least number, and :math:`d_{ik}` its digits of :math:`b` bits,
:math:`\\sum_i w_i u_i = \\sum_k 2^{bk} \\sum_i w_i d_{ik}`. The inner sums are a graph of digits
that are never negative; what they come to is added up behind it, lowest digits first. What was
taken off the inputs is a constant. (Distributed arithmetic, with the adders of :mod:`..cmvm` in
place of tables: S. White, "Applications of distributed arithmetic to digital signal processing: a
tutorial review", IEEE ASSP Magazine, 1989.)
"""

from ..adders import width
from ..layers import Dense, Layer
from ..lower.builder import Builder, Value
from ..lower.sums import shifted, trailing
from . import sums as whole

PRODUCTS = 8
"""Products per input from which on this is done. Below, there is little to save for the cycles and
for the registers that shift."""


def is_by_digits(layer: Layer, source: Layer) -> bool:
    """Whether a whole layer is worth it, and its accumulator, at most, wraps."""
    return (
        isinstance(layer, Dense)
        and layer.n_rows == 1
        and layer.n_products >= PRODUCTS * source.size
        and whole.is_exact(layer, source)
    )


class Digits:
    """The sums of one layer. ``spans``: each input's (least, most, exponent); ``reuse``: how many
    cycles there are."""

    def __init__(self, layer: Dense, spans, reuse: int):
        self.layer = layer
        self.widths = [width(low, high) for low, high, _ in spans]
        self.signed = [low < 0 for low, _, _ in spans]
        self.exponents = [exponent for _, _, exponent in spans]
        most = max(self.widths, default=0)
        self.bits = max(1, -(-most // reuse))
        self.count = max(1, -(-most // self.bits))
        """Digits of the widest input."""
        parts = [
            exponent + trailing(int(w)) - layer.weight_format.fraction
            for bits, exponent, row in
            zip(self.widths, self.exponents, layer.matrices[0], strict=True)
            for w in row if w and bits
        ]  # fmt: skip
        self.exponent = min(parts, default=0)

    def weights(self, output: int) -> list[int]:
        """Of every input, in units of ``2**exponent``; 0 for those that are always 0."""
        column, fraction = self.layer.matrices[0][:, output], self.layer.weight_format.fraction
        return [
            shifted(int(w), exponent - fraction - self.exponent) if bits else 0
            for w, bits, exponent in zip(column, self.widths, self.exponents, strict=True)
        ]

    def lower(self, build: Builder, digits: list[int]) -> list[int]:
        """The nodes of the sums of all outputs, of the nodes of the inputs' digits."""
        wanted = [
            ([(node, w) for node, w in zip(digits, self.weights(output), strict=True) if w], 0)
            for output in range(self.layer.size)
        ]
        return [build.graph.shift(node, shift) for node, shift in build.solved(wanted)]

    def span(self, output: int) -> tuple[int, int, int]:
        """What the whole sum can be: (least, most, exponent)."""
        ends = [((1 << bits) - 1) * w for bits, w in
                zip(self.widths, self.weights(output), strict=True)]  # fmt: skip
        return sum(min(each, 0) for each in ends), sum(max(each, 0) for each in ends), self.exponent

    def finish(self, build: Builder, sums: list[Value]) -> list[Value]:
        """The layer's values, with its bias and without what was taken off its inputs."""
        taken = [
            sum(w << (bits - 1) for bits, signed, w in
                zip(self.widths, self.signed, self.weights(output), strict=True) if signed)
            for output in range(len(sums))
        ]  # fmt: skip
        return whole.finished(build, self.layer, sums, taken, self.exponent)
