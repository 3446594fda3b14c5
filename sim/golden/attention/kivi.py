"""Packed caches of K and V: groups with a minimum and a step, as KIVI (arXiv 2402.02750) has them,
in integers. Decision 0013 has the arithmetic."""

from dataclasses import dataclass

import numpy as np

from matweave.hw.formats import Format

from . import integers

STEP_MAX = 255
"""Largest step: a byte."""


@dataclass(frozen=True, eq=False)
class Groups:
    """Minimum and step of every group; the axis of the elements has as many as there are groups.
    Steps have one bit less behind their point than codes have in all."""

    minimum: np.ndarray
    step: np.ndarray

    def spread(self, group: int, axis: int, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Both for each of ``size`` elements along ``axis``."""
        of = np.arange(size) // group
        return np.take(self.minimum, of, axis), np.take(self.step, of, axis)


def quantised(x, *, bits: int, group: int, axis: int) -> tuple[np.ndarray, Groups]:
    """Codes of ``bits`` and the groups of ``group`` elements along ``axis``, the last one as long
    as it is. Minimum and step span the group; codes are the nearest, ties upwards; in a group
    without range step and codes are 0."""
    x = np.asarray(x, np.int64)
    starts = np.arange(0, x.shape[axis], group)
    least, most = np.minimum.reduceat(x, starts, axis), np.maximum.reduceat(x, starts, axis)
    unit = 1 << (bits - 1)
    step = -(-(most - least) * unit // ((1 << bits) - 1))
    groups = Groups(least, step)
    of_least, of_step = groups.spread(group, axis, x.shape[axis])
    codes = (2 * unit * (x - of_least) + of_step) // np.maximum(2 * of_step, 1)
    return np.where(of_step > 0, np.minimum(codes, (1 << bits) - 1), 0), groups


def dequantised(
    codes, groups: Groups, *, bits: int, group: int, axis: int, format: Format
) -> np.ndarray:
    """``clamp(minimum + ((step code + 2**(bits - 2)) >> (bits - 1)))``, as ``int64``."""
    codes = np.asarray(codes, np.int64)
    least, step = groups.spread(group, axis, codes.shape[axis])
    return integers.clamped(least + ((step * codes + (1 << (bits - 2))) >> (bits - 1)), format)
