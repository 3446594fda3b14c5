"""Number formats, rounding and overflow: the one thing that RTL and golden model share.

Pure Python: imports neither Amaranth nor NumPy, so that the golden model gets its ranges and the
RTL its widths from the same objects, and nothing else in common.
"""

import enum
import re
from dataclasses import dataclass

MIN_WIDTH, MAX_WIDTH = 2, 16
"""Bounds in bits of an operand format."""


class Rounding(enum.Enum):
    """How a value that falls between two integers becomes one; ties are exactly halfway.

    ``tflite_double`` is TensorFlow Lite's two-step rounding (``SaturatingRoundingDoublingHighMul``,
    then ``RoundingDivideByPOT``; gemmlowp ``fixedpoint.h``). TFLite's single rounding is
    ``half_up``.
    """

    FLOOR = "floor"  # towards minus infinity
    TRUNCATE = "truncate"  # towards zero
    HALF_UP = "half_up"  # nearest, ties towards plus infinity
    HALF_EVEN = "half_even"  # nearest, ties to even
    HALF_AWAY = "half_away"  # nearest, ties away from zero
    TFLITE_DOUBLE = "tflite_double"


class Overflow(enum.Enum):
    """What a sum that leaves its format does."""

    WRAP = "wrap"  # modulo 2**width
    SATURATE = "saturate"  # to the nearest representable value


@dataclass(frozen=True)
class Format:
    """A two's-complement (``signed``) or plain binary integer of ``width`` bits."""

    width: int
    signed: bool = True

    def __post_init__(self):
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise ValueError(f"width must be a positive integer, not {self.width!r}")

    @classmethod
    def parse(cls, text: str) -> "Format":
        """``int8`` -> 8-bit signed, ``uint4`` -> 4-bit unsigned; operand widths, 2 to 16 bits.

        Raises :class:`ValueError` for anything else.
        """
        match = re.fullmatch(r"(u?)int([1-9][0-9]?)", text, re.ASCII)
        if not match or not MIN_WIDTH <= int(match[2]) <= MAX_WIDTH:
            raise ValueError(
                f"{text!r} is not a number format; allowed are int2 to int16 and uint2 to uint16"
            )
        return cls(int(match[2]), signed=not match[1])

    def __str__(self):
        return f"{'' if self.signed else 'u'}int{self.width}"

    @property
    def min(self) -> int:
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    @property
    def lane_width(self) -> int:
        """Bits that one element occupies in a stream: whole bytes, a power of two of them."""
        return lane_width(self.width)


def lane_width(width: int) -> int:
    """The stream lane of a ``width``-bit element: 8, 16, 32 or 64 bits."""
    for lane in (8, 16, 32, 64):
        if width <= lane:
            return lane
    raise ValueError(f"no stream lane holds {width} bits; at most 64 do")


def signed_width(low: int, high: int) -> int:
    """Bits of the narrowest two's-complement format that holds ``low`` and ``high``."""
    return 1 + max(
        (high if high >= 0 else ~high).bit_length(), (low if low >= 0 else ~low).bit_length()
    )


def accumulator_width(a: Format, b: Format, terms: int) -> int:
    """Bits of the narrowest two's-complement accumulator that holds every partial sum of
    ``terms`` products ``a * b``, in any order of addition. Exact: from the extreme products, not
    from a bound on their widths.
    """
    if terms < 1:
        raise ValueError(f"terms must be a positive integer, not {terms}")
    products = [x * y for x in (a.min, a.max) for y in (b.min, b.max)]
    return signed_width(min(0, terms * min(products)), max(0, terms * max(products)))
