"""EN-T recoding (EN-T, ICCD 2024, arXiv 2404.11887): a code one bit wider than the operand.

Radix-4 digits in {-1, 0, 1, 2} by a carry from low to high: slower to recode than Booth's, which
looks at three bits, but two bits per digit travel instead of three control lines. The digit set is
older than the name (sequential recoding in Ercegovac and Lang, *Digital Arithmetic*, chapter 4).
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .carry import CARRIES, check_carry
from .recoding import Digit, Recoding

__all__ = ["FORMS", "EntRecoder", "EntRecoding"]

FORMS = ("signed", "sign_magnitude")


class EntRecoder(wiring.Component):
    """Combinational recoder of one operand.

    A slice ``s`` of two bits and the carry ``c`` into it give a digit, its code and a carry:

    ======  ==  ==  ==  ==  ==  ==  ==  ==
    s       0   0   1   1   2   2   3   3
    c       0   1   0   1   0   1   0   1
    ======  ==  ==  ==  ==  ==  ==  ==  ==
    digit   0   1   1   2   2   -1  -1  0
    code    00  01  01  10  10  11  11  00
    carry   0   0   0   0   0   1   1   1
    ======  ==  ==  ==  ==  ==  ==  ==  ==

    The code is ``(s + c) % 4``, the carry ``s[1] & (s[0] | c)``. Nothing is carried into slice 0,
    which is its own code; each other slice is one cell: ``ceil(n / 2) - 1`` of them for ``n`` bits,
    the topmost without the carry logic where nothing is carried out of it. (Booth: a cell of three
    inputs per digit, ``ceil(n / 2)`` or, unsigned, ``n // 2 + 1``.) Sign-magnitude needs a
    conditional negation of ``n`` bits in front.

    Parameters
    ----------
    recoding : EntRecoding

    Attributes
    ----------
    i : In(format.width)
        The operand's bits.
    o : Out(format.width + 1)
        Two bits per digit, digit 0 lowest; then the top digit and, if ``sign_magnitude``, the sign
        (:class:`EntRecoding`).
    """

    sequential = False

    def __init__(self, *, recoding: "EntRecoding"):
        self.recoding = recoding
        super().__init__({"i": In(recoding.format.width), "o": Out(recoding.code_width)})

    def elaborate(self, platform):
        m = Module()
        bits, sign, extension = self.i, [], self.i[-1] if self.recoding.format.signed else 0
        if self.recoding.sign_magnitude:
            sign, extension = [self.i[-1]], 0
            bits = Signal(len(self.i), name="magnitude")
            m.d.comb += bits.eq((self.i ^ sign[0].replicate(len(self.i))) + sign[0])
        n_low = self.recoding.n_digits - 1
        low, high = bits[0 : 2 * n_low : 2], bits[1 : 2 * n_low : 2]
        carries = [None, *CARRIES[self.recoding.carry](m, low & high, high)]
        code = []
        for digit in range(n_low):
            code += _incremented(bits[2 * digit : 2 * digit + 2], carries[digit])
        top = [*bits[2 * n_low :], extension][: self.recoding.top_width]
        code += _incremented(top, carries[n_low])
        assert len(code) + len(sign) == self.recoding.code_width
        m.d.comb += self.o.eq(Cat(code, sign))
        return m


def _incremented(bits, carry):
    """The bits plus carry, as many as there were; ``None`` is no carry."""
    for bit in bits:
        yield bit if carry is None else bit ^ carry
        carry = None if carry is None else bit & carry


@dataclass(frozen=True)
class EntRecoding(Recoding):
    """Codes of ``n + 1`` bits for operands of ``n``, half as many digits as bits.

    Unsigned operands
        The carry out of the top slice is one more digit, 0 or 1; of an odd ``n`` the top slice is
        one bit, and the top digit 0 to 2.
    ``form="signed"``
        The top slice is the signed one, and its digit -2 to 2 in three bits of two's complement; of
        an odd ``n`` it is one bit, and the digit -1 to 1 in two. Nothing is negated, but no digit
        is saved over Booth's: of uniform int8, 3 are not zero. (int2 alone could do with two bits;
        no case is made.)
    ``form="sign_magnitude"``
        The digits of the magnitude, 0 to ``2**(n - 1)`` and so without a final carry (top digit 0
        to 2, of an odd ``n`` 0 or 1), and a sign that each digit takes on if it is not zero: 2.92
        nonzero digits, for a negation in the recoder and three gates per digit in each reader.

    ``carry`` is how the recoder carries: ``ripple`` or (parallel) ``prefix``.
    """

    form: str = "signed"
    carry: str = "ripple"

    recoder_class = EntRecoder

    def __post_init__(self):
        super().__post_init__()
        if self.form not in FORMS:
            raise ValueError(f"form must be {' or '.join(FORMS)}, not {self.form!r}")
        check_carry(self.carry)

    @property
    def sign_magnitude(self) -> bool:
        """Whether the code has a sign: never that of an unsigned operand."""
        return self.format.signed and self.form == "sign_magnitude"

    @property
    def code_width(self) -> int:
        return self.format.width + 1

    @property
    def top_width(self) -> int:
        """Bits of the top digit's code, 1 to 3; each other digit has two."""
        return self.code_width - self.sign_magnitude - 2 * (self.n_digits - 1)

    def digits(self, m, code: Value, name: str) -> list[Digit]:
        def line(index, suffix, value):
            signal = Signal(name=f"{name}{index}_{suffix}")
            m.d.comb += signal.eq(value)
            return signal

        result = []
        top = self.n_digits - 1
        for index in range(top):
            low, high = code[2 * index : 2 * index + 2]
            neg = low & high
            if self.sign_magnitude:
                neg = (low | high) & (code[-1] ^ neg)
            result.append(Digit(low, line(index, "two", high & ~low), line(index, "neg", neg)))
        size = code[2 * top : 2 * top + self.top_width]
        if not self.format.signed:  # 0 to 2, never 3
            digit = Digit(*size)
        elif self.sign_magnitude:
            digit = Digit(*size)._replace(neg=line(top, "neg", size.any() & code[-1]))
        elif len(size) == 2:  # -1 to 1
            digit = Digit(one=size[0], neg=size[1])
        else:
            digit = Digit(size[0], line(top, "two", size[1] & ~size[0]), size[2])
        return [*result, digit]
