"""Floating-point formats: the fields of a code and what they mean, in pure Python.

As IEEE 754: a sign, an exponent, a fraction; exponent 0 is zeros and subnormals, all ones infinity
(fraction 0) and NaN. Shared by RTL and golden model as :mod:`.formats` is.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

from .formats import lane_width


@dataclass(frozen=True)
class FloatFormat:
    """``exponent`` (at least 2) and ``fraction`` (at least 1): bits of those fields."""

    exponent: int
    fraction: int

    signed = True

    def __post_init__(self):
        for name, least in (("exponent", 2), ("fraction", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, not {value!r}")

    @classmethod
    def parse(cls, text: str) -> "FloatFormat":
        """``fp16``, ``bf16``, ``fp32``, or ``e5m10`` for any. Raises :class:`ValueError`."""
        if text in NAMES:
            return NAMES[text]
        match = re.fullmatch(r"e([1-9][0-9]?)m([1-9][0-9]?)", text, re.ASCII)
        if not match:
            raise ValueError(f"{text!r} is not a float format; allowed are {', '.join(NAMES)}")
        return cls(int(match[1]), int(match[2]))

    def __str__(self):
        own = f"e{self.exponent}m{self.fraction}"
        return next((name for name, format in NAMES.items() if format == self), own)

    @property
    def width(self) -> int:
        return 1 + self.exponent + self.fraction

    @property
    def lane_width(self) -> int:
        """Bits that one element occupies in a stream, as of :class:`.formats.Format`."""
        return lane_width(self.width)

    @property
    def bias(self) -> int:
        return (1 << (self.exponent - 1)) - 1

    @property
    def special(self) -> int:
        """The exponent field of infinity and NaN: all ones."""
        return (1 << self.exponent) - 1

    @property
    def infinity(self) -> int:
        """Code of +infinity."""
        return self.special << self.fraction

    @property
    def nan(self) -> int:
        """Code of the one NaN that results have: quiet, positive."""
        return self.infinity | 1 << (self.fraction - 1)

    @property
    def largest(self) -> Fraction:
        """The largest finite number."""
        return self.number(self.infinity - 1)

    @property
    def smallest(self) -> Fraction:
        """The least positive number, a subnormal."""
        return self.number(1)

    def number(self, code: int) -> Fraction:
        """What a code of a finite number stands for; of both zeros 0."""
        exponent = code >> self.fraction & self.special
        if exponent == self.special:
            raise ValueError(f"{code:#x} is not a finite number of {self}")
        fraction = code & ((1 << self.fraction) - 1)
        whole = fraction + (bool(exponent) << self.fraction)
        place = max(exponent, 1) - self.bias - self.fraction
        return (-1) ** (code >> (self.width - 1)) * whole * Fraction(2) ** place

    def code(self, number: Fraction | int) -> int:
        """The code of ``number``. Raises :class:`ValueError` if it is none of this format's."""
        units, exponent = abs(Fraction(number)) / self.smallest, 0
        while units >= 2 << self.fraction:
            units, exponent = units / 2, exponent + 1
        code = units + (exponent << self.fraction)
        if code.denominator != 1 or code >= self.infinity:
            raise ValueError(f"{number} is no number of {self}")
        return int(code) | (number < 0) << (self.width - 1)

    def contains(self, other: "FloatFormat") -> bool:
        """Whether every number of ``other`` is one of this format."""
        return self.exponent >= other.exponent and self.fraction >= other.fraction


FP16, BF16, FP32 = FloatFormat(5, 10), FloatFormat(8, 7), FloatFormat(8, 23)

NAMES = {"fp16": FP16, "bf16": BF16, "fp32": FP32}
