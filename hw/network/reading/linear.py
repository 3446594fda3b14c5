"""Layers that multiply by constants."""

import numpy as np

from ...errors import plain
from ..layers import Affine, Dense, Layer
from .common import common, factors, fixed, refuse, weights


def dense(node) -> list[Layer]:
    values = common(node)
    if len(values["shape"]) != 1:
        raise refuse(node, f"has outputs of shape {common['shape']}", "flatten its input first")
    return [_matrix(node, values, *factors(node, "weight"))]


def einsum(node) -> list[Layer]:
    """``c,cC->C``, in whatever letters: a vector times a matrix."""
    equation = node.get_attr("equation").replace(" ", "")
    left, _, out = equation.partition("->")
    x, _, w = left.partition(",")
    if not (len(x) == len(out) == 1 and w in (x + out, out + x)):
        raise refuse(
            node, f"the equation {plain(equation)} is not a vector times a matrix",
            "use Dense on a flat input",
        )  # fmt: skip
    weight, to = factors(node, "weight")
    # hls4ml keeps the kernel as (in place, contracted, free).
    sizes = node.get_input_variable().size(), node.get_output_variable().size()
    return [_matrix(node, common(node), weight.reshape(sizes), to)]


def _matrix(node, values, weight, weight_format):
    strategy, reuse = node.get_attr("strategy") or "latency", node.get_attr("reuse_factor") or 1
    if strategy.lower() != "latency":
        raise refuse(node, f"Strategy is {plain(strategy)}", "allowed is Latency: all is unrolled")
    if int(reuse) != 1:
        raise refuse(node, f"ReuseFactor is {plain(reuse)}", "allowed is 1: all is unrolled")
    bias, bias_format = weights(node, "bias")
    bias = np.resize(bias, int(np.prod(values["shape"])))  # of every row
    accum = fixed(node, node.get_attr("accum_t").precision, "accum")
    return Dense(
        **values, weight=weight, weight_format=weight_format, bias=bias,
        bias_format=bias_format, accum=accum,
    )  # fmt: skip


def affine(node) -> list[Layer]:
    values = common(node)
    size = int(np.prod(values["shape"]))
    scale, scale_format = factors(node, "scale")
    bias, bias_format = weights(node, "bias")
    if size % scale.size or size % bias.size:
        raise refuse(node, f"has {scale.size} scales for {size} values", "use one per channel")
    return [Affine(
        **values,
        scale=np.resize(scale.ravel(), size), scale_format=scale_format,
        bias=np.resize(bias.ravel(), size), bias_format=bias_format,
    )]  # fmt: skip
