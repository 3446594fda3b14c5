"""Golden models of attention's blocks, against float64 and against their definitions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.formats import Format, Rounding
from matweave.sim.golden.attention import elementwise, gelu, integers, norm, requantizers, softmax

INT8 = Format(8)


def logits(sigma, keys, rows=100, fraction=6):
    """Gaussian logits in base 2, and what float64 makes of them."""
    rng = np.random.default_rng([int(sigma), keys])
    u = np.round(rng.normal(0, sigma, (rows, keys)) * math.log2(math.e) * 2**fraction)
    u = np.clip(u, -32768, 32767).astype(np.int64)
    return u, probabilities(u * math.log(2) / 2**fraction)


def probabilities(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


CASES = list(itertools.product((1, 2, 3), (64, 197, 512, 4096)))


@pytest.mark.parametrize(("sigma", "keys"), CASES)
def test_a_softmax_by_table_is_within_its_bars(sigma, keys):
    u, wanted = logits(sigma, keys, 20)
    p = softmax.base2(u) / 2**15
    assert abs(p - wanted).max() <= 2**-7
    assert abs(p.sum(axis=1) - 1).max() <= 2**-8


def test_rows_without_keys_and_masked_keys_have_no_probability():
    q = np.array([[5, 9, -3], [1, 2, 3]])
    counts = np.array([[True, False, True], [False, False, False]])
    for form in (
        softmax.base2,
        lambda q, counts: softmax.i_bert(q, 0.1, counts=counts),
        lambda q, counts: softmax.shiftmax(q, 0.1, counts=counts),
        softmax.ita,
    ):
        p = form(q, counts=counts)
        assert (p[~counts] == 0).all() and p[0, 0] >= p[0, 2], form


def hf_int_softmax(x, scale):
    """transformers' IntSoftmax (models/ibert/quant_modules.py) in float32, which carries integers
    there; 16-bit exponentials with the scale of a calibrated maximum, 8-bit outputs."""
    f32 = np.float32
    x0 = np.floor(f32(-0.6931) / scale)
    b = np.floor(f32(0.96963238 / 0.35815147) / scale)
    c = np.floor(f32(1 / 0.35815147) / scale**2)
    x = x / scale
    x = np.maximum(x - x.max(axis=-1, keepdims=True), f32(30) * x0)
    z = np.floor(x / x0)
    r = x - x0 * z
    exponential = np.maximum(np.floor(((r + b) * r + c) * f32(2) ** (30 - z)), f32(0))
    of_16_bits = c * f32(2.0**30) / f32(2**15 - 1)
    e = np.clip(np.round(exponential / of_16_bits), -(2**15) + 1, 2**15 - 1).astype(f32)
    factor = np.floor(f32(2.0**32) / e.sum(axis=-1, keepdims=True))
    result = np.floor(e * factor / f32(2.0 ** (32 - 8)))
    assert result.dtype == np.float32
    return result


@pytest.mark.parametrize("keys", [64, 512])
@pytest.mark.parametrize("scale", [0.01, 4 / 127, 0.05, 12 / 127])
def test_i_bert_is_what_transformers_formulas_give_in_float32(scale, keys):
    rng = np.random.default_rng(keys)
    q = np.concatenate(
        [
            rng.integers(-128, 128, (200, keys)),
            np.clip(np.round(rng.normal(0, 32, (200, keys))), -128, 127).astype(int),
        ]
    )
    scale = np.float32(scale)
    off = abs(softmax.i_bert(q, float(scale)) - hf_int_softmax(q.astype(np.float32) * scale, scale))
    assert (off <= 1).mean() >= 0.9999
    assert (off == 0).mean() >= 0.99


def test_i_exp_is_within_its_bar():
    scale = 1e-3
    q = np.arange(-8000, 1)
    polynomial, z = softmax.i_exp(q, scale)
    value = polynomial.astype(float) * 0.35815147 * scale**2 / 2.0 ** z.astype(float)
    assert abs(value - np.exp(q * scale)).max() < 2.1e-3


def test_shiftmax_sums_to_one_only_with_a_normalised_reciprocal():
    q = np.random.default_rng(1).integers(-8, 8, (50, 512))
    scale = 1 / 100
    published = softmax.shiftmax(q, scale, width=16, normalise=False).sum(axis=1) / 2**15
    fixed = softmax.shiftmax(q, scale, width=16).sum(axis=1) / 2**15
    assert abs(fixed - 1).max() < 2**-6
    # What is fixed: few bits of the published reciprocal are left.
    assert published.max() < 0.95


def test_the_reciprocal_is_the_inverse_rounded_down():
    rng = np.random.default_rng(1)
    totals = np.concatenate([np.arange(1, 4096), rng.integers(1, 1 << 24, 500)])
    r, k = integers.reciprocal(totals, 24, 15)
    for total, value, bits in zip(totals.tolist(), r.tolist(), k.tolist(), strict=True):
        exact = Fraction(1 << (14 + bits), total)
        assert value == math.floor(exact) and 1 << 14 <= value <= 1 << 15


def test_gelus_are_within_their_bars():
    scale = 4 / 127
    q = np.arange(-128, 128)
    wanted = gelu.gelu(q * scale)
    y, of_y = gelu.i_gelu(q, scale)
    assert abs(y.astype(float) * of_y - wanted).max() <= scale + 0.018
    y, of_y = gelu.shift_gelu(q, scale, width=16)
    assert abs(y.astype(float) * of_y - wanted).max() <= scale + 0.03
    for function in (gelu.gelu, gelu.silu):
        y = gelu.lookup(q, gelu.table(function, scale, scale))
        assert abs(y * scale - function(q * scale)).max() <= scale / 2 + scale * 1.5


def test_i_gelus_published_shift_collapses_on_8_bits():
    q, scale = np.arange(-128, 128), 4 / 127
    y, of_y = gelu.i_gelu(q, scale, n=14)
    assert abs(y.astype(float) * of_y - gelu.gelu(q * scale)).max() > 1
    fine = 1e-4
    x = np.arange(-40000, 40000, 37)
    y, of_y = gelu.i_gelu(x, fine, n=14)
    assert abs(y.astype(float) * of_y - gelu.gelu(x * fine)).max() < 0.02


def test_square_roots_are_exact():
    rng = np.random.default_rng(1)
    values = [*range(2000), *(int(n) ** 2 + d for n in rng.integers(2, 1 << 20, 300) for d in
              (-1, 0, 1)), *map(int, rng.integers(0, 1 << 40, 300))]  # fmt: skip
    for n in values:
        assert norm.isqrt(n) == norm.i_sqrt(n) == math.isqrt(n)


@pytest.mark.parametrize("centred", [True, False])
def test_norms_are_near_their_definition(centred):
    rng = np.random.default_rng(1)
    q = rng.normal(10, 40, (50, 64)).round().astype(int)
    y = norm.normalised(q, fraction=10, centred=centred).astype(float) / 2**10
    of = q - centred * q.mean(axis=1, keepdims=True)
    wanted = of / np.sqrt((of**2).mean(axis=1, keepdims=True))
    assert abs(y - wanted).max() < 0.01


def test_a_row_without_variance_gives_its_bias():
    y = norm.norm(np.full((1, 8), 77), np.full(8, 90), np.arange(8) * 4, shift=2, format=INT8)
    assert y.tolist() == [list(range(8))]
    with pytest.raises(ValueError, match="epsilon must be at least 1"):
        norm.normalised([[1, 2]], epsilon=0)


def test_requantisers_differ_at_ties_as_their_sources_say():
    x = np.arange(-4096, 4096)
    power, shift = 1 << 30, -4  # a scale of 2**-5
    double = requantizers.tflite(x, power, shift)
    single = requantizers.tflite(x, power, shift, single=True)
    even = requantizers.hawq(x, 1, 5)
    up = requantizers.ita(x, 1, 5)
    assert (single == up).all()
    assert (up != even).sum() == 128
    assert (double != single).sum() > 0 and abs(double - single).max() == 1
    assert (double != even).sum() > 0
    exact = [math.floor(Fraction(int(n), 32) + Fraction(1, 2)) for n in x]
    assert up.tolist() == exact


def test_srdhm_truncates_after_its_nudge():
    for a, b in itertools.product((-(1 << 31), -7, -1, 0, 1, 7, (1 << 31) - 1), repeat=2):
        product = a * b + ((1 << 30) if a * b >= 0 else 1 - (1 << 30))
        wanted = min(abs(product) // (1 << 31) * (1 if product >= 0 else -1), (1 << 31) - 1)
        assert requantizers.srdhm(np.array([a]), b).tolist() == [wanted]


def recipe(x, multiplier, shift):
    """MultiplyByQuantizedMultiplier of TensorFlow Lite with gemmlowp's fixedpoint.h, its masks and
    thresholds, in 64-bit integers as they are there."""
    product = np.int64(x << max(shift, 0)) * np.int64(multiplier)
    nudge = np.where(product >= 0, np.int64(1 << 30), np.int64(1 - (1 << 30)))
    doubled = product + nudge
    high = np.where(doubled >= 0, doubled >> 31, -(-doubled >> 31))  # C truncates
    exponent = max(-shift, 0)
    mask = np.int64((1 << exponent) - 1)
    threshold = (mask >> 1) + (high < 0)
    return (high >> exponent) + ((high & mask) > threshold)


@pytest.mark.parametrize("shift", [3, 0, -1, -4, -12, -31])
def test_tflite_is_its_published_integer_recipe_at_ties_and_powers_of_two(shift):
    rng = np.random.default_rng(1)
    limit = (1 << 31) >> max(shift, 0)
    x = np.concatenate([np.arange(-9000, 9000), rng.integers(-limit, limit, 2000), [-limit]])
    for multiplier in (1 << 30, (1 << 30) + 1, 3 << 29, (1 << 31) - 1):
        found = requantizers.tflite(x, multiplier, shift)
        assert found.tolist() == recipe(x, multiplier, shift).tolist()


def test_i_vits_published_gelu_is_ruined_by_its_reciprocal():
    """Relative to the row's maximum and limited to 2**31 - 1; of 16 bits nothing is left."""
    q, scale = np.arange(-32768, 32768, 97), 4 / 32767
    wanted = gelu.gelu(q * scale)
    published, of_published = gelu.shift_gelu(q, scale, width=16, n=23, row=True)
    fixed, of_fixed = gelu.shift_gelu(q, scale, width=16)
    assert abs(published.astype(float) * of_published - wanted).max() > 1
    assert abs(fixed.astype(float) * of_fixed - wanted).max() < 0.03


