"""Radix-4 modified Booth recoding (O. MacSorley, "High-speed arithmetic in binary computers").

An operand becomes digits in {-2, -1, 0, 1, 2}, ``sum(digit[i] * 4**i)``; a multiplier then needs
half as many partial products, each a multiple that costs one multiplexer. The recoder sits where an
operand enters an array, the partial products in every processing element.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import MAX_WIDTH, MIN_WIDTH, Format
from .compress import Operand

__all__ = ["BoothRecoder", "n_digits", "partial_products"]


def n_digits(format: Format) -> int:
    """Radix-4 digits of an operand: half its bits, and for unsigned ones the digit that holds the
    final carry."""
    return (format.width + 1) // 2 if format.signed else format.width // 2 + 1


class BoothRecoder(wiring.Component):
    """Combinational recoder of one operand.

    Parameters
    ----------
    format : Format
        Of the operand, 2 to 16 bits, odd widths too.

    Attributes
    ----------
    n_digits : int
    i : In(format.width)
        The operand's bits.
    o : Out(3 * n_digits)
        Three bits per digit, digit 0 lowest: bit 0 *one*, bit 1 *two*, bit 2 *neg*. Digit 0 is
        ``000`` (never a negative zero); *one* and *two* are never both set.
    """

    sequential = False

    def __init__(self, *, format: Format):
        if not MIN_WIDTH <= format.width <= MAX_WIDTH:
            raise ValueError(
                f"format must have {MIN_WIDTH} to {MAX_WIDTH} bits, not {format.width}"
            )
        self.format = format
        self.n_digits = n_digits(format)
        super().__init__({"i": In(format.width), "o": Out(3 * self.n_digits)})

    def elaborate(self, platform):
        m = Module()
        extension = self.i[-1] if self.format.signed else Const(0, 1)
        bits = [Const(0, 1), *self.i, extension, extension]  # bits[k + 1] has weight 2**k
        for digit in range(self.n_digits):
            below, low, high = bits[2 * digit : 2 * digit + 3]
            one = low ^ below
            two = Mux(high, ~(low | below), low & below)
            neg = high & ~(low & below)
            m.d.comb += self.o[3 * digit : 3 * digit + 3].eq(Cat(one, two, neg))
        return m


def partial_products(
    m: Module, code: Value, b: Value, *, a_format: Format, b_format: Format, name: str = "pp"
) -> list[Operand]:
    """Operands for :mod:`.compress` whose sum is ``a * b``, where ``code`` is the recoded ``a``.

    A negative multiple is the complement of the positive one, and a 1 at the digit's own weight:
    ``-2b`` is ``~(2b) + 1`` too, so the row holds ``+256`` for ``b = -128`` only together with it.
    """
    digits = n_digits(a_format)
    assert len(code) == 3 * digits and len(b) == b_format.width
    operands = []
    for index in range(digits):
        one, two, neg = (code[3 * index + bit] for bit in range(3))
        top = index == digits - 1
        # What the top digit cannot be is not built: unsigned ones are 0, 1 (or 2, odd widths),
        # signed ones of odd widths -1, 0, 1.
        doubles = not top or a_format.signed == (a_format.width % 2 == 0)
        negative = not top or a_format.signed
        sign = b[-1] if b_format.signed else Const(0, 1)
        if doubles:
            single, double = Cat(b, sign), Cat(Const(0, 1), b)
            multiple = Mux(one, single, 0) | Mux(two, double, 0)
        else:
            multiple = Mux(one, b, 0)
        if negative and not b_format.signed:
            multiple = Cat(multiple, Const(0, 1))  # room for the sign
        row = Signal(len(multiple), name=f"{name}{index}")
        if negative:
            m.d.comb += row.eq(multiple ^ neg.replicate(len(row)))
            operands += [Operand(row, True, 2 * index), Operand(neg, False, 2 * index)]
        else:
            m.d.comb += row.eq(multiple)
            operands.append(Operand(row, b_format.signed, 2 * index))
    return operands
