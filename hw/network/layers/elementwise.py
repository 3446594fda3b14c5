"""Functions of one value each."""

from dataclasses import dataclass, field

import numpy as np

from ...fixed import Fixed
from .base import MAX_ENTRIES, Layer


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


@dataclass(frozen=True)
class PhasedCast(Layer):
    """A :class:`Cast` of each phase of a folded network, in the places of its values: ``formats``
    by phase, then by value. Made by folding: no model has one."""

    formats: tuple[tuple[Fixed | None, ...], ...] = field(repr=False)


@dataclass(frozen=True)
class Lookup(Layer):
    """``contents[index]``, cast to ``result``: hls4ml's activations by table.

    The index is ``x * numerator / denominator`` towards zero, and ``offset`` more, no less than 0
    and no more than the last. With a ``slope``, values that are not negative do not go through the
    table but become ``x * slope``.

    ``contents``: raw numbers of ``contents_format``; ``denominator``: a power of two.
    """

    contents: np.ndarray = field(repr=False)
    contents_format: Fixed
    numerator: int
    denominator: int
    offset: int
    slope: int | None = None
    slope_format: Fixed | None = None

    def misfit(self, sources):
        if self.contents.ndim != 1 or not 1 <= len(self.contents) <= MAX_ENTRIES:
            return f"has a table of {self.contents.size} entries; it may have 1 to {MAX_ENTRIES}"
        if self.denominator < 1 or self.denominator & (self.denominator - 1) or not self.numerator:
            return f"has the factor {self.numerator}/{self.denominator}"
        if (self.slope is None) != (self.slope_format is None):
            return "has a slope or its format, but not both"
        return self._other_size(sources) or self._wrong_part(contents=self.contents.shape)


@dataclass(frozen=True)
class LeakyRelu(Layer):
    """``x`` if it is above 0, else ``x * slope``; cast to ``result``. ``slope``: (size,)."""

    slope: np.ndarray = field(repr=False)
    slope_format: Fixed

    def misfit(self, sources):
        return self._other_size(sources) or self._wrong_part(slope=(self.size,))


@dataclass(frozen=True)
class Threshold(Layer):
    """``x`` if it is above ``theta``, else 0; cast to ``result``."""

    theta: int
    theta_format: Fixed


@dataclass(frozen=True)
class HardSigmoid(Layer):
    """``y = x * slope + shift`` within 0 and 1; if ``symmetric`` (hls4ml's hard_tanh) ``2 y - 1``;
    cast to ``result``."""

    slope: int
    slope_format: Fixed
    shift: int
    shift_format: Fixed
    symmetric: bool
