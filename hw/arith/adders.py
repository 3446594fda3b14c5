"""Adder trees with exact widths, saturation, and the accumulating adder.

``sum()`` on Amaranth values grows by one bit per term; a balanced tree grows by one per level, and
knowing the range of each term narrower still.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


def tree(values) -> Value:
    """The exact sum of ``values`` (at least one), added pairwise; ``clog2(n)`` levels."""
    values = [Value.cast(value) for value in values]
    if not values:
        raise ValueError("an adder tree needs at least one value")
    while len(values) > 1:
        pairs = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[len(pairs) * 2 :]
    return values[0]


def clamp(value, width: int):
    """``value`` (signed) limited to the range of ``width`` signed bits; ``width`` bits."""
    if len(value) <= width:
        return value
    # In range if and only if all bits from the sign down to bit width-1 are equal.
    top = value[width - 1 :]
    negative = value[-1]
    limit = Mux(negative, 1 << (width - 1), (1 << (width - 1)) - 1)
    return Mux(top.all() | ~top.any(), value[:width], limit).as_signed()


class Add(wiring.Component):
    """State plus a resolved number, combinational, modulo ``2**width`` or saturating.

    ``i`` is ``i_width`` signed bits; ``c`` and ``o`` are two's complement of ``width`` bits.
    """

    sequential = False

    def __init__(self, *, width: int, i_width: int, saturate: bool):
        self.width, self.i_width, self.saturate = width, i_width, saturate
        super().__init__({"i": In(i_width), "c": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        total = self.c.as_signed() + self.i.as_signed()
        if self.saturate:
            exact = Signal(total.shape())
            m.d.comb += exact.eq(total)
            total = clamp(exact, self.width)
        m.d.comb += self.o.eq(total)
        return m
