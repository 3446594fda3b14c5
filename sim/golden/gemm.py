"""The GEMM engine in exact integers: ``C = requantise(A · B + C0 + bias)``.

The definition is that of ``docs/decisions/0001-interfaces.md``, section Arithmetic.
"""

from collections.abc import Callable

import numpy as np

from matweave.hw.floats import FloatFormat
from matweave.hw.formats import Format, Overflow
from matweave.hw.weights import WeightFormat

from . import arithmetic, lut, lut_float
from .arithmetic import checked, integers, magnitude
from .requantize import Requantize

BIAS = Format(32)


def gemm(
    a,
    b,
    *,
    a_format: Format,
    b_format: Format | WeightFormat,
    block: int,
    accumulator: Format | None,
    overflow: Overflow,
    result: Format,
    zeros=None,
    c0=None,
    bias=None,
    requantize: Requantize | None = None,
    relu: bool = False,
) -> np.ndarray:
    """C (M × N, ``int64``) of A (M × K) and B (K × N).

    Products are added along K in blocks of ``block``; after each block the sum is brought into
    ``accumulator`` by ``overflow``, and so is the sum with ``c0`` (M × N) and ``bias`` (N) into
    ``result``. With ``None`` as ``accumulator`` the sums of products are exact. ``zeros`` (N, 0 to
    ``2**W``, of asymmetric W-bit weights) are subtracted from the columns of B first.

    Raises :class:`ValueError` for operands of the wrong shape or type or outside their format.
    """
    if isinstance(block, bool) or not isinstance(block, int) or block < 1:
        raise ValueError(f"block must be a positive integer, not {block!r}")
    a = checked("a", a, a_format.min, a_format.max, (None, None))
    b = lut.weights("b", b, b_format, (a.shape[1], None))
    m, n = a.shape[0], b.shape[1]
    most = magnitude(b_format)
    if zeros is not None:
        b = b - lut.zero_points(zeros, b_format, (n,))
        most = 1 << b_format.width
    largest = a.shape[1] * magnitude(a_format) * most
    terms, bound = [], largest if accumulator is None else magnitude(accumulator)
    if c0 is not None:
        terms.append(checked("c0", c0, result.min, result.max, (m, n)))
        bound += magnitude(result)
    if bias is not None:
        terms.append(checked("bias", bias, BIAS.min, BIAS.max, (n,)))
        bound += magnitude(BIAS)

    sums = accumulate(a, b, magnitude(a_format) * most, block, accumulator, overflow)
    sums = sums.astype(integers(bound))
    for term in terms:
        sums = sums + term
    sums = arithmetic.overflow(sums, result, overflow).astype(np.int64)
    if requantize is not None:
        return requantize(sums, result, relu=relu)
    return np.maximum(sums, 0) if relu else sums


def accumulate(a, b, largest: int, block, accumulator, mode) -> np.ndarray:
    """A · B, in the accumulator: the part of :func:`gemm` before C0, on checked operands whose
    products are at most ``largest``."""
    k = a.shape[1]
    if accumulator is None:
        return multiply(a, b, k * largest)
    # Wrapping once at the end is wrapping after every block; a sum that cannot leave the
    # accumulator needs neither.
    if mode is Overflow.WRAP or k * largest <= accumulator.max:
        return arithmetic.overflow(multiply(a, b, k * largest), accumulator, mode)
    bound = magnitude(accumulator) + block * largest
    sums = np.zeros((a.shape[0], b.shape[1]), integers(bound))
    for start in range(0, k, block):
        step = multiply(a[:, start : start + block], b[start : start + block], block * largest)
        sums = arithmetic.overflow(sums + step, accumulator, mode)
    return sums


