"""Layers that compute nothing."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...errors import plain
from .base import Layer


@dataclass(frozen=True)
class Reshape(Layer):
    """The same values in another shape; ``result`` is the source's."""

    def misfit(self, sources):
        (source,) = sources
        if self.result != source.result:
            reason = f"has the format {self.result}, but {plain(source.name)}, its source, another"
            return self._other_size(sources) or reason
        return self._other_size(sources)


@dataclass(frozen=True)
class Select(Layer):
    """Values of all sources in another order, some several times or not at all: transposing,
    concatenating, padding, and the patches of a convolution. Each is cast to ``result``.

    ``index``: (size,), places among the sources' values one after another; -1 is a zero.
    """

    index: np.ndarray = field(repr=False)

    n_sources: ClassVar[int | None] = None
    overlap: ClassVar[int] = 16  # patches do, and are but wires

    def misfit(self, sources):
        if self.index.shape != (self.size,):
            return f"index has the shape {list(self.index.shape)}; it must be [{self.size}]"
        total = sum(each.size for each in sources)
        if self.index.min() < -1 or self.index.max() >= total:
            return f"index has numbers that are not -1 to {total - 1}"
        return None
