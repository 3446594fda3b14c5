"""Models drawn from a seed, whose activations are neither all 0 nor all at their bounds."""

import dataclasses
import math

import numpy as np

from matweave.hw.attention.shape import MAX_SHIFT
from matweave.hw.transformer.config import EncoderConfig
from matweave.hw.transformer.sizes import GAIN, GATE_BITS, NORM_BIAS, SUM_BITS

from ..attention.jobs import logit_scale, result_scale
from ..cases import VALUES, values
from ..golden.attention.streaming import Scale
from ..golden.requantize import MULTIPLIER_MAX, SHIFT_MAX
from ..golden.transformer import Dense, Layer, Parameters, SumNorm


def parameters(config: EncoderConfig, rng, *, corners: bool = False) -> Parameters:
    """A model for the engine of ``config``; with ``corners`` weights of the corner classes, and
    scales at their bounds now and then."""
    model = config.model
    table = rng.integers(
        config.activation.min, config.activation.max, config.sizes.entries, endpoint=True
    )
    layers = []
    for _ in range(model.layers):
        products = {
            name: _dense(config, size, rng, corners) for name, size in config.sizes.products.items()
        }
        gated = {"gated": _gated(config, rng, corners)} if model.gated else {}
        layers.append(
            Layer(
                **products,
                **gated,
                logit=logit_scale(config.attend, "huge" if corners else "random", rng),
                scale=dataclasses.replace(result_scale(config.attend, rng), zero_point=0),
                norm_attention=_norm(config, rng, corners),
                norm_hidden=_norm(config, rng, corners),
            )
        )
    first = _norm(config, rng, corners) if model.order == "pre" else None
    return Parameters(table, tuple(layers), first, _angles(config, rng))


def _angles(config: EncoderConfig, rng) -> np.ndarray | None:
    """Any, not those of positions; some turn by nothing, or by a quarter."""
    if not config.sizes.rotary:
        return None
    quarters = rng.uniform(0, 4, (config.model.context, config.model.head // 2))
    turns = np.where(rng.integers(4, size=quarters.shape), quarters, np.rint(quarters)) * np.pi / 2
    return np.rint(np.stack([np.cos(turns), np.sin(turns)], axis=-1) * 2**14).astype(np.int64)


def _dense(config: EncoderConfig, size: tuple[int, int], rng, corners: bool) -> Dense:
    (inputs, outputs), weight = size, config.weight_format
    kind = rng.choice(VALUES) if corners else "random"
    # A random sum is of about this size, and a third of the format is wanted.
    sums = math.sqrt(inputs) * config.activation.max * weight.max / 3
    wanted = config.activation.max / 2
    shift = round(30 + math.log2(max(sums / wanted, 1)))
    multiplier = rng.integers(1 << 30, MULTIPLIER_MAX, outputs, endpoint=True)
    shifts = np.full(outputs, shift) + rng.integers(0, 2, outputs)
    if corners:
        at = rng.integers(outputs)
        multiplier[at], shifts[at] = rng.choice([0, 1, MULTIPLIER_MAX]), rng.choice([0, SHIFT_MAX])
    most = max(1, int(sums))
    return Dense(
        weights=values(weight, kind, size, rng),
        bias=rng.integers(-most, most, outputs, endpoint=True),
        multiplier=multiplier,
        shift=shifts,
    )


def _gated(config: EncoderConfig, rng, corners: bool) -> Scale:
    """Products of activations of the usual size become such, or now and then anything."""
    if corners:
        return Scale(int(rng.choice([0, 1, (1 << GATE_BITS) - 1])), int(rng.integers(MAX_SHIFT)))
    multiplier = int(rng.integers(1 << (GATE_BITS - 1), 1 << GATE_BITS))
    return Scale(multiplier, GATE_BITS + config.activation.width - 3)


def _norm(config: EncoderConfig, rng, corners: bool) -> SumNorm:
    activation = config.activation
    channels = config.model.width if config.sizes.normed else 0
    most = (1 << SUM_BITS) - 1
    low, high = (GAIN.min, GAIN.max) if corners else (GAIN.max // 4, GAIN.max)
    # Numbers of up to four standard deviations, with seven fraction bits, times the gain.
    shift = max(0, 15 + 7 + 2 - (activation.width - 1))
    bias = min(NORM_BIAS.max, activation.max << shift >> 1)
    return SumNorm(
        of_x=int(rng.integers(most // 4, most + 1)),
        of_y=int(rng.choice([0, most])) if corners else int(rng.integers(most // 4, most + 1)),
        shift=16,
        gain_shift=shift,
        gain=rng.integers(low, high, channels, endpoint=True),
        bias=rng.integers(-bias - 1, bias, channels, endpoint=True),
    )
