"""Words of the offline transform, looked up in the golden model's tables, against products in
int64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matweave.hw.lut import transform
from matweave.hw.weights import WIDTHS, Coding, WeightFormat
from matweave.sim.golden import lut

WEIGHTS = [
    *(WeightFormat(width, coding) for width in WIDTHS
      for coding in (Coding.ASYMMETRIC, Coding.SYMMETRIC)),
    WeightFormat(1, Coding.BINARY),
    WeightFormat(2, Coding.TERNARY),
]  # fmt: skip


@given(
    weights=st.sampled_from(WEIGHTS),
    k=st.integers(2, 6),
    length=st.integers(1, 13),
    data=st.data(),
    seed=st.integers(0, 1 << 32),
)
def test_tables_give_the_product(weights, k, length, data, seed):
    rng = np.random.default_rng(seed)
    sign = data.draw(st.integers(0, k - 1))
    a = rng.choice([-128, 127, 0, *rng.integers(-128, 128, 4)], (2, length))
    codes = rng.integers(0, 1 << weights.width, (3, length))
    words = transform.words(codes, weights, k=k, sign=sign)
    assert words.shape == (3, -(-length // k), weights.width)
    assert words.min() >= 0 and words.max() < 1 << k
    slices = np.pad(a, ((0, 0), (0, -length % k))).reshape(2, -1, k)
    found = [
        [
            sum(
                lut.looked_up(lut.table(slices[m, s], sign), word, sign) << shift
                for s, of_slice in enumerate(words[n])
                for word, shift in zip(of_slice.tolist(), weights.shifts, strict=True)
            )
            for n in range(3)
        ]
        for m in range(2)
    ]
    # Never by tables: the definition, and for the plain codes the spec's own line.
    assert np.array_equal(found, lut.uncorrected(a, codes, weights))
    if weights.coding is Coding.ASYMMETRIC:
        assert np.array_equal(found, a @ (2 * codes - (1 << weights.width) + 1).T)


def test_folding_is_its_own_inverse_and_keeps_the_sign():
    bits = (np.arange(16)[:, None] >> np.arange(4) & 1).astype(np.uint8)
    for sign in range(4):
        folded = transform.folded(bits, sign)
        assert np.array_equal(folded[:, sign], bits[:, sign])
        assert np.array_equal(transform.folded(folded, sign), bits)
        assert len({tuple(word) for word in folded.tolist()}) == 16


def test_the_papers_example():
    """Equation 6: LUT[W3 W2 W1 W0], with W3 set the other bits are stored inverted."""
    code = np.array([[0, 1, 0, 1]])  # W0 to W3 = 0 1 0 1
    assert transform.words(code, WeightFormat(1), k=4) == [[[0b1010]]]
    assert transform.words(code, WeightFormat(1), k=4, sign=3) == [[[0b1101]]]


@pytest.mark.parametrize("codes", [[[4]], [[-1]], [[0.5]]])
def test_codes_that_do_not_fit_are_refused(codes):
    with pytest.raises(ValueError, match="integers of 2 bits"):
        transform.words(np.array(codes), WeightFormat(2), k=4)


def test_symmetric_codes_are_numbers_or_patterns():
    weights = WeightFormat(4, Coding.SYMMETRIC)
    numbers = np.arange(-8, 8)[None]
    assert np.array_equal(
        transform.words(numbers, weights, k=4), transform.words(numbers % 16, weights, k=4)
    )


def test_a_sign_bit_that_no_word_has_is_refused():
    with pytest.raises(ValueError, match="is 0 to 3, not 4"):
        transform.words(np.zeros((1, 4), int), WeightFormat(1), k=4, sign=4)
