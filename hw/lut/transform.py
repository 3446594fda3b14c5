"""Offline: codes of weights -> the words that the hardware looks up with (NumPy).

``planes`` are bits, 1 for +1 and 0 for -1. A *word* is what one lane takes of one plane: K bits,
element ``i`` of its K activations at bit ``i``. Its sign bit stays as it is, at any place
(``sign``: 3 in equation 5 of the LUT Tensor Core paper for K = 4, 0 in its artifact and in T-MAC);
the others are exchanged for their difference from it (equation 6), so that they are the index into
a table of half the entries, whose value the sign then negates or not. Nothing grows: K bits stay K.
"""

import numpy as np

from ..weights import WeightFormat


def planes(codes: np.ndarray, format: WeightFormat) -> np.ndarray:
    """Codes (..., ) -> bits of their planes (..., W), bit 0 first; codes are unsigned W-bit
    patterns, or two's complement numbers where the coding is that."""
    codes = np.asarray(codes)
    if codes.size and not (
        np.issubdtype(codes.dtype, np.integer)
        and -(1 << (format.width - 1)) * bool(format.inverted) <= codes.min()
        and codes.max() < 1 << format.width
    ):
        raise ValueError(f"codes of {format} weights are integers of {format.width} bits")
    patterns = codes.astype(np.int64) ^ format.inverted
    return (patterns[..., None] >> np.arange(format.width) & 1).astype(np.uint8)


def padded(codes: np.ndarray, k: int) -> np.ndarray:
    """Codes (N, K) with K rounded up to whole words. What is added may be any code, as the
    activations there are 0; none stands for the number 0."""
    return np.pad(codes, ((0, 0), (0, -codes.shape[1] % k)))


def folded(bits: np.ndarray, sign: int) -> np.ndarray:
    """Bits of words (..., K): those beside the sign bit exchanged for their difference from it.
    Its own inverse."""
    result = bits ^ bits[..., sign : sign + 1]
    result[..., sign] = bits[..., sign]
    return result


def words(
    codes: np.ndarray, format: WeightFormat, *, k: int, sign: int | None = None
) -> np.ndarray:
    """Codes (N, K_total) -> words (N, K_total / k, W) as integers, in the order in which a lane
    takes them: along K, of each slice the planes from bit 0 on. K_total is padded.

    ``sign``: place of the sign bit in a word; ``None``: words are not folded.
    """
    if sign is not None and not 0 <= sign < k:
        raise ValueError(f"the sign bit of words of {k} bits is 0 to {k - 1}, not {sign}")
    bits = planes(padded(np.asarray(codes), k), format)
    slices = bits.reshape(len(bits), -1, k, format.width).swapaxes(2, 3)
    if sign is not None:
        slices = folded(slices, sign)
    return (slices.astype(np.int64) << np.arange(k)).sum(axis=-1)
