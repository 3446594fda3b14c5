"""The golden model of streaming attention: its bars, its theorem, its corners."""

import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.formats import Format, Rounding
from matweave.sim.golden.attention import integers
from matweave.sim.golden.attention import streaming as model

from .test_golden_attention import logits

FINE = {"format": Format(16), "rounding": Rounding.HALF_UP}
"""Outputs with eight bits below V's last place."""
EIGHTHS = model.Scale(1 << 14, 14 - 8)


def error(sigma, keys, block=16, **numbers):
    """Of outputs, in last places of int8 V, for Gaussian logits."""
    u, p = logits(sigma, keys, 100)
    v = np.random.default_rng(keys).integers(-128, 128, (keys, 16))
    numbers = model.Softmax(**numbers)
    state = model.accumulate(u, v, np.ones(u.shape, bool), numbers=numbers, block=block)
    y = model.normalised(state, EIGHTHS, numbers=numbers, **FINE) / 256
    return y - p @ v


@pytest.mark.parametrize("keys", [64, 197, 512, 4096])
@pytest.mark.parametrize("dither", [True, False])
@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_outputs_are_within_their_bars(sigma, keys, dither):
    found = error(sigma, keys, lanes=16, dither=dither)
    assert np.sqrt((found**2).mean()) <= 0.1
    assert abs(found).max() <= 0.5


@pytest.mark.parametrize("depth", range(8, 22))
def test_a_key_that_outweighs_all_others_leaves_their_values(depth):
    """An attention sink: what is far below the maximum is rounded alike in total and sums."""
    keys = 4096
    u = np.full((1, keys), -64 * depth)
    u[0, 0] = 0
    numbers = model.Softmax(lanes=16)
    for value in (100, -128):
        v = np.full((keys, 1), value)
        state = model.accumulate(u, v, np.ones(u.shape, bool), numbers=numbers, block=16)
        y = model.normalised(state, EIGHTHS, numbers=numbers, **FINE) / 256
        assert abs(y - value).max() <= 0.5


def rms(**about):
    return np.sqrt((error(3, 4096, lanes=16, **about) ** 2).mean())


def test_exponentials_relative_to_their_own_block_keep_what_small_ones_have():
    assert rms(block=16) < rms(block=4096) / 1.5


def test_places_that_differ_by_lane_keep_the_sum_of_small_exponentials():
    """In blocks that are so long that most exponentials are small."""
    assert rms(block=4096) < rms(block=4096, dither=False) / 1.5