def multiply(a: np.ndarray, b: np.ndarray, bound: int) -> np.ndarray:
    """A · B exactly, where no sum of products exceeds ``bound``."""
    if bound > np.iinfo(np.int64).max:
        return a.astype(object) @ b.astype(object)
    # einsum's inner loop is vectorised if both operands are contiguous (matmul's is not for
    # integers), and twice as wide in 32 bits.
    dtype = np.int32 if bound <= np.iinfo(np.int32).max else np.int64
    a, transposed = np.ascontiguousarray(a, dtype), np.ascontiguousarray(b.T, dtype)
    return np.einsum("mk,nk->mn", a, transposed).astype(np.int64)


def for_config(config) -> Callable[..., np.ndarray]:
    """The golden model of a ``hw.config.GemmConfig``: C of one job.

    The callable takes ``(a, b, c0=None, *, bias=None, multiplier=None, shift=None, zero_point=0,
    relu=False, requantize=False, zeros=None, b_format=None, groups=1)``; ``b_format``: of a job
    that says it itself; with several ``groups`` along K, c0 and C are M × groups × N and zeros
    groups × N. Where the configuration asks for an exact accumulator none of the widths that the
    hardware derived from that is used here. With floats in A, so are C, c0 and bias
    (:mod:`.lut_float`), which nothing is requantised to.
    """
    of_job = _of_floats(config) if isinstance(config.a, FloatFormat) else _of_integers(config)

    def golden(a, b, c0=None, *, zeros=None, b_format=None, groups=1, **options):
        options["b_format"] = config.b if b_format is None else b_format
        if groups == 1:
            return of_job(a, b, c0=c0, zeros=zeros, **options)
        parts = np.split(np.asarray(a), groups, axis=1), np.split(np.asarray(b), groups)
        each = [
            of_job(
                *operands,
                c0=None if c0 is None else c0[:, group],
                zeros=None if zeros is None else zeros[group],
                **options,
            )
            for group, operands in enumerate(zip(*parts, strict=True))
        ]
        return np.stack(each, axis=1)

    return golden


def _of_floats(config) -> Callable[..., np.ndarray]:
    """One group of a job with floats in A, whose arguments that are of requantisation are ignored
    where it does not ask for that."""

    def golden(a, b, *, requantize=False, multiplier=None, shift=None, zero_point=0, **options):
        if requantize:
            raise ValueError("results of floating-point activations are not requantised")
        return lut_float.gemm(
            a,
            b,
            a_format=config.a,
            accumulator=config.accumulator.format,
            k=config.array.k,
            sign=config.array.sign,
            serial=config.serial,
            **options,
        )

    return golden


def _of_integers(config) -> Callable[..., np.ndarray]:
    """One group of a job with integers in A."""
    exact = config.accumulator.width == "exact"
    accumulator = None if exact else config.accumulator_format
    result = _exact_result(config) if exact else config.result_format

    def golden(a, b, *, requantize=False, multiplier=None, shift=None, zero_point=0, **options):
        scale = _scale(config, multiplier, shift, zero_point) if requantize else None
        return gemm(
            a,
            b,
            a_format=config.a,
            block=config.geometry.k,
            accumulator=accumulator,
            overflow=config.accumulator.overflow,
            result=result,
            requantize=scale,
            **options,
        )

    return golden


def _scale(config, multiplier, shift, zero_point) -> Requantize:
    if multiplier is None or shift is None:
        raise ValueError("requantisation needs a multiplier and a shift")
    if config.output.scale == "tensor" and (np.ndim(multiplier) or np.ndim(shift)):
        raise ValueError("multiplier and shift must be one number each: the scale is per tensor")
    return Requantize(
        multiplier=multiplier,
        shift=shift,
        zero_point=zero_point,
        format=config.output.format,
        rounding=config.output.rounding,
    )


def _exact_result(config) -> Format:
    """32 bits where they hold every sum of ``limits.k`` products, and 64 otherwise."""
    a, b = config.a, lut.extremes(config) if config.kind == "lut" else (config.b.min, config.b.max)
    products = [x * y for x in (a.min, a.max) for y in b]
    sums = [terms * product for terms in (0, config.limits.k) for product in products]
    narrow = Format(32)
    return narrow if narrow.min <= min(sums) and max(sums) <= narrow.max else Format(64)
