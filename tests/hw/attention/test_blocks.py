"""The small blocks for every input, or many."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from matweave.hw.arith.requantize import Requantizer
from matweave.hw.attention import lookup
from matweave.hw.attention.elementwise import ResidualAdd, Rotate, ScaledProduct
from matweave.hw.attention.gelu import PolynomialGelu
from matweave.hw.attention.shift_gelu import ShiftGelu
from matweave.hw.formats import Format, Rounding
from matweave.sim import ports
from matweave.sim.golden.attention import elementwise, gelu, requantizers

INT8 = Format(8)


def through(dut, latency, inputs, output="o"):
    """What comes out for each cycle's inputs, as a signed number."""
    inputs = {name: [*map(int, values)] + [0] * latency for name, values in inputs.items()}
    found = ports.simulated(dut, inputs)[output][latency:]
    width = dut.signature.members[output].shape.width
    return [x - (1 << width) if x >> (width - 1) == 1 else x for x in found]


@pytest.mark.parametrize("function", ["gelu", "silu"])
def test_a_lookup_has_the_golden_table_s_entry_for_every_input(function):
    q = np.arange(-128, 128)
    table = lookup.entries(getattr(lookup, function), 4 / 127, 3 / 127)
    golden = gelu.table(getattr(gelu, function), 4 / 127, 3 / 127)
    found = through(lookup.Lookup(table=table), 1, {"i": q})
    assert found == gelu.lookup(q, golden).tolist()
    with pytest.raises(ValueError, match="table must have 256 entries, not 3"):
        lookup.Lookup(table=(1, 2, 3))


@pytest.mark.parametrize(("width", "scale", "n"), [(8, 4 / 127, 0), (8, 0.3, 0), (12, 2e-3, 9)])
def test_gelu_by_polynomial_for_every_input(width, scale, n):
    q = np.arange(-(1 << (width - 1)), 1 << (width - 1))
    dut = PolynomialGelu(width=width, scale=scale, n=n)
    golden, of_golden = gelu.i_gelu(q, scale, n=n)
    assert through(dut, dut.latency, {"i": q}) == golden.tolist()
    assert dut.o_scale == pytest.approx(of_golden)


@pytest.mark.parametrize(
    ("width", "scale", "sigmoid"), [(8, 4 / 127, 8), (8, 0.3, 16), (10, 8e-3, 11)]
)
def test_gelu_by_shifts_for_every_input(width, scale, sigmoid):
    q = np.arange(-(1 << (width - 1)), 1 << (width - 1))
    dut = ShiftGelu(width=width, scale=scale, sigmoid=sigmoid)
    golden, of_golden = gelu.shift_gelu(q, scale, width=sigmoid)
    assert through(dut, dut.latency, {"i": q}) == golden.tolist()
    assert dut.o_scale == pytest.approx(of_golden)
    with pytest.raises(ValueError, match="sigmoid must be 2 to 24, not 1"):
        ShiftGelu(width=width, scale=scale, sigmoid=1)


def test_a_rotation_is_the_golden_model_s():
    rng = np.random.default_rng(1)
    cosines, sines = elementwise.rope_table(32, 4)
    x = rng.choice([-128, 127, -1, 0, 55], (32, 4))
    golden = elementwise.rope(x, cosines, sines, format=INT8)
    for name, place in (("o_even", 0), ("o_odd", 2)):
        for pair in (0, 1):
            inputs = {
                "even": x[:, pair], "odd": x[:, pair + 2],
                "cosine": cosines[:, pair], "sine": sines[:, pair],
            }  # fmt: skip
            dut = Rotate(format=INT8)
            assert through(dut, dut.latency, inputs, name) == golden[:, pair + place].tolist()


@pytest.mark.parametrize("rounding", [Rounding.HALF_UP, Rounding.HALF_EVEN])
def test_a_residual_is_rounded_once(rounding):
    pairs = np.array(list(itertools.product((-128, -77, -1, 0, 1, 50, 127), repeat=2)))
    dut = ResidualAdd(format=INT8, rounding=rounding)
    for of_a, of_b, shift in ((1, 1, 1), (3, 5, 4), (65535, 1, 16), (0, 65535, 15)):
        golden = elementwise.residual(
            *pairs.T, of_a=(of_a, shift), of_b=(of_b, shift), format=INT8, rounding=rounding
        )
        constant = {name: [value] * (len(pairs) + dut.latency) for name, value in
                    (("of_a", of_a), ("of_b", of_b), ("shift", shift))}  # fmt: skip
        inputs = {"a": pairs[:, 0], "b": pairs[:, 1]}
        padded = {name: [*map(int, v)] + [0] * dut.latency for name, v in inputs.items()}
        found = ports.simulated(dut, padded | constant)["o"][dut.latency :]
        assert [x - 256 if x > 127 else x for x in found] == golden.tolist()


