"""Formats of low-bit weights: what a code means, and which planes of ±1 it is a sum of.

Pure Python, shared by RTL and golden model as :mod:`.formats` is. Reinterpretation to odd integers
(LUT Tensor Core, ISCA 2025, arXiv 2408.06003, equations 1 to 3): a W-bit code q is the odd integer
``q' = 2q - (2**W - 1) = sum(2**b * s_b)`` with ``s_b = ±1``, the sign that bit b of q stands for.
"""

import enum
import re
from dataclasses import dataclass

WIDTHS = (1, 2, 3, 4, 6, 8)
"""Bits that a code may have."""


class Coding(enum.Enum):
    """How a code stands for a number."""

    ASYMMETRIC = "asymmetric"  # q - zero, q unsigned, a zero point beside it
    SYMMETRIC = "symmetric"  # two's complement
    BINARY = "binary"  # one bit: -1 or 1
    TERNARY = "ternary"  # two bits of equal weight, (p + n) / 2 of two signs: -1, 0 (twice) or 1


CODINGS = tuple(Coding)
"""In the order of their numbers in the register WEIGHTS."""

NAMES = (
    "binary",
    "ternary",
    *(f"int{width}" for width in WIDTHS if width > 1),
    *(f"uint{width}" for width in WIDTHS),
)
"""What a configuration may call them: ``uint1`` is 0 or 1, ``binary`` -1 or 1."""


@dataclass(frozen=True)
class WeightRange:
    """Numbers that weights of several formats, or less their zero points, have between them."""

    min: int
    max: int


@dataclass(frozen=True)
class WeightFormat:
    """Weights of ``width`` bits. Raises :class:`ValueError` for a width that the coding has not.

    An operand's format (:class:`.formats.Format`) as far as others ask: ``width``, ``signed``,
    ``min``, ``max``, ``lane_width``; elements of a stream are codes, without bits between them.
    """

    width: int
    coding: Coding = Coding.ASYMMETRIC

    def __post_init__(self):
        allowed = {Coding.BINARY: (1,), Coding.TERNARY: (2,)}.get(self.coding, WIDTHS)
        if isinstance(self.width, bool) or self.width not in allowed:
            raise ValueError(
                f"{self.coding.value} weights have {' or '.join(map(str, allowed))} bits, "
                f"not {self.width!r}"
            )

    @classmethod
    def parse(cls, text: str) -> "WeightFormat":
        """The format called ``text`` (:data:`NAMES`). Raises :class:`ValueError` for others."""
        if text not in NAMES:
            raise ValueError(f"{text!r} is not a format of weights; allowed are {', '.join(NAMES)}")
        match = re.fullmatch(r"(u?)int(.)", text)
        if match:
            return cls(int(match[2]), Coding.ASYMMETRIC if match[1] else Coding.SYMMETRIC)
        coding = Coding(text)
        return cls(1 if coding is Coding.BINARY else 2, coding)

    def __str__(self):
        prefix = {Coding.ASYMMETRIC: "uint", Coding.SYMMETRIC: "int"}.get(self.coding)
        return f"{prefix}{self.width}" if prefix else self.coding.value

    @property
    def signed(self) -> bool:
        """Whether there are negative ones."""
        return self.min < 0

    @property
    def lane_width(self) -> int:
        return self.width

    @property
    def step(self) -> int:
        """Numbers are ``min``, ``min + step`` and so on: there is no 0 between -1 and 1."""
        return 2 if self.coding is Coding.BINARY else 1

    def code(self, number):
        """The code of a number (or of an array of them): an unsigned pattern of ``width`` bits."""
        if self.coding is Coding.SYMMETRIC:
            return number & ((1 << self.width) - 1)
        if self.coding is Coding.TERNARY:  # the signs p and n, n where one is enough
            return number + 1 | number + 1 >> 1
        return (number - self.min) // self.step

    def number(self, code):
        """What a code (or an array of them) stands for; asymmetric: with zero point 0."""
        if self.coding is Coding.TERNARY:
            return (code & 1) + (code >> 1) - 1
        half = 1 << (self.width - 1)
        if self.coding is Coding.SYMMETRIC:
            return (code ^ half) - half
        return self.min + code * self.step

    @property
    def shifts(self) -> tuple[int, ...]:
        """Of each plane of signs, bit 0 of the code first: it counts ``2**shift``."""
        return (0, 0) if self.coding is Coding.TERNARY else tuple(range(self.width))

    @property
    def reach(self) -> int:
        """The largest sum of the planes; the least is its negative."""
        return sum(1 << shift for shift in self.shifts)

    @property
    def inverted(self) -> int:
        """Bits of a code that are inverted in their planes: the sign of two's complement, which
        then is an unsigned code with the zero point ``2**(W-1)``."""
        return 1 << (self.width - 1) if self.coding is Coding.SYMMETRIC else 0

    @property
    def halved(self) -> bool:
        """Whether planes add up to twice the number (and the zero point's term)."""
        return self.coding is not Coding.BINARY

    @property
    def min(self) -> int:
        """Least number that a code stands for (asymmetric: with zero point 0)."""
        return {
            Coding.ASYMMETRIC: 0,
            Coding.SYMMETRIC: -(1 << (self.width - 1)),
            Coding.BINARY: -1,
            Coding.TERNARY: -1,
        }[self.coding]

    @property
    def max(self) -> int:
        """Largest number that a code stands for (asymmetric: with zero point 0)."""
        return {
            Coding.ASYMMETRIC: (1 << self.width) - 1,
            Coding.SYMMETRIC: (1 << (self.width - 1)) - 1,
            Coding.BINARY: 1,
            Coding.TERNARY: 1,
        }[self.coding]

    def correction(self, zero: int = 0) -> int:
        """z' in ``planes - z' * sum(a)``, the exact result (:attr:`halved`: twice that).

        ``zero``: the zero point of asymmetric weights, 0 to ``2**W - 1``; z' then is odd, from
        ``1 - 2**W`` to ``2**W - 1``. Other codings have none.
        """
        if self.coding is Coding.ASYMMETRIC:
            if not 0 <= zero < 1 << self.width:
                raise ValueError(
                    f"a zero point of {self.width}-bit weights is 0 to {(1 << self.width) - 1}, "
                    f"not {zero}"
                )
            return 2 * zero + 1 - (1 << self.width)
        if zero:
            raise ValueError(f"{self.coding.value} weights have no zero point")
        return 1 if self.coding is Coding.SYMMETRIC else 0
