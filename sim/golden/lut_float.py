"""Products of floating-point activations with low-bit weights, in one order of addition.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations", is the definition; every addition
is one of NumPy's in its format (:mod:`.floats`). Weights are signs of planes by what codes mean
(2q - 2**W + 1, or the two signs of a ternary one); there are no tables here, indices or words.
"""

import numpy as np

from matweave.hw.floats import FP32, FloatFormat
from matweave.hw.weights import WeightFormat

from .floats import plus, times
from .lut import signs


def entry(terms: list[np.ndarray], format: FloatFormat) -> np.ndarray:
    """The sum of signed elements of one slice: first half, the longer one, plus second half."""
    if len(terms) == 1:
        return terms[0]
    cut = len(terms) - len(terms) // 2
    return plus(entry(terms[:cut], format), entry(terms[cut:], format), format)


def slice_sum(terms: list[np.ndarray], sign: int, format: FloatFormat) -> np.ndarray:
    """The same with the element at ``sign`` first."""
    ordered = [terms[sign], *terms[:sign], *terms[sign + 1 :]]
    return entry(ordered, format)


def sums(
    a: np.ndarray,
    codes: np.ndarray,
    weights: WeightFormat,
    format: FloatFormat,
    *,
    k: int,
    sign: int = 0,
    serial: bool = False,
    accumulator: FloatFormat = FP32,
) -> np.ndarray:
    """What accumulators hold after ``a`` (M, K), numbers of ``format``, and ``codes`` (N, K): (M,
    N), float32. K must be whole slices of ``k``."""
    planes = signs(codes, weights)
    total = np.zeros((len(a), len(codes)), np.float32)
    for start in range(0, a.shape[1], k):
        values = []
        for plane, shift in enumerate(weights.shifts):
            terms = [
                np.where(planes[None, :, place, plane] > 0, a[:, None, place], -a[:, None, place])
                for place in range(start, start + k)
            ]
            looked_up = slice_sum(terms, sign, format)
            values.append(_times(looked_up, shift, accumulator))
        if serial:
            for value in values:
                total = plus(total, value, accumulator)
            continue
        both = values[0]
        for value in values[1:]:
            both = plus(both, value, accumulator)
        total = plus(total, both, accumulator)
    return total


def multiplied(
    a: np.ndarray,
    codes: np.ndarray,
    weights: WeightFormat,
    format: FloatFormat,
    *,
    k: int,
    accumulator: FloatFormat = FP32,
) -> np.ndarray:
    """What the baseline's accumulators hold: products rounded in ``format`` and added up in it,
    ``k`` at a time, then in the accumulator's. As :func:`sums` otherwise."""
    odd = (signs(codes, weights) << np.array(weights.shifts)).sum(axis=-1).astype(np.float32)
    total = np.zeros((len(a), len(codes)), np.float32)
    for start in range(0, a.shape[1], k):
        terms = [times(a[:, None, n], odd[None, :, n], format) for n in range(start, start + k)]
        total = plus(total, entry(terms, format), accumulator)
    return total


def row_sums(
    a: np.ndarray, format: FloatFormat, *, k: int, sign: int = 0, accumulator: FloatFormat = FP32
) -> np.ndarray:
    """Sums of the rows of ``a`` (M, K), each slice's in its own format: (M,), float32."""
    total = np.zeros(len(a), np.float32)
    for start in range(0, a.shape[1], k):
        terms = [a[:, place] for place in range(start, start + k)]
        total = plus(total, slice_sum(terms, sign, format), accumulator)
    return total


def _times(values: np.ndarray, shift: int, format: FloatFormat) -> np.ndarray:
    """Times a power of two, exact or infinite."""
    with np.errstate(over="ignore"):
        scaled = values * np.float32(1 << shift)
    return plus(scaled, np.float32(0), format)
