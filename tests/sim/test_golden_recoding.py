"""Rung 1: recoded operands are what they were, and as sparse as published."""

import numpy as np
import pytest

from matweave.hw.formats import Format
from matweave.sim.golden import recoding

FORMATS = [Format(width, signed) for width in range(2, 17) for signed in (True, False)]
CODES = {  # digits, radix, digit set
    "booth": (recoding.booth, 4, {-2, -1, 0, 1, 2}),
    "ent": (recoding.ent, 4, {-1, 0, 1, 2}),
    "ent sign-magnitude": (
        lambda values, format: recoding.ent(values, format, "sign_magnitude"),
        4,
        {-2, -1, 0, 1, 2},
    ),
    "csd": (recoding.csd, 2, {-1, 0, 1}),
    "bits": (recoding.bit_serial, 2, {0, 1}),
    "bits sign-magnitude": (
        lambda values, format: recoding.bit_serial(values, format, "sign_magnitude"),
        2,
        {-1, 0, 1},
    ),
}


def numbers(format):
    return np.arange(format.min, format.max + 1)


@pytest.mark.parametrize("format", FORMATS, ids=str)
@pytest.mark.parametrize("code", CODES)
def test_digits_are_legal_and_sum_to_the_operand(code, format):
    digits_of, radix, allowed = CODES[code]
    digits = digits_of(numbers(format), format)
    assert ((digits * radix ** np.arange(digits.shape[-1])).sum(-1) == numbers(format)).all()
    assert set(digits[..., :-1].flat) <= allowed
    assert set(digits[..., -1].flat) <= allowed | {-2, -1}  # a signed top digit


@pytest.mark.parametrize("code", CODES)
def test_one_number_is_like_an_array_of_one(code):
    digits_of = CODES[code][0]
    format = Format(8)
    assert (digits_of(-77, format) == digits_of(np.array([-77]), format)[0]).all()


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_canonical_digits_have_no_nonzero_neighbours(format):
    digits = recoding.csd(numbers(format), format)
    assert not (digits[..., 1:] * digits[..., :-1]).any()


def test_published_examples():
    for value, digits in ((91, [1, 2, -1, -1]), (124, [2, 0, -1, 0])):  # arXiv 2404.11887
        assert recoding.ent(value, Format(8)).tolist() == digits[::-1]
        assert recoding.ent(value, Format(8, False)).tolist() == [*digits[::-1], 0]


def test_unknown_forms_are_refused():
    for digits_of in (recoding.ent, recoding.bit_serial):
        with pytest.raises(ValueError, match="form must be signed or sign_magnitude, not 'odd'"):
            digits_of(1, Format(8), "odd")


def gaussian(sigma, format):
    """Weight of each number: the normal density, nothing beyond the format. (Clipped to the format
    instead, there are 0.01 fewer digits at sigma 50, as -128 and 127 have few.)"""
    return np.exp(-((numbers(format) / sigma) ** 2) / 2)


@pytest.mark.parametrize(
    "code, published",  # uniform, then sigma 10, 20, 30, 50
    [
        ("ent sign-magnitude", [2.918, 1.762, 2.115, 2.335, 2.604]),
        ("ent", [3.000, 1.953, 2.344, 2.559, 2.778]),
        ("booth", [3.000, 1.925, 2.294, 2.530, 2.769]),
        ("csd", [2.777, 1.731, 2.063, 2.259, 2.500]),
        ("bits", [4.00, 3.93, 3.98, 3.99, 4.00]),
        ("bits sign-magnitude", [3.50, 1.89, 2.34, 2.62, 2.97]),
    ],
)
def test_average_nonzero_digits_of_int8(code, published):
    format = Format(8)
    digits = CODES[code][0](numbers(format), format)
    means = [recoding.mean_nonzero(digits)]
    means += [recoding.mean_nonzero(digits, gaussian(sigma, format)) for sigma in (10, 20, 30, 50)]
    assert means == pytest.approx(published, abs=0.005)
