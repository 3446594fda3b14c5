"""What every radix-4 recoding of an operand is to the rest: a code, and digits read from it.

A recoding turns an operand into digits in {-2, -1, 0, 1, 2} with ``sum(digit[i] * 4**i)`` its
value, so that a product needs half as many partial products as the operand has bits, each a
multiple that costs one multiplexer. The *recoder* sits where the operand enters an array, once per
lane; its *code* travels; each processing element reads the digits from the code and selects
multiples.
"""

from dataclasses import dataclass
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import MAX_WIDTH, MIN_WIDTH, Format
from .compress import Operand


class Digit(NamedTuple):
    """One digit as select lines of one bit each: ``(one + 2 * two) * (-1) ** neg``.

    ``one`` and ``two`` are never both set, and ``neg`` never in a zero. ``None``: a line that this
    digit never needs (the top digits of some formats).
    """

    one: Value
    two: Value | None = None
    neg: Value | None = None


@dataclass(frozen=True)
class Recoding:
    """A recoding of operands of ``format`` (2 to 16 bits, odd widths too); hashable, so that it can
    name a shared cell. Subclasses set ``recoder_class`` and give ``code_width`` and ``digits``.

    The all-zero code is the operand zero: registers that hold codes may be cleared.
    """

    format: Format

    recoder_class = None
    """Combinational component with keyword ``recoding`` and ports ``i`` (``format.width`` bits, the
    operand) and ``o`` (``code_width`` bits)."""

    def __post_init__(self):
        if not MIN_WIDTH <= self.format.width <= MAX_WIDTH:
            raise ValueError(
                f"format must have {MIN_WIDTH} to {MAX_WIDTH} bits, not {self.format.width}"
            )

    @property
    def n_digits(self) -> int:
        """Digits of an operand; digit ``i`` has weight ``4**i``. ``ceil(n / 2)`` of ``n`` bits,
        unsigned ``n // 2 + 1``: of an even ``n`` the final carry is a digit of its own."""
        width = self.format.width
        return (width + 1) // 2 if self.format.signed else width // 2 + 1

    @property
    def code_width(self) -> int:
        """Bits of an operand's code."""
        raise NotImplementedError

    def digits(self, m, code: Value, name: str) -> list[Digit]:
        """The ``n_digits`` digits of a code, digit 0 first; adds what logic that takes to ``m``."""
        raise NotImplementedError

    def partial_products(
        self, m, code: Value, other: Value, other_format: Format, *, name: str = "pp"
    ) -> list[Operand]:
        """Operands for :mod:`.compress` whose sum is the coded operand times ``other``."""
        assert len(code) == self.code_width and len(other) == other_format.width
        operands = []
        for index, digit in enumerate(self.digits(m, code, f"{name}digit_")):
            row = multiple(m, digit, other, other_format, shift=2 * index, name=f"{name}{index}")
            operands += row
        return operands


class LinesRecoder(wiring.Component):
    """Combinational recoder of one operand to its digits' select lines; subclasses elaborate it.

    Parameters
    ----------
    recoding : LinesRecoding

    Attributes
    ----------
    i : In(format.width)
        The operand's bits.
    o : Out(3 * n_digits)
        Three bits per digit, digit 0 lowest: bit 0 *one*, bit 1 *two*, bit 2 *neg*. Digit 0 is
        ``000`` (never a negative zero); *one* and *two* are never both set.
    """

    sequential = False

    def __init__(self, *, recoding: "LinesRecoding"):
        self.recoding = recoding
        super().__init__({"i": In(recoding.format.width), "o": Out(recoding.code_width)})


class LinesRecoding(Recoding):
    """Base of recodings whose code is the digits' own select lines: *one*, *two*, *neg* of digit 0,
    and so on."""

    @property
    def code_width(self) -> int:
        return 3 * self.n_digits

    def digits(self, m, code: Value, name: str) -> list[Digit]:
        result = []
        for index in range(self.n_digits):
            one, two, neg = (code[3 * index + bit] for bit in range(3))
            top = index == self.n_digits - 1
            # What the top digit cannot be is not built: unsigned ones are 0, 1 (or 2, odd widths),
            # signed ones of odd widths -1, 0, 1.
            doubles = not top or self.format.signed == (self.format.width % 2 == 0)
            negative = not top or self.format.signed
            result.append(Digit(one, two if doubles else None, neg if negative else None))
        return result


def multiple(
    m, digit: Digit, other: Value, format: Format, *, shift: int = 0, name: str = "multiple"
) -> list[Operand]:
    """Operands whose sum is ``digit * other * 2**shift``: one row, and a 1 that completes it.

    A negative multiple is the complement of the positive one, and a 1 at the digit's own weight:
    ``-2b`` is ``~(2b) + 1`` too, so the row holds ``+256`` for ``b = -128`` only together with it.
    """
    bits, sign = other, other[-1] if format.signed else Const(0, 1)
    if digit.two is not None:
        bits = Mux(digit.one, Cat(other, sign), 0) | Mux(digit.two, Cat(Const(0, 1), other), 0)
    else:
        bits = Mux(digit.one, other, 0)
    signed = format.signed
    if digit.neg is not None and not signed:
        bits, signed = Cat(bits, Const(0, 1)), True  # room for the sign
    row = Signal(len(bits), name=name)
    if digit.neg is None:
        m.d.comb += row.eq(bits)
        return [Operand(row, signed, shift)]
    m.d.comb += row.eq(bits ^ digit.neg.replicate(len(row)))
    return [Operand(row, signed, shift), Operand(digit.neg, False, shift)]
