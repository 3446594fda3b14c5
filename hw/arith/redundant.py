"""Carry-save accumulation: numbers as a pair of vectors, added without a carry chain.

A pair is a number only modulo ``2**width`` and only as a whole, ``sum + carry``: neither vector may
be extended, shifted right or compared on its own.

Where the terms are much narrower than the accumulator, only its low bits need a carry each. What
goes from them into the bits above is -1, 0 or 1 per step, and known early, from bits that the terms
hardly reach. A number that goes up or down by one needs no adder: a bit changes if those below it
are all ones, or all zeros.
"""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .compress import Operand, reduce

GUARD = 3
"""Bits above the carries that a step's terms have to be told in."""


def rows(state, width: int, carries: int) -> list:
    """The two vectors of ``width`` bits whose sum a state is, modulo ``2**width``."""
    return [state[:width], Cat(state[width:], Const(0, width - carries))]


def accumulate(m, state, operands, width: int, carries: int):
    """``state`` (``width`` bits of sum, above them ``carries`` bits of carry) plus ``operands``, as
    such a state, modulo ``2**width``.

    With fewer carries than bits the operands' sum must be -2**(carries - 2) to 2**(carries - 2),
    in any representation modulo ``2**(carries + GUARD)``.
    """
    total = Signal(width + carries, name="state")
    if carries == width:
        pair = [Operand(row, False) for row in rows(state, width, carries)]
        m.d.comb += total.eq(Cat(*reduce(m, [*pair, *operands], width)))
        return total
    assert width > carries + GUARD
    # Carries, one bit more of the sum, and the operands make -2 to 3 times 2**carries, and what
    # stays below: the lowest bit of that belongs to the sum, the others go up.
    cut = carries + 1
    pair = [Operand(state[:cut], False), Operand(state[width:], False)]
    low, high = reduce(m, [*pair, *operands], carries + GUARD)
    top = Signal(GUARD, name="top")
    m.d.comb += top.eq(low[carries:] + high[carries:])
    upper = stepped(m, state[cut:width], up=top[1] & ~top[2], down=top[2])
    m.d.comb += total.eq(Cat(low[:carries], top[0], upper, high[:carries]))
    return total


def stepped(m, value, *, up, down):
    """``value + up - down``, not both, modulo ``2**len(value)``."""
    size = len(value)
    ones, zeros = (_all_below(m, bits, name) for bits, name in ((value, "ones"), (~value, "zeros")))
    result = Signal(size, name="stepped")
    m.d.comb += result.eq(value ^ ((ones & up.replicate(size)) | (zeros & down.replicate(size))))
    return result


def _all_below(m, bits, name: str, span: int = 4):
    """For every bit: whether all below it are set. By groups of ``span``."""
    source = Signal(len(bits), name=f"{name}_in")
    result = Signal(len(bits), name=name)
    m.d.comb += source.eq(bits)
    before = Const(1, 1)
    for start in range(0, len(bits), span):
        for index in range(start, min(start + span, len(bits))):
            # Never all() of nothing: true for Amaranth, false in the Verilog it writes.
            within = source[start:index].all() if index > start else Const(1, 1)
            m.d.comb += result[index].eq(before & within)
        group = Signal(name=f"{name}_{start}")
        m.d.comb += group.eq(before & source[start : start + span].all())
        before = group
    return result


class AddRedundant(wiring.Component):
    """State plus the sum and carry of products, combinational, modulo ``2**width``: no carry chain.

    ``i`` is a pair of ``i_width`` bits each, ``c`` and ``o`` are states, with ``carries`` bits of
    carry (:func:`accumulate`). Never saturates: a pair has no sign before it is added up.
    """

    sequential = False

    def __init__(self, *, width: int, carries: int, i_width: int):
        if i_width != min(carries + GUARD, width):
            raise ValueError(f"a pair of products has {carries} + {GUARD} bits, or the sum's")
        self.width, self.carries, self.i_width = width, carries, i_width
        state = width + carries
        super().__init__({"i": In(2 * i_width), "c": In(state), "o": Out(state)})

    def elaborate(self, platform):
        m = Module()
        rows = [Operand(self.i.word_select(n, self.i_width), False) for n in range(2)]
        m.d.comb += self.o.eq(accumulate(m, self.c, rows, self.width, self.carries))
        return m
