"""Layers of two variables."""

from dataclasses import dataclass
from typing import ClassVar

from ...errors import plain
from ...fixed import Fixed
from .base import Layer

OPERATIONS = ("add", "subtract", "multiply", "average", "maximum", "minimum")


@dataclass(frozen=True)
class Merge(Layer):
    """``operation`` (:data:`OPERATIONS`) of two sources in full, cast to ``result``
    (``nnet_merge.h``). A source of fewer values is repeated: value ``i`` takes ``i % size``."""

    operation: str

    n_sources: ClassVar[int | None] = 2

    @property
    def n_products(self):
        return self.size if self.operation == "multiply" else 0

    def misfit(self, sources):
        if self.operation not in OPERATIONS:
            return f"operation {plain(self.operation)} is none of {', '.join(OPERATIONS)}"
        if self.size != max(each.size for each in sources):
            sizes = " and ".join(str(each.size) for each in sources)
            return f"has {self.size} values, but its sources {sizes}"
        return None


@dataclass(frozen=True)
class Contraction(Layer):
    """Sums of products of two variables: of ``batches`` matrices, each row of the first source's
    with each row of the second's, of ``contracted`` values (hls4ml's Einsum and Dot).

    Products are added one after another to an accumulator that begins with 0; each sum is cast to
    ``accum``, and before that each product if ``cast_products`` (``nnet_merge.h``; not in
    ``nnet_einsum.h``); the last sum to ``result``. Values: (batches, rows of a, rows of b).
    """

    batches: int
    contracted: int
    cast_products: bool
    accum: Fixed

    n_sources: ClassVar[int | None] = 2
    depth: ClassVar[int] = 1

    @property
    def n_products(self):
        return self.size * self.contracted

    def misfit(self, sources):
        unit = self.batches * self.contracted
        if unit < 1 or any(each.size % unit for each in sources):
            return f"its sources are not {self.batches} matrices of rows of {self.contracted}"
        a, b = (each.size // unit for each in sources)
        if self.size != self.batches * a * b:
            return f"has {self.size} values; it must have {self.batches * a * b}"
        return None
