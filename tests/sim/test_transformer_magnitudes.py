"""Weights and samples of magnitudes that no scale holds."""

import numpy as np
import pytest

from matweave.hw import config
from matweave.sim.transformer import floating, ranges
from matweave.sim.transformer.calibration import calibrate


@pytest.mark.parametrize(("of_weights", "of_samples"), [(1e200, 1), (1e-300, 1), (1, 1e-200)])
def test_magnitudes_beyond_any_scale_are_refused(of_weights, of_samples):
    settings, rng = config.load("tiny_encoder"), np.random.default_rng(1)
    tensors = {
        name: rng.normal(size=shape) * of_weights
        for name, shape in floating.shapes(settings).items()
    }
    with pytest.raises(ValueError, match="scale weights and samples"):
        calibrate(settings, tensors, rng.normal(size=(2, 3, 8)) * of_samples)


def test_large_projections_give_parameters_in_range():
    settings, rng = config.load("tiny_encoder"), np.random.default_rng(2)
    tensors = {name: rng.normal(size=s) for name, s in floating.shapes(settings).items()}
    tensors["layers.0.self_attn.in_proj_weight"] *= 1e20
    found = calibrate(settings, tensors, rng.normal(size=(2, 3, 8)))
    ranges.check(settings, found.parameters)


def test_a_bias_beyond_its_accumulator_is_refused():
    settings, rng = config.load("tiny_encoder"), np.random.default_rng(3)
    tensors = {name: rng.normal(size=s) for name, s in floating.shapes(settings).items()}
    tensors["layers.0.linear1.bias"][1] = 1e12
    with pytest.raises(ValueError, match=r"the bias 1e\+12 of output 1 is beyond \d+ bits of its"):
        calibrate(settings, tensors, rng.normal(size=(2, 3, 8)))