def test_a_dyadic_scale_fits_31_bits():
    for scale in (1e-5, 0.3, 1.0, math.nextafter(1.0, 0), 7.5):
        b, c = requantizers.dyadic(scale)
        assert b < 1 << 31 and abs(b / 2**c - scale) <= scale * 2**-30


@pytest.mark.parametrize("interleaved", [False, True])
def test_a_rotation_keeps_lengths_and_dot_products_of_distances(interleaved):
    rng = np.random.default_rng(1)
    x = rng.integers(-80, 80, (16, 8))
    table = elementwise.rope_table(16, 8)
    y = elementwise.rope(x, *table, format=Format(12), interleaved=interleaved)
    assert (y[0] == x[0]).all()
    assert abs(np.hypot.reduce(y, axis=1) - np.hypot.reduce(x, axis=1)).max() < 2
    same = np.tile(x[0], (16, 1))
    turned = elementwise.rope(same, *table, format=Format(12), interleaved=interleaved)
    dots = turned @ turned.T
    for distance in range(1, 4):
        of = np.diagonal(dots, distance)
        assert np.ptp(of) <= 0.01 * abs(dots[0, 0]) + 8


def test_a_residual_is_rounded_once_or_by_branch():
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    of = {"of_a": (3, 3), "of_b": (5, 4), "format": INT8}
    once = elementwise.residual(a, b, **of)
    exact = np.floor(a * 3 / 8 + b * 5 / 16 + 0.5)
    assert (once == np.clip(exact, -128, 127)).all()
    twice = elementwise.residual(a, b, **of, once=False)
    assert abs(once - twice).max() == 1


def test_roundings_of_scaled_values():
    values = np.arange(-20, 20)
    for rounding in (Rounding.HALF_UP, Rounding.HALF_EVEN, Rounding.FLOOR):
        exact = {
            Rounding.FLOOR: lambda x: math.floor(x),
            Rounding.HALF_UP: lambda x: math.floor(x + Fraction(1, 2)),
            Rounding.HALF_EVEN: round,
        }[rounding]
        assert integers.scaled(values, 3, 2, rounding).tolist() == [
            exact(Fraction(3 * int(v), 4)) for v in values
        ]