def test_accumulators_are_the_floor_of_the_rescaled_sum_of_aligned_beats():
    """Whatever the order in which the maximum rises; a beat's sums are rounded as it is aligned."""
    rng = np.random.default_rng(1)
    numbers = model.Softmax(lanes=4)
    table = integers.powers(numbers.fraction, numbers.exponential)
    for rising in (False, True):
        u = rng.integers(-900, 900, (4, 96))
        if rising:
            u = np.sort(u, axis=1) * 5
        v = rng.integers(-128, 128, (96, 3))
        state = model.accumulate(u, v, np.ones(u.shape, bool), numbers=numbers, block=8)
        for row in range(4):
            total, output, maximum = Fraction(0), [Fraction(0)] * 3, None
            for start in range(0, 96, 8):
                of = u[row, start : start + 8]
                highest = max(math.ceil(Fraction(int(x), 64)) for x in of)
                new = highest if maximum is None else max(maximum, highest)
                by = Fraction(1, 1 << (0 if maximum is None else new - maximum))
                maximum = new
                p = [
                    math.floor(
                        (int(table[t % 64]) + Fraction((2 * (j % 4) + 1) << (t // 64), 8))
                        / (1 << (t // 64))
                    )
                    for j, t in enumerate(highest * 64 - int(x) for x in of)
                ]
                total, output = total * by, [o * by for o in output]
                for beat in range(0, 8, 4):
                    terms = [(p[j], v[start + j].tolist()) for j in range(beat, beat + 4)]
                    total += nearest(sum(x for x, _ in terms) << model.GUARD, maximum - highest)
                    output = [
                        o + nearest(sum(x * of_key[e] for x, of_key in terms), maximum - highest)
                        for e, o in enumerate(output)
                    ]
            assert state.maximum[row] == maximum
            least = 1 << (numbers.exponential - 1 + model.GUARD)
            assert state.total[row] == math.floor(total) >= least
            assert state.output[row].tolist() == [math.floor(o) for o in output]


def nearest(value: int, places: int) -> int:
    return math.floor(Fraction(value, 1 << places) + Fraction(1, 2))


def small(**changes):
    rng = np.random.default_rng(3)
    arguments = {
        "q": rng.integers(-128, 128, (4, 6, 8)),
        "k": rng.integers(-128, 128, (2, 10, 8)),
        "v": rng.integers(-128, 128, (2, 10, 8)),
        "logit": model.Scale(1 << 12, 20),
        "scale": EIGHTHS,
        "numbers": model.Softmax(lanes=4),
        "block": 4,
        "formats": (Format(8), Format(8), Format(8), Format(16)),
    }
    return arguments | changes


def test_heads_share_keys_in_groups():
    arguments = small()
    together = model.attention(**arguments)
    for head in range(4):
        alone = arguments | {
            "q": arguments["q"][head : head + 1],
            "k": arguments["k"][head // 2 : head // 2 + 1],
            "v": arguments["v"][head // 2 : head // 2 + 1],
        }
        assert (model.attention(**alone)[0] == together[head]).all()
    with pytest.raises(ValueError, match="do not belong together"):
        model.attention(**arguments | {"q": arguments["q"][:3]})


def test_masks_leave_out_what_they_should():
    arguments = small(causal=True, window=3, position=2)
    y = model.attention(**arguments)
    for query in range(6):
        low, high = max(0, query), query + 3
        masked = np.ones((2, 10), bool)
        masked[:, low:high] = False
        alone = small(q=arguments["q"][:, query : query + 1], masked=masked)
        assert (model.attention(**alone)[:, 0] == y[:, query]).all()


def test_a_row_without_keys_gives_the_zero_point():
    arguments = small(masked=np.ones((2, 10), bool), scale=model.Scale(1 << 14, 6, 7))
    assert (model.attention(**arguments) == 7).all()


def test_one_key_gives_its_value():
    arguments = small(scale=model.Scale(1 << 14, 14))
    arguments |= {"k": arguments["k"][:, :1], "v": arguments["v"][:, :1]}
    y = model.attention(**arguments)
    assert abs(y - arguments["v"].repeat(2, axis=0)).max() <= 1


@pytest.mark.parametrize("split", [1, 8, 40, 95])
def test_merged_states_are_nearly_that_of_one_pass(split):
    """Another order: floors and roundings of p differ, each by less than one."""
    u, _ = logits(2, 197, 20)
    u, v = u[:, :96], np.random.default_rng(1).integers(-128, 128, (96, 4))
    numbers, seen = model.Softmax(lanes=4), np.ones((20, 96), bool)
    of = {"numbers": numbers, "block": 8}
    whole = model.accumulate(u, v, seen, **of)
    parts = [
        model.accumulate(u[:, s], v[s], seen[:, s], **of)
        for s in (slice(None, split), slice(split, None))
    ]
    merged = model.merge(*parts)
    assert (merged.maximum == whole.maximum).all()
    assert abs(merged.total - whole.total).max() <= 97
    y, z = (model.normalised(s, EIGHTHS, numbers=numbers, **FINE) for s in (whole, merged))
    assert abs(y - z).max() / 256 <= 0.5
    nothing = model.accumulate(u, v, ~seen, **of)
    same = model.merge(nothing, whole)
    assert (same.total == whole.total).all() and (same.output == whole.output).all()