@pytest.mark.parametrize(("multiplier", "shift"), [(1, 0), (3, 4), (65535, 30), (1, 62), (0, 3)])
def test_a_scaled_product_is_rounded_once(multiplier, shift):
    pairs = np.array(list(itertools.product((-128, -127, -77, -1, 0, 1, 50, 127), repeat=2)))
    golden = elementwise.scaled_product(
        *pairs.T, multiplier=multiplier, shift=shift, format=INT8
    ).tolist()
    exact = [Fraction(int(a) * int(b) * multiplier, 1 << shift) for a, b in pairs]
    assert golden == [min(max(math.floor(x + Fraction(1, 2)), -128), 127) for x in exact]
    dut = ScaledProduct(format=INT8)
    constant = {name: [value] * (len(pairs) + dut.latency) for name, value in
                (("multiplier", multiplier), ("shift", shift))}  # fmt: skip
    inputs = {"a": pairs[:, 0], "b": pairs[:, 1]}
    padded = {name: [*map(int, v)] + [0] * dut.latency for name, v in inputs.items()}
    found = ports.simulated(dut, padded | constant)["o"][dut.latency :]
    assert [x - 256 if x > 127 else x for x in found] == golden


@pytest.mark.parametrize(
    ("rounding", "golden"),
    [
        (Rounding.HALF_EVEN, lambda x: requantizers.hawq(x, 1 << 30, 35)),
        (Rounding.HALF_UP, lambda x: requantizers.tflite(x, 1 << 30, -4, single=True)),
        (Rounding.HALF_UP, lambda x: requantizers.ita(x, 1, 5)),
        (Rounding.TFLITE_DOUBLE, lambda x: requantizers.tflite(x, 1 << 30, -4)),
    ],
    ids=["hawq", "tflite_single", "ita", "tflite_double"],
)
def test_the_requantiser_has_every_published_form_at_its_ties(rounding, golden):
    """A scale of 2**-5: every 32nd number is a tie."""
    x = np.arange(-1100, 1100)
    dut = Requantizer(in_format=Format(32), out_format=Format(16), rounding=rounding)
    inputs = {"i": x, "en": [1] * len(x), "multiplier": [1 << 30] * len(x), "shift": [35] * len(x)}
    padded = {name: [*map(int, v), *[int(v[-1])] * dut.latency] for name, v in inputs.items()}
    found = ports.simulated(dut, padded)["o"][dut.latency :]
    assert [v - 65536 if v > 32767 else v for v in found] == golden(x).tolist()


def test_the_requantiser_takes_narrow_multipliers_and_other_widths():
    rng = np.random.default_rng(1)
    x = rng.integers(-(1 << 21), 1 << 21, 300)
    dut = Requantizer(
        in_format=Format(22), out_format=Format(16), rounding=Rounding.HALF_UP, multiplier_bits=16
    )
    multiplier, shift = rng.integers(0, 1 << 16, 300), rng.integers(0, 40, 300)
    inputs = {"i": x, "en": [1] * 300, "multiplier": multiplier, "shift": shift}
    padded = {name: [*map(int, v), *[int(v[-1])] * dut.latency] for name, v in inputs.items()}
    found = ports.simulated(dut, padded)["o"][dut.latency :]
    exact = [(int(a) * int(b) + (1 << int(s) >> 1)) >> int(s) for a, b, s in
             zip(x, multiplier, shift, strict=True)]  # fmt: skip
    wanted = [min(max(v, -32768), 32767) for v in exact]
    assert [v - 65536 if v > 32767 else v for v in found] == wanted
    for changes in (
        {"in_format": Format(16), "multiplier_bits": 1},
        {"multiplier_bits": 16, "rounding": Rounding.TFLITE_DOUBLE},
        {"multiplier_bits": 16, "multiplier_stages": 2},
    ):
        arguments = {"in_format": Format(32), "out_format": INT8, "rounding": Rounding.FLOOR}
        with pytest.raises(ValueError, match="multiplier"):
            Requantizer(**arguments | changes)
