"""Number formats against their definitions, written out a second time."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.hw.formats import (
    Format,
    Overflow,
    Rounding,
    accumulator_width,
    lane_width,
    signed_width,
)

OPERANDS = [Format(width, signed) for width in range(2, 17) for signed in (True, False)]


@pytest.mark.parametrize("format", OPERANDS, ids=str)
def test_an_operand_format_reads_back_and_has_the_range_of_its_bits(format):
    assert Format.parse(str(format)) == format
    patterns = 2**format.width
    assert format.max - format.min + 1 == patterns
    assert format.min == (-patterns // 2 if format.signed else 0)


@pytest.mark.parametrize(
    "text",
    ["", "int", "int1", "int17", "uint1", "uint17", "int08", "int8 ", " int8", "int8\n", "Int8",
     "sint8", "uuint8", "int-8", "int٨", "int8;", "float16", "int100", "u8"],
)  # fmt: skip
def test_anything_else_is_not_a_format(text):
    with pytest.raises(ValueError, match="allowed are int2 to int16 and uint2 to uint16"):
        Format.parse(text)


@pytest.mark.parametrize("width", [0, -1, True, 8.0, "8", None])
def test_a_width_is_a_positive_integer(width):
    with pytest.raises(ValueError, match="width must be a positive integer"):
        Format(width)


@pytest.mark.parametrize(
    ("width", "lane"),
    [(1, 8), (2, 8), (8, 8), (9, 16), (16, 16), (17, 32), (32, 32), (33, 64), (64, 64)],
)
def test_a_lane_is_whole_bytes_and_a_power_of_two_of_them(width, lane):
    assert lane_width(width) == lane == Format(width).lane_width


def test_no_lane_is_wider_than_64_bits():
    with pytest.raises(ValueError, match="65 bits"):
        lane_width(65)


@given(st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70))
def test_signed_width_holds_both_and_one_bit_less_does_not(low, high):
    width = signed_width(low, high)
    assert all(-(2 ** (width - 1)) <= value < 2 ** (width - 1) for value in (low, high))
    if width > 1:
        assert not all(-(2 ** (width - 2)) <= value < 2 ** (width - 2) for value in (low, high))


SMALL = [Format(width, signed) for width in (2, 3) for signed in (True, False)]


@pytest.mark.parametrize("a", SMALL, ids=str)
@pytest.mark.parametrize("b", SMALL, ids=str)
@pytest.mark.parametrize("terms", [1, 2, 3, 5])
def test_accumulator_width_is_exact_by_enumeration(a, b, terms):
    products = {x * y for x in range(a.min, a.max + 1) for y in range(b.min, b.max + 1)}
    extremes = (min(products), max(products))
    sums = {sum(each) for n in range(terms + 1) for each in itertools.product(extremes, repeat=n)}
    width = accumulator_width(a, b, terms)
    assert all(-(2 ** (width - 1)) <= value < 2 ** (width - 1) for value in sums)
    assert not all(-(2 ** (width - 2)) <= value < 2 ** (width - 2) for value in sums)


@pytest.mark.parametrize(
    ("a", "b", "terms", "width"),
    [
        ("int8", "int8", 1, 16),  # -128 * -128 = 2**14 needs 16 bits, not 15
        ("int8", "int8", 256, 24),
        ("int8", "int8", 255, 23),
        ("uint8", "int8", 1, 16),
        ("uint8", "uint8", 1, 17),
        ("uint16", "uint16", 65536, 49),  # the widest there is
        ("int2", "int2", 1, 4),
    ],
)
def test_accumulator_widths_known_by_hand(a, b, terms, width):
    assert accumulator_width(Format.parse(a), Format.parse(b), terms) == width


@pytest.mark.parametrize("terms", [0, -1])
def test_an_accumulator_of_no_terms_is_refused(terms):
    with pytest.raises(ValueError, match="terms must be a positive integer"):
        accumulator_width(Format(8), Format(8), terms)


def test_the_words_of_a_configuration_are_the_enums_values():
    assert {each.value for each in Overflow} == {"wrap", "saturate"}
    assert {each.value for each in Rounding} == {
        "floor", "truncate", "half_up", "half_even", "half_away", "tflite_double"
    }  # fmt: skip
