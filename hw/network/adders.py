"""What an addition of two shifted integers costs and gives: the solver's model of hardware.

A LUT per bit that has something to add. Carry chains of Xilinx (CARRY8) and Lattice (CCU2C) take
both operands through one LUT per bit; bits below the higher operand's last pass by, and a bit where
one operand is always zero needs no LUT in front of the carry.
"""

from typing import NamedTuple

TABLE_BITS = 5
"""A function of so many bits fits in front of the carry, in the LUT that adds it."""


class Term(NamedTuple):
    """An integer as the solver sees it. ``level``: additions in a row that lead to it; ``support``:
    the bits that it is a function of, or ``None`` if these are more than :data:`TABLE_BITS`."""

    low: int
    high: int
    level: int = 0
    support: frozenset | None = None


def width(low: int, high: int) -> int:
    """Bits of a number in an interval, unsigned if it is never negative."""
    if low < 0:
        return max(high.bit_length() if high > 0 else 0, (~low).bit_length()) + 1
    return high.bit_length()


def added(a: Term, b: Term, left: int, right: int, minus: bool) -> Term:
    """``(a << left) ± (b << right)``."""
    low, high = b.low << right, b.high << right
    if minus:
        low, high = -high, -low
    support = None
    if a.support is not None and b.support is not None:
        support = a.support | b.support
        if len(support) > TABLE_BITS:
            support = None
    return Term((a.low << left) + low, (a.high << left) + high, max(a.level, b.level) + 1, support)


def cost(a: Term, b: Term, left: int, right: int, minus: bool) -> int:
    """LUTs of that addition; of a table none, until it is added to something else."""
    result = added(a, b, left, right, minus)
    if result.support is not None:
        return 0
    bits = width(result.low, result.high)
    if minus:
        luts = bits - right  # below, ``a`` passes; above ``b``, its complement's ones are added
    else:
        tops = (bits if x.low < 0 else s + x.high.bit_length() for x, s in ((a, left), (b, right)))
        luts = min(*tops, bits) - max(left, right)
    if is_table(a) and is_table(b):
        luts += min(width(a.low, a.high), width(b.low, b.high))
    return max(luts, 1)


def is_table(term: Term) -> bool:
    """Whether it is a function of few bits that needs LUTs of its own where it is not absorbed."""
    return term.support is not None and term.level > 0
