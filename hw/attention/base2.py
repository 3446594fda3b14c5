"""Softmax in base 2 by a table of powers of two."""

from dataclasses import dataclass
from typing import ClassVar

from ..formats import Format
from .exponential import Exponential
from .probability import Products
from .reciprocal import NormalisedReciprocal
from .shape import LOGIT
from .softmax import Cell

__all__ = ["Base2"]


@dataclass(frozen=True, kw_only=True)
class Base2:
    """Of logits in base 2 with ``fraction`` bits (16 bits) p, worth 2**-``width``, which saturates.

    ``exponential``: bits of the table's entries, of which there are 2**``fraction``. Exponentials
    are rounded at places that differ by lane, p by beat: rows sum up to 1 on
    average. Golden model: ``golden.attention.softmax.base2``.
    """

    fraction: int = 6
    exponential: int = 16
    width: int = 15
    logit: ClassVar[Format] = LOGIT
    keeps: ClassVar[str] = "o"

    def __post_init__(self):
        if not 0 <= self.fraction <= 8:
            raise ValueError(f"fraction must be 0 to 8, not {self.fraction}")
        if not 3 <= self.width <= self.exponential:
            raise ValueError(f"width must be 3 to {self.exponential}, not {self.width}")

    @property
    def p_fraction(self) -> int:
        return self.width

    @property
    def kept(self) -> int:
        return self.exponential

    def exponentiate(self, lane: int, lanes: int) -> Cell:
        numbers = {"fraction": self.fraction, "width": self.exponential}
        return Exponential, {**numbers, "place": lane, "places": lanes}

    def invert(self, width: int) -> Cell:
        return NormalisedReciprocal, {"width": width, "precision": self.width + 2}

    def divide(self, lanes: int, inverse: int, width: int) -> Cell:
        factor = self.width + 3
        return Products, {
            "lanes": lanes, "exponential": self.exponential, "factor": factor, "width": self.width,
            "normal": width, "shift": 1, "places": lanes,
        }  # fmt: skip
