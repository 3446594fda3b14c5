"""Fixed-point formats as ``ap_fixed`` has them: what quantised networks are written in.

Pure Python, shared by RTL and golden model as :mod:`.formats` is: what the modes *do* is written
twice, in ``hw/network/`` and in ``sim/golden/network/``. (AMD UG1399, "Arbitrary precision
fixed-point data types"; hls4ml spells the modes without ``AP_``.)
"""

import enum
from dataclasses import dataclass, replace

MAX_BITS = 64
"""Most bits of a format (unsigned: one less), and of its integer part or fraction."""


class FixedRounding(enum.Enum):
    """What becomes of bits below the format's last; ties are exactly halfway."""

    TRN = "TRN"  # towards minus infinity
    TRN_ZERO = "TRN_ZERO"  # towards zero
    RND = "RND"  # nearest, ties towards plus infinity
    RND_ZERO = "RND_ZERO"  # nearest, ties towards zero
    RND_INF = "RND_INF"  # nearest, ties away from zero
    RND_MIN_INF = "RND_MIN_INF"  # nearest, ties towards minus infinity
    RND_CONV = "RND_CONV"  # nearest, ties to even


class FixedOverflow(enum.Enum):
    """What becomes of a value beyond the format's range."""

    WRAP = "WRAP"  # modulo 2**width
    SAT = "SAT"  # to the nearest representable value
    SAT_ZERO = "SAT_ZERO"  # zero
    SAT_SYM = "SAT_SYM"  # as SAT, but the most negative value is -max, of values in range too


@dataclass(frozen=True)
class Fixed:
    """``width`` bits, ``integer`` of them (the sign included) before the point; either part may
    have fewer than no bits, as ``Fixed(4, -2)``, whose last bit is worth 2**-6.

    A value is told by its bits read as an integer, *raw*: it is worth ``raw * 2**-fraction``.
    """

    width: int
    integer: int
    signed: bool = True
    rounding: FixedRounding = FixedRounding.TRN
    overflow: FixedOverflow = FixedOverflow.WRAP

    def __post_init__(self):
        most = MAX_BITS - (not self.signed)  # raw values are 64-bit integers with a sign
        if not 1 <= self.width <= most:
            kind = "signed" if self.signed else "unsigned"
            raise ValueError(f"width must be 1 to {most} of {kind} formats, not {self.width}")
        if abs(self.integer) > MAX_BITS or abs(self.fraction) > MAX_BITS:
            raise ValueError(f"integer and fraction bits must be at most {MAX_BITS} of {self}")

    @property
    def fraction(self) -> int:
        """Bits behind the point."""
        return self.width - self.integer

    @property
    def min(self) -> int:
        """The least raw value; of ``SAT_SYM`` it is what comes out of a cast. A single bit with a
        sign has nothing to be symmetric to: ``ap_fixed`` leaves it -1 and 0."""
        if not self.signed:
            return 0
        symmetric = self.overflow is FixedOverflow.SAT_SYM and self.width > 1
        return -self.max if symmetric else -(1 << (self.width - 1))

    @property
    def max(self) -> int:
        return (1 << (self.width - self.signed)) - 1

    def plain(self) -> "Fixed":
        """The same bits with the modes that cost nothing."""
        return replace(self, rounding=FixedRounding.TRN, overflow=FixedOverflow.WRAP)

    def __str__(self):
        modes = f",{self.rounding.value},{self.overflow.value}"
        return f"{'' if self.signed else 'u'}fixed<{self.width},{self.integer}{modes}>"
