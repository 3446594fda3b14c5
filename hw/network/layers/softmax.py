"""Softmax in the ways that hls4ml has (``nnet_activation.h``).

Values are (outer, slice, inner): each softmax is over the middle axis.
"""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...fixed import Fixed
from .base import MAX_ENTRIES, Layer


@dataclass(frozen=True)
class _OfSlices(Layer):
    outer: int
    inner: int

    @property
    def slice(self) -> int:
        """Values of one softmax."""
        return self.size // (self.outer * self.inner)

    def misfit(self, sources):
        if self.outer < 1 or self.inner < 1 or self.size % (self.outer * self.inner):
            return f"{self.size} values are not {self.outer} times {self.inner} slices"
        return self._other_size(sources) or self._wrong_tables()

    def _wrong_tables(self):
        return None


def _misfit_of_table(name: str, table: np.ndarray, power: bool) -> str | None:
    entries = table.size
    if table.ndim != 1 or not 1 <= entries <= MAX_ENTRIES or (power and entries & (entries - 1)):
        kind = " that are a power of two" if power else ""
        return f"{name} has {entries} entries; allowed are 1 to {MAX_ENTRIES}{kind}"
    return None


@dataclass(frozen=True)
class Softmax(_OfSlices):
    """hls4ml's ``stable`` and ``latency``.

    What is looked up in ``exp_table`` is the distance to the largest value, cast to ``norm``; or,
    if it is not ``stable``, the value itself, whose format ``norm`` is. Entries, cast to ``accum``,
    are added up as a balanced tree, each sum cast to ``accum``, the last one to ``inv_input``; it
    is looked up in ``inv_table``. The result is the product of the two entries in full, cast to
    ``result``. An index is the highest bits of the number that is looked up.
    """

    stable: bool
    norm: Fixed
    exp_table: np.ndarray = field(repr=False)
    exp_table_format: Fixed
    accum: Fixed
    inv_input: Fixed
    inv_table: np.ndarray = field(repr=False)
    inv_table_format: Fixed

    depth: ClassVar[int] = 3

    @property
    def n_products(self):
        return self.size

    def misfit(self, sources):
        if not self.stable and self.norm.plain() != sources[0].result.plain():
            return f"norm is {self.norm}; without stable it must be the source's format"
        for name, to in (("exp_table", self.norm), ("inv_table", self.inv_input)):
            if len(getattr(self, name)) > 1 << to.width:
                entries = len(getattr(self, name))
                return f"{name} has {entries} entries, but what is looked up {to.width} bits"
        return super().misfit(sources)

    def _wrong_tables(self):
        for name in ("exp_table", "inv_table"):
            if reason := _misfit_of_table(name, getattr(self, name), power=True):
                return reason
        return self._wrong_part(exp_table=self.exp_table.shape, inv_table=self.inv_table.shape)


@dataclass(frozen=True)
class LegacySoftmax(_OfSlices):
    """hls4ml's ``legacy``: 1 over the sum of ``exp(other - x)``, in the order of the slice, each
    sum cast to ``table_format``. The differences, from -8 to 8, are looked up in ``exp_table``, the
    sum, from 0 to 64, in ``inv_table``, each index towards zero."""

    exp_table: np.ndarray = field(repr=False)
    inv_table: np.ndarray = field(repr=False)
    table_format: Fixed

    depth: ClassVar[int] = 2

    @property
    def n_products(self):
        return self.size * self.slice  # tables rather

    def _wrong_tables(self):
        for name in ("exp_table", "inv_table"):
            if reason := _misfit_of_table(name, getattr(self, name), power=False):
                return reason
        return None


@dataclass(frozen=True)
class Argmax(_OfSlices):
    """1 at the first of the largest values, elsewhere 0; cast to ``result``."""

    depth: ClassVar[int] = 1
