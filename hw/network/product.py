"""A product of two variables for LUTs and carry chains."""

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned

__all__ = ["product"]


def product(m: Module, a: Value, b: Value) -> Value:
    """``a * b``: a row per bit of the narrower operand, added in pairs.

    Yosys makes compressors and one carry chain of ``*`` without DSP blocks, which takes more LUTs
    where a carry chain adds two operands in one LUT per bit (Xilinx' and Lattice').
    """
    if len(a) < len(b):
        a, b = b, a
    last = len(b) - 1
    rows = [_Row(_named(m, Mux(b[bit], a, 0), "row"), bit, bit == last and b.shape().signed)
            for bit in range(len(b))]  # fmt: skip
    while len(rows) > 1:
        pairs = zip(rows[::2], rows[1::2], strict=False)
        rows = [*(low.plus(m, high) for low, high in pairs), *rows[len(rows) & ~1 :]]
    (row,) = rows
    return -row.value if row.negative else row.value


class _Row:
    """``± value << shift``. Only the last row of all, the sign's, may be negative, so that what it
    is added to never is."""

    def __init__(self, value, shift, negative):
        self.value, self.shift, self.negative = value, shift, negative

    def plus(self, m, higher):
        other = higher.value << (higher.shift - self.shift)
        total = self.value - other if higher.negative else self.value + other
        return _Row(_named(m, total, "sum"), self.shift, False)


def _named(m, value, name):
    shape = value.shape()
    result = Signal((signed if shape.signed else unsigned)(shape.width), name=name)
    m.d.comb += result.eq(value)
    return result
