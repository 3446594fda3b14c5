"""Canonical signed digits (CSD, also the non-adjacent form) in pairs: the fewest nonzero digits.

G. Reitwiesner ("Binary arithmetic", Advances in Computers 1, 1960) recodes binary numbers to digits
-1, 0 and 1 of which no two neighbours are nonzero; there is one such form of every number, and none
has fewer nonzero digits. Of two neighbours at most one counts, so that a pair is a radix-4 digit
from -2 to 2: shifts are fixed as those of any other radix-4 digits. As each string of digits -2 to
2 is one of binary signed digits with as many nonzero ones, pairs of canonical digits have minimal
weight among radix-4 digits too. (Of digit sets in general: B. Phillips and N. Burgess, "Minimal
weight digit set conversions", IEEE Trans. Computers 53(6), 2004.)
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module

from .carry import CARRIES, check_carry
from .recoding import LinesRecoder, LinesRecoding

__all__ = ["CsdRecoder", "CsdRecoding"]


class CsdRecoder(LinesRecoder):
    """Combinational recoder of one operand.

    A slice ``s`` of two bits, the carry ``c`` into it and the bit ``n`` above it give a digit and a
    carry. The digit is ``s + c`` or four less, whichever is nearer to zero; between 2 and -2 the
    bit above decides, so that the next digit is zero if it can be:

    =========  ==  ==  ==  ==  ==  ==
    s + c      0   1   2   2   3   4
    n                  0   1
    =========  ==  ==  ==  ==  ==  ==
    digit      0   1   2   -2  -1  0
    carry      0   0   0   1   1   1
    =========  ==  ==  ==  ==  ==  ==

    ``carry = generate | (propagate & c)`` with ``generate = s[1] & (s[0] | n)`` and ``propagate =
    s[1] | (s[0] & n)``: two steps of Reitwiesner's carry, the majority of two neighbouring bits and
    the carry into them. Above a signed operand are copies of its sign, above an unsigned one zeros.
    Nothing is negated. Each of the ``n_digits - 1`` lower slices has carry logic (:mod:`.carry`).
    """

    def elaborate(self, platform):
        m = Module()
        count = self.recoding.n_digits
        extension = self.i[-1] if self.recoding.format.signed else Const(0, 1)
        bits = Cat(self.i, *[extension] * (2 * count + 1 - len(self.i)))
        low, high, above = bits[0 : 2 * count : 2], bits[1 : 2 * count : 2], bits[2::2]
        generate, propagate = high & (low | above), high | (low & above)
        chain = CARRIES[self.recoding.carry](m, generate[:-1], propagate[:-1])
        for digit, carry in enumerate([Const(0, 1), *chain]):
            one = low[digit] ^ carry
            two = ~one & (high[digit] ^ low[digit])
            neg = (one & high[digit]) | (two & above[digit])
            m.d.comb += self.o[3 * digit : 3 * digit + 3].eq(Cat(one, two, neg))
        return m


@dataclass(frozen=True)
class CsdRecoding(LinesRecoding):
    """As many digits as Booth's, the same lines; of uniform int8, 2.78 of four are not zero.

    ``carry`` is how the recoder carries: ``ripple`` or (parallel) ``prefix``.
    """

    carry: str = "ripple"

    recoder_class = CsdRecoder

    def __post_init__(self):
        super().__post_init__()
        check_carry(self.carry)
