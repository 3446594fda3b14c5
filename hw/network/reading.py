"""From hls4ml's ModelGraph to layers with integer weights.

hls4ml's own front ends and flows have parsed, fused and typed the model; here its layers are read
by name and attribute, so that this file needs no hls4ml. What has no place in an unrolled pipeline
is refused, by layer, with the reason and what to change.
"""

from dataclasses import replace

import numpy as np

from ..errors import ConfigError, plain
from ..fixed import Fixed, FixedOverflow, FixedRounding
from .layers import Affine, Cast, Dense, Input, Layer, Network, Relu, Reshape

READ = "Input, Dense, EinsumDense, BatchNormalization, ReLU, linear, quantizers, Reshape"


def read(model) -> Network:
    """The layers of a ModelGraph whose ``optimize`` flow has run.

    Raises :class:`ConfigError` for a model that cannot be built.
    """
    inputs, outputs = model.get_input_variables(), model.get_output_variables()
    for what, found in (("inputs", inputs), ("outputs", outputs)):
        if len(found) != 1:
            raise ConfigError(
                f"model: has {len(found)} {what}; allowed is one: concatenate them, or split the "
                "model"
            )
    owners = {name: each.name for each in model.get_layers() for name in each.outputs}
    layers: dict[str, Layer] = {}
    for node in model.get_layers():
        layer = _layer(node)
        if layer.source is not None:
            layer = replace(layer, source=owners.get(layer.source, layer.source))
        if isinstance(layer, Reshape) and layer.source in layers:
            # hls4ml gives the node a type of its own, but its C++ a variable of the source's.
            layer = replace(layer, result=layers[layer.source].result)
        layers[layer.name] = layer
    output = owners.get(model.outputs[0], model.outputs[0])
    return Network(model.config.get_project_name(), tuple(layers.values()), output)


def refuse(node, reason: str, change: str) -> ConfigError:
    return ConfigError(f"layer {plain(node.name)} ({plain(node.class_name)}): {reason}; {change}")


def _layer(node) -> Layer:
    kind = node.class_name
    readers = {
        "Input": _input, "InputLayer": _input, "Dense": _dense, "QDense": _dense,
        "EinsumDense": _einsum, "BatchNormalization": _affine, "QBatchNormalization": _affine,
        "ApplyAlpha": _affine, "Activation": _activation, "QActivation": _activation,
        "ReLU": _activation, "FixedPointQuantizer": _quantizer,
        "HGQ>FixedPointQuantizer": _quantizer, "Reshape": _reshape, "Flatten": _reshape,
    }  # fmt: skip
    if kind not in readers:
        hint = (
            "leave it out and take the logits (hls4ml: its Skip; `matweave import`: --logits)"
            if kind == "Softmax"
            else f"use layers of {READ}"
        )
        raise refuse(node, "cannot be unrolled yet", hint)
    return readers[kind](node)


def _common(node) -> dict:
    variable = node.get_output_variable()
    shape = tuple(int(each) for each in variable.shape)
    source = node.inputs[0] if node.inputs and node.class_name not in _INPUTS else None
    return {
        "name": node.name,
        "source": source,
        "shape": shape,
        "result": fixed(node, variable.type.precision, "result"),
    }


_INPUTS = ("Input", "InputLayer")


def fixed(node, precision, what: str) -> Fixed:
    """An hls4ml precision as a :class:`Fixed`."""
    hint = "give it an ap_fixed or ap_int type in hls_config"
    if not _is(precision, "FixedPrecisionType", "IntegerPrecisionType"):
        raise refuse(node, f"{what} type {plain(precision)} is not fixed point", hint)
    if precision.saturation_bits:
        raise refuse(node, f"{what} type {plain(precision)} has saturation bits", "use none")
    parts = precision.width, precision.integer, precision.signed
    modes = precision.rounding_mode or "TRN", precision.saturation_mode or "WRAP"
    return _format(node, *parts, *modes, f"{what} type {plain(precision)}")


def _format(node, width, integer, signed, rounding, overflow, what: str) -> Fixed:
    """``what``: how to call it, if there can be no such format."""
    try:
        modes = FixedRounding[str(rounding)], FixedOverflow[str(overflow)]
        return Fixed(int(width), int(integer), bool(signed), *modes)
    except KeyError as error:
        allowed = [*FixedRounding.__members__, *FixedOverflow.__members__]
        reason = f"{what} has the mode {plain(error)}"
        raise refuse(node, reason, f"allowed are {', '.join(allowed)}") from None
    except ValueError as error:
        hint = "give it another type in hls_config, or train it with fewer bits"
        raise refuse(node, f"{what}: {plain(error)}", hint) from None


def _is(precision, *names: str) -> bool:
    """Whether it is one of hls4ml's types of these names; other backends subclass them."""
    return any(kind.__name__ in names for kind in type(precision).__mro__)


def _weights(node, name: str) -> tuple[np.ndarray, Fixed]:
    """Raw weights in their format; hls4ml keeps them as the floats they were.

    It writes them into its C++ with as many decimals as the format has fraction bits
    (``WeightVariable.update_precision``), before they are cast. What the format holds is not
    changed by that; what it does not hold is rounded twice, here as there.
    """
    variable = node.weights[name]
    to = fixed(node, variable.type.precision, name)
    data = np.asarray(variable.data, np.float64)
    if not np.isfinite(data).all():
        raise refuse(node, f"{name} has values that are not finite", "train it again")
    decimals = max(to.fraction, 0)
    written = [float(f"{value:.{decimals}f}") for value in data.ravel()]
    return raw(np.reshape(written, data.shape), to), to


