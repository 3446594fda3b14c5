"""Rung 1: recoded operands are what they were, and as sparse as published."""

import functools

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
    "csd pairs": (recoding.csd_pairs, 4, {-2, -1, 0, 1, 2}),
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


@functools.cache
def fewest(count: int, digits: tuple, radix: int) -> dict:
    """By dynamic programming: the fewest nonzero digits of every number that has ``count``."""
    found = {0: 0}
    for _ in range(count):  # another digit below those there are
        longer = {}
        for number, weight in found.items():
            for digit in digits:
                value, now = radix * number + digit, weight + (digit != 0)
                longer[value] = min(now, longer.get(value, now))
        found = longer
    return found


@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_pairs_of_canonical_digits_have_minimal_weight(format):
    """Of all strings of radix-4 digits -2 to 2, longer ones too, none has fewer nonzero digits; nor
    of binary signed digits."""
    digits = recoding.csd_pairs(numbers(format), format)
    weights = np.count_nonzero(digits, axis=-1).tolist()
    n_digits = digits.shape[-1]
    for count in (n_digits, n_digits + 1):
        least = fewest(count, (-2, -1, 0, 1, 2), 4)
        assert weights == [least[value] for value in numbers(format).tolist()]
    least = fewest(2 * n_digits, (-1, 0, 1), 2)
    assert weights == [least[value] for value in numbers(format).tolist()]


def test_other_digits_are_more():
    """What the test above would say of them."""
    format = Format(8)
    least = fewest(4, (-2, -1, 0, 1, 2), 4)
    for digits_of in (recoding.booth, recoding.SERIAL["ent"]):
        weights = np.count_nonzero(digits_of(numbers(format), format), axis=-1)
        more = weights - [least[value] for value in numbers(format).tolist()]
        assert more.min() == 0 < more.max()


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
        ("csd pairs", [2.777, 1.731, 2.063, 2.259, 2.500]),
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


def test_densities_that_serial_engines_are_asked_for():
    """At most these nonzero digits per int8 operand at sigma 10 to 50: EN-T has more at 40."""
    format, most = Format(8), {10: 1.77, 20: 2.12, 30: 2.34, 40: 2.48, 50: 2.61}
    missed = {
        (name, sigma)
        for name, digits_of in recoding.SERIAL.items()
        for sigma, bound in most.items()
        if recoding.mean_nonzero(digits_of(numbers(format), format), gaussian(sigma, format))
        > bound
    }
    assert missed == {("ent", 40), *(("booth", sigma) for sigma in most)}
