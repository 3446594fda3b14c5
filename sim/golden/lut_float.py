"""Products of floating-point activations with low-bit weights, in one order of addition.

docs/decisions/0012-lut-mpgemm.md, "Floating-point activations" and those "in the engine", is the
definition; every addition is one of NumPy's in its format (:mod:`.floats`). Weights are signs of
planes by what codes mean (2q - 2**W + 1, or the two signs of a ternary one); there are no tables
here, indices or words.
"""

import numpy as np

from matweave.hw.floats import FP32, FloatFormat
from matweave.hw.weights import Coding, WeightFormat

from . import operands
from .floats import codes, numbers, plus, times
from .lut import signs, weights, zero_points


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


def gemm(
    a,
    b,
    *,
    a_format: FloatFormat,
    b_format: WeightFormat,
    accumulator: FloatFormat,
    k: int,
    sign: int = 0,
    serial: bool = False,
    zeros=None,
    c0=None,
    bias=None,
    relu: bool = False,
) -> np.ndarray:
    """C (M × N, float32) of A (M × K) and B (K × N), as an engine with tables of ``k`` elements,
    that at ``sign`` first, gives it; ``zeros`` (N) are subtracted from the columns of B.

    Raises :class:`ValueError` for operands of the wrong shape or type or outside their format.
    """
    a = operands.checked("a", a, a_format, (None, None))
    b = weights("b", b, b_format, (a.shape[1], None))
    (m, length), n = a.shape, b.shape[1]
    size = m, length + -length % k
    padded = np.zeros(size, np.float32)
    padded[:, :length] = a
    of_weights = np.zeros((n, size[1]), np.int64)
    of_weights[:, :length] = b_format.code(b.T)
    order = {"k": k, "sign": sign, "accumulator": accumulator}
    total = sums(padded, of_weights, b_format, a_format, serial=serial, **order)
    factors = np.full(n, _factor(b_format))
    if zeros is not None:
        factors = factors + 2 * zero_points(zeros, b_format, (n,))
    if factors.any():
        rows = row_sums(padded, a_format, **order)
        terms = times(rows[:, None], factors.astype(np.float32), accumulator)
        total = plus(total, -terms, accumulator)
    if b_format.coding is not Coding.BINARY:
        total = times(total, np.float32(0.5), accumulator)
    if c0 is not None:
        total = plus(total, operands.checked("c0", c0, accumulator, (m, n)), accumulator)
    if bias is not None:
        total = plus(total, operands.checked("bias", bias, accumulator, (n,)), accumulator)
    if relu:
        total = np.where(np.signbit(total) & ~np.isnan(total), np.float32(0), total)
    return numbers(codes(total, accumulator), accumulator)  # NaN is but one


def _factor(weights: WeightFormat) -> int:
    """z' of zero points 0: an odd number, or 0 of weights that need no sum of activations."""
    if weights.coding is Coding.ASYMMETRIC:
        return 1 - (1 << weights.width)
    return int(weights.coding is Coding.SYMMETRIC)


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
