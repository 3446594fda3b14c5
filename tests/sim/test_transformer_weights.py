"""Float weights as integers: scales against every other one there could be."""

import itertools

import numpy as np
import pytest

from matweave.hw.formats import Format
from matweave.hw.weights import WeightFormat
from matweave.sim.transformer.weights import quantised


@pytest.fixture
def weight(seed):
    return np.random.default_rng(seed).normal(size=(5, 7)) * [[1], [2], [0.5], [3], [1]]


def squares(weight, integers, scale):
    return ((integers * scale[:, None] - weight) ** 2).sum(axis=1)


@pytest.mark.parametrize(("name", "numbers"), [("binary", (-1, 1)), ("ternary", (-1, 0, 1))])
def test_signs_have_the_least_error_of_all(name, numbers, weight):
    integers, scale = quantised(weight, WeightFormat.parse(name))
    assert set(integers.flat) == set(numbers)
    every = np.array(list(itertools.product(numbers, repeat=7)))
    lengths = (every**2).sum(axis=1)
    # Of each choice of numbers the best scale, a projection.
    along = weight @ every.T
    best = (weight**2).sum(axis=1) - np.max(along**2 / np.maximum(lengths, 1), axis=1)
    assert squares(weight, integers, scale) == pytest.approx(best)


@pytest.mark.parametrize("width", [2, 3, 4])
@pytest.mark.parametrize("format", [Format, lambda width: WeightFormat.parse(f"int{width}")])
def test_few_bits_are_better_than_with_the_largest_as_the_largest(width, format, weight):
    format = format(width)
    integers, scale = quantised(weight, format)
    assert format.min <= integers.min() <= integers.max() <= format.max
    plain = np.abs(weight).max(axis=1) / format.max
    usual = np.clip(np.rint(weight / plain[:, None]), format.min, format.max)
    gained = squares(weight, usual, plain) - squares(weight, integers, scale)
    assert (gained >= 0).all() and gained.any()


def test_many_bits_have_the_largest_as_the_largest(weight):
    integers, scale = quantised(weight, Format(8))
    assert (np.abs(integers).max(axis=1) == 127).all()
    assert np.abs(integers * scale[:, None] - weight).max() <= scale.max() / 2 * (1 + 1e-9)


@pytest.mark.parametrize("name", ["binary", "ternary", "int2", "int4", "int8"])
def test_weights_that_are_exactly_so(name, seed):
    rng, format = np.random.default_rng(seed), WeightFormat.parse(name)
    wanted = rng.integers(0, format.max - format.min, (4, 50), endpoint=True)
    wanted = wanted // format.step * format.step + format.min
    wanted = np.maximum(wanted, -format.max)
    wanted[:, 0] = format.max
    integers, scale = quantised(wanted * 0.375, format)
    assert np.array_equal(integers, wanted)
    assert scale == pytest.approx(0.375)


@pytest.mark.parametrize("name", ["binary", "ternary", "int4", "int8"])
def test_outputs_without_weights_have_a_scale(name, weight):
    weight[2] = 0
    integers, scale = quantised(weight, WeightFormat.parse(name))
    assert (scale > 0).all()
    assert not integers[2].any() or name == "binary"
