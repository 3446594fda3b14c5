"""What an addition of two shifted integers costs and gives: the solver's model of hardware.

A LUT per bit that has something to add. Carry chains of Xilinx (CARRY8) and Lattice (CCU2C) take
both operands through one LUT per bit; bits below the higher operand's last pass by, and a bit where
one operand is always zero needs no LUT in front of the carry.
"""

from typing import NamedTuple


class Term(NamedTuple):
    """An integer as the solver sees it. ``level``: additions in a row that lead to it."""

    low: int
    high: int
    level: int = 0


def width(low: int, high: int) -> int:
    """Bits of a number in an interval: two's complement, or unsigned if it is never negative, and
    then maybe none."""
    magnitude = max(high, ~low if low < 0 else 0).bit_length()
    return magnitude + (low < 0)


def added(a: Term, b: Term, left: int, right: int, minus: bool) -> Term:
    """``(a << left) ± (b << right)``."""
    low, high = b.low << right, b.high << right
    if minus:
        low, high = -high, -low
    return Term((a.low << left) + low, (a.high << left) + high, max(a.level, b.level) + 1)


def cost(a: Term, b: Term, left: int, right: int, minus: bool) -> int:
    """LUTs of that addition."""
    result = added(a, b, left, right, minus)
    bits = width(result.low, result.high)
    if minus:
        luts = bits - right  # below, ``a`` passes; above ``b``, its complement's ones are added
    else:
        tops = (bits if x.low < 0 else s + x.high.bit_length() for x, s in ((a, left), (b, right)))
        luts = min(*tops, bits) - max(left, right)
    return max(luts, 1)


def csd(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits as (shift, sign), lowest first (:mod:`matweave.hw.arith.csd`)."""
    digits, shift = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)  # 1 below an even bit, -1 below an odd one
            digits.append((shift, sign))
            value -= sign
        value >>= 1
        shift += 1
    return digits
