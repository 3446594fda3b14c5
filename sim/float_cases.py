"""Floating-point numbers of the corner classes of :mod:`.cases`."""

import numpy as np

from matweave.hw.floats import FloatFormat

from .golden import floats

SCALE = 8
"""Random numbers are about 2**-SCALE to 2**SCALE in magnitude, those of an array alike."""


def values(format: FloatFormat, kind: str, size: tuple, rng: np.random.Generator) -> np.ndarray:
    """Numbers of ``format``, float32, of a corner class: ``zero`` are zeros of both signs,
    ``small`` subnormals and zeros, ``pattern`` any codes, and infinities and NaN in a few rows."""
    largest = np.float32(float(format.largest))
    random = normal(format, size, rng)
    if kind == "lowest":
        return np.full(size, -largest)
    if kind == "highest":
        return np.full(size, largest)
    if kind == "extremes":
        return np.where(rng.integers(2, size=size), -largest, largest)
    if kind == "alternating":  # pairs that cancel
        first = np.take(random, np.arange(size[-1]) // 2 * 2, axis=-1)
        return np.where(np.arange(size[-1]) % 2, -first, first)
    if kind == "zero":
        return np.where(rng.integers(2, size=size), np.float32(-0.0), np.float32(0))
    if kind == "sparse":
        return np.where(rng.random(size) < 0.1, random, np.float32(0))
    if kind == "small":
        return _numbers(rng.integers(0, 1 << format.fraction, size), format, rng)
    if kind == "pattern":
        codes = rng.integers(0, format.infinity, size)
        odd = rng.random((*size[:-1], 1)) < 0.3  # rows with something special
        special = odd & (rng.random(size) < 0.2)
        kinds = np.where(rng.integers(4, size=size), format.infinity, format.nan)
        return _numbers(np.where(special, kinds, codes), format, rng)
    return random


def normal(format: FloatFormat, size: tuple, rng: np.random.Generator) -> np.ndarray:
    """Normally distributed numbers, of one scale."""
    scale = 2.0 ** rng.integers(-SCALE, SCALE + 1)
    return floats.stored(rng.normal(0, scale, size).astype(np.float32), format)


def addend(format: FloatFormat, size: tuple, rng: np.random.Generator) -> np.ndarray | None:
    """C0 or bias: none, of a random scale, or any codes, which hide most of what they are added to
    (some rows with infinities and NaN)."""
    kind = rng.integers(6)
    if kind < 2:
        return None
    return values(format, "pattern" if kind == 2 else "random", size, rng)


def _numbers(magnitudes: np.ndarray, format: FloatFormat, rng: np.random.Generator) -> np.ndarray:
    signs = rng.integers(2, size=magnitudes.shape) << (format.width - 1)
    found = floats.numbers(magnitudes | signs, format)
    return floats.numbers(floats.codes(found, format), format)
