"""Dyadic requantisation: ``clamp(round(value * multiplier / 2**shift) + zero_point)``.

The scale is per tensor (plain integers) or per column (one-dimensional arrays).
"""

from dataclasses import dataclass

import numpy as np

from matweave.hw.formats import Format, Rounding

from . import arithmetic
from .arithmetic import integers, magnitude

MULTIPLIER_MAX = (1 << 31) - 1
SHIFT_MAX = 62
ZERO_POINT = Format(17)


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantize:
    """A scale and what it rounds to; call it with numbers of the result format.

    ``multiplier`` is 0 to 2**31 - 1, ``shift`` 0 to 62, ``zero_point`` signed 17 bits.
    """

    multiplier: int | np.ndarray
    shift: int | np.ndarray
    format: Format
    zero_point: int = 0
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self):
        for name, most in (("multiplier", MULTIPLIER_MAX), ("shift", SHIFT_MAX)):
            value = np.asarray(getattr(self, name))
            value = arithmetic.checked(name, value, 0, most, (None,) if value.ndim else ())
            object.__setattr__(self, name, value)
        zero_point = arithmetic.checked(
            "zero_point", self.zero_point, ZERO_POINT.min, ZERO_POINT.max, ()
        )
        object.__setattr__(self, "zero_point", int(zero_point))

    def __call__(self, values: np.ndarray, source: Format, *, relu: bool = False) -> np.ndarray:
        """``values`` (M × N, numbers of ``source``) requantised, as ``int64``."""
        for name in ("multiplier", "shift"):
            scale = getattr(self, name)
            if scale.ndim and scale.shape != values.shape[-1:]:
                raise ValueError(
                    f"{name} must be one number or {values.shape[-1]}, one per column, "
                    f"not {scale.size}"
                )
        if self.rounding is Rounding.TFLITE_DOUBLE:
            scaled = _double(values, self.multiplier, self.shift, source)
        else:
            dtype = integers(magnitude(source) * MULTIPLIER_MAX)
            product = values.astype(dtype) * self.multiplier.astype(dtype)
            scaled = arithmetic.shift_right(product, self.shift, self.rounding)
        low, high = self.format.min, self.format.max
        if relu:
            low = min(max(self.zero_point, low), high)
        return np.clip(scaled + self.zero_point, low, high).astype(np.int64)


def _double(values, multiplier, shift, source):
    """TensorFlow Lite's ``MultiplyByQuantizedMultiplier`` with two roundings."""
    if source != Format(32):
        raise ValueError(f"tflite_double is defined for 32-bit results only, not {source}")
    left, right = np.maximum(31 - shift, 0), np.maximum(shift - 31, 0)
    values = arithmetic.wrap(values.astype(np.int64) << left, Format(32))
    # SaturatingRoundingDoublingHighMul; it never saturates, as the multiplier is not negative.
    product = values * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = arithmetic.shift_right(product + nudge, 31, Rounding.TRUNCATE)
    # RoundingDivideByPOT is nearest, ties away from zero.
    return arithmetic.shift_right(high, right, Rounding.HALF_AWAY)
