"""Functions of one value each."""

from dataclasses import dataclass, field

from ...fixed import Fixed
from .base import Layer


@dataclass(frozen=True)
class Relu(Layer):
    """``max(x, 0)``, cast to ``result``."""


@dataclass(frozen=True)
class Cast(Layer):
    """To ``formats`` (one per value; ``None``: the value is 0), and then to ``result``."""

    formats: tuple[Fixed | None, ...] = field(repr=False)

    def misfit(self, sources):
        if len(self.formats) != self.size:
            return f"has {len(self.formats)} formats for {self.size} values"
        return self._other_size(sources)
