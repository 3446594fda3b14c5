"""Floating-point numbers times small integers, and halved: small formats and all of FP16's codes
against exact fractions, wide ones at random against NumPy."""

from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.arith.float_scale import FloatHalve, FloatScale
from matweave.hw.floats import BF16, FP16, FP32, FloatFormat
from matweave.sim import ports
from matweave.sim.golden import floats


def scaled(code: int, factor: int, format: FloatFormat) -> int:
    """The definition: 0 of anything is a zero, of the sign that both have."""
    negative, infinite, nan = floats.parts(code, format)
    if factor == 0:
        return negative << (format.width - 1)
    if nan:
        return format.nan
    negative ^= factor < 0
    if infinite:
        return format.infinity | negative << (format.width - 1)
    return floats.rounded(format.number(code) * factor, format, negative)


@pytest.mark.parametrize(
    ("format", "bits"), [(FloatFormat(3, 2), 3), (FloatFormat(4, 1), 7), (FloatFormat(4, 3), 2)],
    ids=str,
)  # fmt: skip
def test_every_code_times_every_factor(format, bits):
    factors = range(-(1 << (bits - 1)), 1 << (bits - 1))
    pairs = [(code, factor) for code in range(1 << format.width) for factor in factors]
    given = {"i": [code for code, _ in pairs], "factor": [factor for _, factor in pairs]}
    found = ports.simulated(FloatScale(format=format, bits=bits), given)["o"]
    assert found == [scaled(*pair, format) for pair in pairs]


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize("format", [FP16, BF16, FP32], ids=str)
def test_wide_formats(format):
    """10 bits: the most that zero points of 8-bit weights make."""
    rng = np.random.default_rng(9)
    codes = rng.integers(0, 1 << format.width, 20_000)
    codes[:4000] &= (1 << (format.width - 1)) | (1 << format.fraction) - 1  # subnormals
    codes[4000:6000] |= (format.special - 2) << format.fraction & ~(1 << format.fraction)
    factors = rng.integers(-512, 512, len(codes))
    factors[factors == 0] = 257
    component = FloatScale(format=format, bits=10)
    given = {"i": codes.tolist(), "factor": (factors & 1023).tolist()}
    found = ports.compiled(component, given)["o"]
    values = floats.times(floats.numbers(codes, format), factors.astype(np.float32), format)
    assert found == floats.codes(values, format).tolist()


@pytest.mark.parametrize("format", [FloatFormat(3, 2), FloatFormat(2, 1), FloatFormat(4, 3)])
def test_half_of_every_code(format):
    codes = list(range(1 << format.width))
    found = ports.simulated(FloatHalve(format=format), {"i": codes})["o"]
    assert_halved(codes, found, format)


@pytest.mark.requires_tool("verilator")
def test_half_of_every_fp16():
    codes = list(range(1 << 16))
    assert_halved(codes, ports.compiled(FloatHalve(format=FP16), {"i": codes})["o"], FP16)


def assert_halved(codes, found, format):
    for code, result in zip(codes, found, strict=True):
        negative, infinite, nan = floats.parts(code, format)
        if infinite or nan:
            assert result == code
        else:
            assert result == floats.rounded(format.number(code) / Fraction(2), format, negative)


def test_too_many_bits():
    with pytest.raises(ValueError, match="bits must be 2 to 3, not 4"):
        FloatScale(format=FloatFormat(3, 2), bits=4)
