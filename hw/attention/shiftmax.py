"""I-ViT's Shiftmax, as published and with a normalised reciprocal."""

from dataclasses import dataclass
from typing import ClassVar

from ..formats import Format
from .probability import Products
from .reciprocal import Inverse, NormalisedReciprocal
from .shift_exponential import ShiftExponential, unit
from .softmax import INT8, Cell

__all__ = ["Shiftmax"]

WHOLE = (1 << 31) - 1
"""What the published form divides by the total."""


@dataclass(frozen=True, kw_only=True)
class Shiftmax:
    """Of logits worth ``scale`` (in nats) p, worth 2**-(``width`` - 1), rounded down.

    ``normalised`` false: floor((2**31 - 1) / total) as published, of which few bits are left for
    long rows (their p sum up to well below 1), and a total that counts as 2**31 - 1 if it is more.
    ``n``: binary orders of the exponential. Golden model: ``golden.attention.softmax.shiftmax``.
    """

    scale: float
    logit: Format = INT8
    width: int = 8
    n: int = 15
    normalised: bool = True
    keeps: ClassVar[str] = "o"

    def __post_init__(self):
        if not 2 <= self.width <= 16:
            raise ValueError(f"width must be 2 to 16, not {self.width}")
        if not self.logit.signed:
            raise ValueError(f"logit must be signed, not {self.logit}")
        if self.n < 1 or self._highest > WHOLE:
            raise ValueError(
                f"n must be 1 to {(WHOLE // unit(self.scale)).bit_length() - 1}, not {self.n}"
            )

    @property
    def _highest(self) -> int:
        """The exponential of the row's highest logit."""
        return unit(self.scale) << self.n

    @property
    def p_fraction(self) -> int:
        return self.width - 1

    @property
    def exponential(self) -> int:
        return self._highest.bit_length()

    @property
    def kept(self) -> int:
        return self.exponential

    def exponentiate(self, lane: int, lanes: int) -> Cell:
        numbers = {"one": unit(self.scale), "n": self.n}
        return ShiftExponential, {**numbers, "width": self.logit.width}

    def invert(self, width: int) -> Cell:
        if self.normalised:
            return NormalisedReciprocal, {"width": width, "precision": self.width + 8}
        return Inverse, {"numerator": WHOLE, "least": self._highest, "width": width}

    def divide(self, lanes: int, inverse: int, width: int) -> Cell:
        factor, numbers = inverse, {"shift": 32 - self.width}
        if self.normalised:
            # r is worth 2**-(width + 8 + k - 1), and p 2**-(width - 1).
            factor = self.width + 9
            numbers = {"shift": 8, "normal": width}
        return Products, {
            "lanes": lanes, "exponential": self.exponential, "factor": factor, "width": self.width,
            **numbers,
        }  # fmt: skip
