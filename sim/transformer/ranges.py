"""Whether a model is one for an engine: shapes and ranges of every array of it."""

import dataclasses

import numpy as np

from matweave.hw.attention.shape import LOGIT_MULTIPLIER_BITS, MAX_SHIFT
from matweave.hw.transformer.config import EncoderConfig
from matweave.hw.transformer.sizes import ANGLE, GAIN, GATE_BITS, NORM_BIAS, SUM_BITS

from ..golden import lut
from ..golden.arithmetic import checked
from ..golden.gemm import BIAS
from ..golden.requantize import MULTIPLIER_MAX, SHIFT_MAX
from ..golden.transformer import Dense, Layer, Parameters, SumNorm


def check(config: EncoderConfig, parameters: Parameters) -> Parameters:
    """The same with integer arrays.

    Raises :class:`ValueError` with one line for the first thing that the engine cannot take.
    """
    model, activation = config.model, config.activation
    if len(parameters.layers) != model.layers:
        raise ValueError(f"{len(parameters.layers)} layers; this engine has {model.layers}")
    if (parameters.first is not None) != (model.order == "pre"):
        raise ValueError(f"a first norm belongs to order 'pre'; this engine's is '{model.order}'")
    table = checked(
        "table", parameters.table, activation.min, activation.max, (config.sizes.entries,)
    )
    first, sizes = parameters.first, config.sizes
    if (parameters.angles is not None) != sizes.rotary:
        raise ValueError(f"angles belong to rotary positions; this engine's are '{model.rotary}'")
    angles = parameters.angles
    if angles is not None:
        one = 1 << ANGLE.width - 2
        angles = checked("angles", angles, -one, one, (sizes.context, sizes.head // 2, 2))
    return Parameters(
        table=table,
        layers=tuple(
            _layer(f"layers.{number}", config, layer)
            for number, layer in enumerate(parameters.layers)
        ),
        first=None if first is None else _norm("first", config, first),
        angles=angles,
    )


def _layer(name: str, config: EncoderConfig, layer: Layer) -> Layer:
    attention = config.attend.shape
    found = {}
    gated = config.model.gated
    if (layer.gate is not None) != gated or (layer.gated is not None) != gated:
        raise ValueError(
            f"{name}: a gate belongs to gated layers; this engine's are "
            f"{'gated' if gated else 'not'}"
        )
    for part, size in config.sizes.products.items():
        found[part] = _dense(f"{name}.{part}", config, getattr(layer, part), size)
    for part in ("norm_attention", "norm_hidden"):
        found[part] = _norm(f"{name}.{part}", config, getattr(layer, part))
    for part, bits, shift in (
        ("logit", LOGIT_MULTIPLIER_BITS, MAX_SHIFT),
        ("scale", attention.multiplier_bits, attention.max_output_shift),
        *[("gated", GATE_BITS, MAX_SHIFT)] * gated,
    ):
        scale = getattr(layer, part)
        _within(f"{name}.{part}.multiplier", scale.multiplier, (1 << bits) - 1)
        _within(f"{name}.{part}.shift", scale.shift, shift)
        if scale.zero_point:
            raise ValueError(f"{name}.{part}.zero_point is {scale.zero_point}; there is none")
    return dataclasses.replace(layer, **found)


def _dense(name: str, config: EncoderConfig, dense: Dense, size: tuple[int, int]) -> Dense:
    each = (size[1],)
    return Dense(
        weights=lut.weights(f"{name}.weights", dense.weights, config.weight_format, size),
        bias=checked(f"{name}.bias", dense.bias, BIAS.min, BIAS.max, each),
        multiplier=checked(f"{name}.multiplier", dense.multiplier, 0, MULTIPLIER_MAX, each),
        shift=checked(f"{name}.shift", dense.shift, 0, SHIFT_MAX, each),
    )


def _norm(name: str, config: EncoderConfig, step: SumNorm) -> SumNorm:
    for part in ("of_x", "of_y"):
        _within(f"{name}.{part}", getattr(step, part), (1 << SUM_BITS) - 1)
    for part in ("shift", "gain_shift"):
        _within(f"{name}.{part}", getattr(step, part), MAX_SHIFT)
    each = (config.model.width if config.sizes.normed else 0,)
    return dataclasses.replace(
        step,
        gain=checked(f"{name}.gain", step.gain, GAIN.min, GAIN.max, each),
        bias=checked(f"{name}.bias", step.bias, NORM_BIAS.min, NORM_BIAS.max, each),
    )


def _within(name: str, value: int, most: int) -> None:
    if not isinstance(value, int | np.integer) or not 0 <= value <= most:
        raise ValueError(f"{name} is {value}; this engine takes 0 to {most}")
