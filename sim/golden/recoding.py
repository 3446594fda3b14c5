"""Recoded operands by the definitions of their digits, not by the recoders' logic.

Each function takes integers of ``format`` and appends an axis of digits, least significant first.
"""

import functools

import numpy as np

from matweave.hw.formats import Format


def booth(values, format: Format) -> np.ndarray:
    """Radix-4 modified Booth: ``-2 * b[2i + 1] + b[2i] + b[2i - 1]``, where ``b[-1]`` is 0."""
    bits = np.asarray(values) * 2  # bit k + 1 has weight 2**k
    digits = [bits >> (2 * i) for i in range(_radix_4_digits(format))]
    return np.stack([(d & 1) + (d >> 1 & 1) - 2 * (d >> 2 & 1) for d in digits], -1)


def ent(values, format: Format, form: str = "signed") -> np.ndarray:
    """EN-T: the residue modulo 4 in {-1, 0, 1, 2}, then the rest; the top digit is what remains.

    ``form="sign_magnitude"`` takes the digits of the magnitude, times the sign.
    """
    rest = np.asarray(values)
    if form == "sign_magnitude":
        return np.sign(rest)[..., None] * ent(abs(rest), format)
    if form != "signed":
        raise ValueError(f"form must be signed or sign_magnitude, not {form!r}")
    digits = []
    for _ in range(_radix_4_digits(format) - 1):
        digits.append((rest + 1) % 4 - 1)
        rest = (rest - digits[-1]) // 4
    return np.stack([*digits, rest], -1)


def csd(values, format: Format) -> np.ndarray:
    """Canonical signed digits: radix 2, {-1, 0, 1}, no two neighbours nonzero; the fewest there
    are."""
    rest, digits = np.asarray(values), []
    for _ in range(format.width + (not format.signed)):
        digits.append(np.where(rest % 2, 2 - rest % 4, 0))
        rest = (rest - digits[-1]) // 2
    return np.stack(digits, -1)


def csd_pairs(values, format: Format) -> np.ndarray:
    """Canonical signed digits in pairs, each one radix-4 digit from -2 to 2: as few nonzero."""
    digits = csd(values, format)
    odd = digits.shape[-1] % 2
    digits = np.pad(digits, [*[(0, 0)] * (digits.ndim - 1), (0, odd)])
    return digits[..., 0::2] + 2 * digits[..., 1::2]


def bit_serial(values, format: Format, form: str = "signed") -> np.ndarray:
    """The bits, the signed top one negative; or, ``form="sign_magnitude"``, those of the magnitude
    times the sign."""
    values = np.asarray(values)
    if form == "sign_magnitude":
        return np.sign(values)[..., None] * (abs(values)[..., None] >> np.arange(format.width) & 1)
    if form != "signed":
        raise ValueError(f"form must be signed or sign_magnitude, not {form!r}")
    bits = values[..., None] >> np.arange(format.width) & 1
    bits[..., -1] *= -1 if format.signed else 1
    return bits


SERIAL = {
    "csd": csd_pairs,
    "ent": functools.partial(ent, form="sign_magnitude"),
    "booth": booth,
}
"""The digits that serial PEs work through, by their option ``digits``."""


def mean_nonzero(digits: np.ndarray, weights=None) -> float:
    """Nonzero digits of an operand on average; ``weights`` of the operands, one each."""
    return float(np.average(np.count_nonzero(digits, axis=-1), weights=weights))


def _radix_4_digits(format: Format) -> int:
    """Digits that reach every number: an unsigned one's final carry may need one of its own."""
    return (format.width + 1) // 2 if format.signed else format.width // 2 + 1
