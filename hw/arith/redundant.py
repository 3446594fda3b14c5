"""Carry-save accumulation: numbers as a pair of vectors, added without a carry chain.

A pair is a number only modulo ``2**width`` and only as a whole, ``sum + carry``: neither vector may
be extended, shifted right or compared on its own.
"""

from amaranth.hdl import Cat, Signal

from .compress import Operand, reduce


def accumulate(m, pair, operands, width: int):
    """``pair`` (sum lowest, carry above it) plus ``operands``, as a pair of ``width`` bits each."""
    rows = [Operand(pair.word_select(n, width), False) for n in range(2)]
    total = Signal(2 * width, name="pair")
    m.d.comb += total.eq(Cat(*reduce(m, [*rows, *operands], width)))
    return total
