"""The golden product with low-bit weights against its definition in Python integers and in int64,
and its tables against sums. Nothing here calls the transform or the hardware."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.hw.formats import Format
from matweave.hw.weights import WIDTHS, Coding, WeightFormat
from matweave.sim.golden import lut

WEIGHTS = [
    *(WeightFormat(width, coding) for width in WIDTHS
      for coding in (Coding.ASYMMETRIC, Coding.SYMMETRIC)),
    WeightFormat(1, Coding.BINARY),
    WeightFormat(2, Coding.TERNARY),
]  # fmt: skip


def by_definition(code, weights, zero):
    if weights.coding is Coding.ASYMMETRIC:
        return code - zero
    if weights.coding is Coding.SYMMETRIC:
        return code - (1 << weights.width) * (code >> (weights.width - 1))
    return {Coding.BINARY: [-1, 1], Coding.TERNARY: [-1, 0, 0, 1]}[weights.coding][code]


def operands(rng, a_format, weights, shape, kind):
    m, n, k = shape
    a = rng.integers(a_format.min, a_format.max, (m, k), endpoint=True)
    if kind == "lowest":
        a[:] = a_format.min
    elif kind == "cancelling":
        a[:, 1::2] = -np.maximum(a[:, : k // 2 * 2 : 2], -a_format.max)
    return a, rng.integers(0, 1 << weights.width, (n, k))


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    a_format=st.sampled_from([Format(4), Format(8), Format(16)]),
    weights=st.sampled_from(WEIGHTS),
    kind=st.sampled_from(["random", "lowest", "cancelling"]),
    seed=st.integers(0, 1 << 32),
)
def test_definition(shape, a_format, weights, kind, seed):
    rng = np.random.default_rng(seed)
    a, codes = operands(rng, a_format, weights, shape, kind)
    has_zeros = weights.coding is Coding.ASYMMETRIC
    zeros = rng.integers(0, 1 << weights.width, codes.shape) if has_zeros else None
    expected = [
        [
            sum(
                int(x) * by_definition(int(code), weights, 0 if zeros is None else int(zeros[n, k]))
                for k, (x, code) in enumerate(zip(row, codes[n], strict=True))
            )
            for n in range(len(codes))
        ]
        for row in a
    ]
    assert np.array_equal(lut.product(a, codes, weights, zeros), expected)


@given(
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    weights=st.sampled_from(WEIGHTS),
    zero=st.sampled_from([0, 1, -1]),
    seed=st.integers(0, 1 << 32),
)
def test_a_zero_point_is_a_term_of_the_sum_of_a(shape, weights, zero, seed):
    """y = (planes - z' sum(a)) / 2: the identity that the engine's last step relies on."""
    a, codes = operands(np.random.default_rng(seed), Format(8), weights, shape, "random")
    asymmetric = weights.coding is Coding.ASYMMETRIC
    zero = zero % (1 << weights.width) if asymmetric else 0
    planes = lut.uncorrected(a, codes, weights)
    if asymmetric:
        assert np.array_equal(planes, a @ (2 * codes - (1 << weights.width) + 1).T)
    corrected = planes - weights.correction(zero) * a.sum(axis=1)[:, None]
    times = 2 if weights.halved else 1
    assert np.array_equal(
        corrected, times * lut.product(a, codes, weights, zero if asymmetric else None)
    )


@pytest.mark.parametrize("k", range(2, 7))
def test_entries_are_all_sums_with_one_sign_fixed(k):
    a = np.random.default_rng(k).integers(-128, 128, k)
    a[0] = -128
    sums = {sum(s * x for s, x in zip(signs, a.tolist(), strict=True)): signs
            for signs in itertools.product((-1, 1), repeat=k)}  # fmt: skip
    for sign in range(k):
        entries = lut.table(a, sign)
        assert len(entries) == 1 << (k - 1)
        assert entries[0] == -a.sum()
        assert {*entries, *-entries} == set(sums)
        for index, entry in enumerate(entries.tolist()):
            plus = [index >> place & 1 for place in range(k - 1)]
            plus.insert(sign, 0)
            signs = zip(plus, a.tolist(), strict=True)
            assert entry == sum(x if up else -x for up, x in signs)


def test_an_entry_reaches_512():
    assert lut.table(np.full(4, -128), 3).max() == 512


@pytest.mark.parametrize(
    "width, coding, message",
    [
        (5, Coding.ASYMMETRIC, "asymmetric weights have 1 or 2 or 3 or 4 or 6 or 8 bits, not 5"),
        (2, Coding.BINARY, "binary weights have 1 bits, not 2"),
        (1, Coding.TERNARY, "ternary weights have 2 bits, not 1"),
        (True, Coding.ASYMMETRIC, "not True"),
    ],
)
def test_a_width_that_does_not_exist_is_refused(width, coding, message):
    with pytest.raises(ValueError, match=message):
        WeightFormat(width, coding)


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_ranges(weights):
    found = lut.numbers(np.arange(1 << weights.width), weights)
    assert (found.min(), found.max()) == (weights.min, weights.max)
    assert np.abs(lut.uncorrected(np.ones((1, 1), int), np.arange(1 << weights.width)[:, None],
                                  weights)).max() == weights.reach  # fmt: skip
    if weights.coding is Coding.SYMMETRIC:  # as numbers and as patterns
        assert np.array_equal(lut.numbers(found, weights), found)


def test_zero_points_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="is 0 to 15, not 16"):
        WeightFormat(4).correction(16)
    with pytest.raises(ValueError, match="symmetric weights have no zero point"):
        WeightFormat(4, Coding.SYMMETRIC).correction(1)
    with pytest.raises(ValueError, match="ternary weights have no zero points"):
        lut.product(np.ones((1, 1)), np.ones((1, 1)), WeightFormat(2, Coding.TERNARY), 0)