def raw(data: np.ndarray, to: Fixed) -> np.ndarray:
    """Floats as raw integers of ``to``, as ap_fixed's constructor makes them: exact."""
    flat = [_raw(float(value), to) for value in data.ravel()]
    return np.array(flat, np.int64).reshape(data.shape)


def _factors(node, name: str) -> tuple[np.ndarray, Fixed]:
    """Weights as hls4ml multiplies by them: its ``product_type`` takes those of ``int<2>`` for
    ternary, and its ternary product takes -2 for 1 (``nnet_mult.h``)."""
    raw, to = _weights(node, name)
    precision = node.weights[name].type.precision
    ternary = _is(precision, "IntegerPrecisionType") and precision.width == 2 and precision.signed
    return (np.where(raw == -2, 1, raw) if ternary else raw), to


def _raw(value: float, to: Fixed) -> int:
    numerator, denominator = value.as_integer_ratio()
    numerator <<= max(to.fraction, 0)
    denominator <<= max(-to.fraction, 0)
    floor, rest = divmod(numerator, denominator)
    above, tie = 2 * rest > denominator, 2 * rest == denominator
    up = {
        FixedRounding.TRN: False,
        FixedRounding.TRN_ZERO: rest > 0 and value < 0,
        FixedRounding.RND: above or tie,
        FixedRounding.RND_ZERO: above or (tie and value < 0),
        FixedRounding.RND_INF: above or (tie and value >= 0),
        FixedRounding.RND_MIN_INF: above,
        FixedRounding.RND_CONV: above or (tie and floor % 2 == 1),
    }[to.rounding]
    result = floor + up
    if to.min <= result <= to.max:
        return result
    if to.overflow is FixedOverflow.WRAP:
        least = to.min
        return (result - least) % (1 << to.width) + least
    if to.overflow is FixedOverflow.SAT_ZERO:
        return 0
    return min(max(result, to.min), to.max)


def _input(node) -> Input:
    return Input(**_common(node))


def _dense(node) -> Dense:
    common = _common(node)
    if len(common["shape"]) != 1:
        raise refuse(node, f"has outputs of shape {common['shape']}", "flatten its input first")
    return _matrix(node, common, *_factors(node, "weight"))


def _einsum(node) -> Dense:
    """``c,cC->C``, in whatever letters: a vector times a matrix."""
    equation = node.get_attr("equation").replace(" ", "")
    left, _, out = equation.partition("->")
    x, _, w = left.partition(",")
    if not (len(x) == len(out) == 1 and w in (x + out, out + x)):
        raise refuse(
            node, f"the equation {plain(equation)} is not a vector times a matrix",
            "use Dense on a flat input",
        )  # fmt: skip
    weight, to = _factors(node, "weight")
    weight = weight.T if w == out + x else weight  # as the model has it: hls4ml's backends turn it
    return _matrix(node, _common(node), weight, to)


def _matrix(node, common, weight, weight_format):
    strategy, reuse = node.get_attr("strategy") or "latency", node.get_attr("reuse_factor") or 1
    if strategy.lower() != "latency":
        raise refuse(node, f"Strategy is {plain(strategy)}", "allowed is Latency: all is unrolled")
    if int(reuse) != 1:
        raise refuse(node, f"ReuseFactor is {plain(reuse)}", "allowed is 1: all is unrolled")
    bias, bias_format = _weights(node, "bias")
    bias = bias.ravel() if bias.size > 1 else np.resize(bias, int(np.prod(common["shape"])))
    accum = fixed(node, node.get_attr("accum_t").precision, "accum")
    return Dense(
        **common, weight=weight, weight_format=weight_format, bias=bias,
        bias_format=bias_format, accum=accum,
    )  # fmt: skip


def _affine(node) -> Affine:
    common = _common(node)
    size = int(np.prod(common["shape"]))
    scale, scale_format = _factors(node, "scale")
    bias, bias_format = _weights(node, "bias")
    if size % scale.size or size % bias.size:
        raise refuse(node, f"has {scale.size} scales for {size} values", "use one per channel")
    return Affine(
        **common,
        scale=np.resize(scale.ravel(), size), scale_format=scale_format,
        bias=np.resize(bias.ravel(), size), bias_format=bias_format,
    )  # fmt: skip


def _activation(node) -> Layer:
    kind = node.get_attr("activation", "").lower()
    common = _common(node)
    if kind == "relu":
        return Relu(**common)
    if kind == "linear":
        return Cast(**common, formats=(common["result"],) * int(np.prod(common["shape"])))
    raise refuse(node, f"the activation {plain(kind)} cannot be unrolled yet", "use relu or linear")


def _quantizer(node) -> Cast:
    common = _common(node)
    shape = common["shape"]
    k, b, i = (np.broadcast_to(np.asarray(each)[0] if np.ndim(each) > len(shape) else each, shape)
               for each in node.mask_kbi)  # fmt: skip
    formats = tuple(
        _format(node, width, integer, sign, node.RND, node.SAT, "a value's type")
        if width > 0 else None
        for sign, width, integer in zip(k.ravel(), b.ravel(), i.ravel(), strict=True)
    )  # fmt: skip
    return Cast(**common, formats=formats)


def _reshape(node) -> Reshape:
    return Reshape(**_common(node))
