"""Products with low-bit weights, exact, by what the codes mean; and tables, by enumeration.

:func:`product` is the definition and knows no planes, tables or words: it is what everything else
is compared with. :func:`table` and :func:`looked_up` are a model of the tables alone, for what is
inside an array. int64 throughout.
"""

import numpy as np

from matweave.hw.formats import Format
from matweave.hw.weights import Coding, WeightFormat

from .arithmetic import checked

BINARY = (-1, 1)


def numbers(
    codes: np.ndarray, format: WeightFormat, zeros: np.ndarray | int | None = None
) -> np.ndarray:
    """What codes stand for. ``zeros``: zero points of asymmetric weights, in any shape that
    broadcasts to that of the codes."""
    codes = np.asarray(codes, np.int64)
    if format.coding is Coding.ASYMMETRIC:
        return codes - (0 if zeros is None else np.asarray(zeros, np.int64))
    if zeros is not None:
        raise ValueError(f"{format.coding.value} weights have no zero points")
    if format.coding is Coding.BINARY:
        return np.where(codes == 1, 1, -1)
    if format.coding is Coding.TERNARY:
        return np.array([-1, 0, 0, 1])[codes]
    half = 1 << (format.width - 1)
    return (codes + half) % (2 * half) - half


def product(
    a: np.ndarray,
    codes: np.ndarray,
    format: WeightFormat,
    zeros: np.ndarray | int | None = None,
) -> np.ndarray:
    """``a`` (M, K) times the transpose of what ``codes`` (N, K) stand for: (M, N)."""
    return np.asarray(a, np.int64) @ numbers(codes, format, zeros).T


def uncorrected(a: np.ndarray, codes: np.ndarray, format: WeightFormat) -> np.ndarray:
    """What accumulators of reinterpreted weights hold: ``a @ q'.T`` with q' = 2q - (2**W - 1), q
    unsigned (of two's complement after its sign is inverted); of ternary weights twice the
    product, of binary ones the product."""
    a, codes = np.asarray(a, np.int64), np.asarray(codes, np.int64)
    if format.coding is Coding.BINARY:
        return product(a, codes, format)
    if format.coding is Coding.TERNARY:
        return 2 * product(a, codes, format)
    offset = 1 << (format.width - 1) if format.coding is Coding.SYMMETRIC else 0
    q = numbers(codes, format) + offset
    return a @ (2 * q - (1 << format.width) + 1).T


def signs(codes: np.ndarray, format: WeightFormat) -> np.ndarray:
    """Of every plane of the odd integers that codes stand for: 1 or -1, in a last axis."""
    codes = np.asarray(codes, np.int64)
    if format.coding is Coding.TERNARY:
        return np.stack([2 * (codes & 1) - 1, 2 * (codes >> 1) - 1], axis=-1)
    odd = uncorrected(np.ones((1, 1), np.int64), codes.reshape(-1, 1), format)
    left = odd.reshape(codes.shape)
    found = []
    for place in reversed(range(format.width)):
        found.insert(0, np.where(left > 0, 1, -1))
        left = left - (found[0] << place)
    assert not left.any()
    return np.stack(found, axis=-1)


def table(a: np.ndarray, sign: int) -> np.ndarray:
    """The half table of K activations: ``2**(K-1)`` entries, each their sum with signs, that of
    element ``sign`` always -; of the others, in order, + where their bit of the index is set."""
    a = np.asarray(a, np.int64)
    others = np.delete(a, sign)
    entries = []
    for index in range(1 << len(others)):
        plus = [index >> place & 1 for place in range(len(others))]
        entries.append(-a[sign] + sum(x if up else -x for x, up in zip(others, plus, strict=True)))
    return np.array(entries, np.int64)


def looked_up(entries: np.ndarray, word: int, sign: int) -> int:
    """What a folded word (:mod:`matweave.hw.lut.transform`) finds in a half table."""
    below, above = word & ((1 << sign) - 1), word >> (sign + 1) << sign
    value = int(entries[below | above])
    return -value if word >> sign & 1 else value


def exponents(a: np.ndarray, k: int, entry: int) -> np.ndarray:
    """Of the rows of ``a`` (M, K), the least e with which no entry of a table of ``k`` of them is
    beyond ``entry`` bits: the largest entry is the sum of magnitudes (M,)."""
    slices = np.pad(np.asarray(a, np.int64), ((0, 0), (0, -a.shape[1] % k)))
    largest = np.abs(slices.reshape(len(a), -1, k)).sum(axis=2).max(axis=1)
    most = (1 << (entry - 1)) - 1
    found = np.zeros(len(a), np.int64)
    # As rounding to even has it: half above the largest is rounded away from it, which is even.
    while (over := 2 * largest >= (2 * most + 1) << found).any():
        found += over
    return found


def quantised(
    a: np.ndarray, exponents: np.ndarray, codes: np.ndarray, format: WeightFormat, *, k: int,
    entry: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What accumulators hold with tables of ``k`` activations rounded to ``entry`` bits, in units
    of ``2**exponents`` (M,): (M, N), and the rows' sums of activations (M,). K is whole slices."""
    a, codes = np.asarray(a, np.int64), np.asarray(codes, np.int64)
    units, most = 2.0 ** np.asarray(exponents), (1 << (entry - 1)) - 1

    def rounded(sums):
        scaled = sums / (units[:, None] if sums.ndim == 2 else units)
        return np.clip(np.rint(scaled), -most, most).astype(np.int64)

    total = np.zeros((len(a), len(codes)), np.int64)
    rows = np.zeros(len(a), np.int64)
    planes = signs(codes, format)
    for start in range(0, a.shape[1], k):
        part = slice(start, start + k)
        rows += rounded(a[:, part].sum(axis=1))
        for plane, shift in enumerate(format.shifts):
            total += rounded(a[:, part] @ planes[:, part, plane].T) << shift
    return total, rows


def weights(name: str, b, format: Format | WeightFormat, shape: tuple) -> np.ndarray:
    """``b`` as an ``int64`` array, if all of it are numbers of ``format``; else one clear
    :class:`ValueError`, in which it is called ``name``."""
    b = checked(name, b, format.min, format.max, shape)
    if getattr(format, "coding", None) is Coding.BINARY and not np.isin(b, BINARY).all():
        raise ValueError(f"{name} must be -1 or 1")
    return b


def zero_points(zeros, format: WeightFormat, shape: tuple) -> np.ndarray:
    """``zeros`` of the columns of asymmetric weights, 0 to ``2**W``: one more than a code,
    as files have them that store one less."""
    if getattr(format, "coding", None) is not Coding.ASYMMETRIC:
        raise ValueError(f"weights of {format} have no zero points")
    return checked("zeros", zeros, 0, 1 << format.width, shape)


def extremes(config) -> tuple[int, int]:
    """Least and largest number that any job of an engine of kind ``lut`` can multiply with."""
    width, formats = config.b.width, [config.b]
    if config.array.planes == "serial":  # all there are up to its width
        formats += [WeightFormat(width, c) for c in (Coding.ASYMMETRIC, Coding.SYMMETRIC)]
        formats.append(WeightFormat(1, Coding.BINARY))
    ends = [end for each in formats for end in (each.min, each.max)]
    if config.zero_points != "none":
        ends.append(-(1 << width))
    return min(ends), max(ends)
