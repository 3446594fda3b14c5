"""Einstein's summation of two tensors as hls4ml orders it: matrices of rows."""

import math
from dataclasses import dataclass

import numpy as np

from ...errors import plain
from .common import refuse


@dataclass(frozen=True)
class Recipe:
    """``orders``: of each tensor's axes, so that it becomes (batches, rows, contracted);
    ``back``: where each value of the result is among (batches, rows of a, rows of b)."""

    orders: tuple[tuple[int, ...], tuple[int, ...]]
    batches: int
    rows: tuple[int, int]
    contracted: int
    back: np.ndarray

    @property
    def matrix_shape(self) -> tuple[int, int, int]:
        return (self.batches, *self.rows)

    @classmethod
    def of(cls, node, a_shape, b_shape) -> "Recipe":
        equation = str(node.get_attr("equation")).replace(" ", "")
        left, _, out = equation.partition("->")
        a, _, b = left.partition(",")
        letters = (a, len(a_shape)), (b, len(b_shape))
        if any(not each.isalpha() or len(set(each)) != n or len(each) != n for each, n in letters):
            raise refuse(node, f"the equation {plain(equation)} does not fit its inputs",
                         "name each axis once, without the samples' and without dots")  # fmt: skip
        if set(a) ^ set(b) != set(out) - (set(a) & set(b)) or len(set(out)) != len(out):
            raise refuse(node, f"the equation {plain(equation)} sums one input alone, or repeats",
                         "add up before, in a layer of its own")  # fmt: skip
        shared = [each for each in b if each in a]
        batch = [each for each in shared if each in out]
        inner = [each for each in shared if each not in out]
        free = [each for each in a if each not in b], [each for each in b if each not in a]
        sizes = dict(zip(a + b, (*a_shape, *b_shape), strict=True))
        made = [*batch, *free[0], *free[1]]
        places = np.arange(math.prod(sizes[each] for each in made))
        places = places.reshape([sizes[each] for each in made])
        return cls(
            orders=tuple(
                tuple(map(letters.index, [*batch, *rows, *inner]))
                for letters, rows in zip((a, b), free, strict=True)
            ),
            batches=math.prod(sizes[each] for each in batch),
            rows=tuple(math.prod(sizes[each] for each in rows) for rows in free),
            contracted=math.prod(sizes[each] for each in inner),
            back=places.transpose([made.index(each) for each in out]).ravel(),
        )
