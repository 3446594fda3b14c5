"""Layers that multiply by constants."""

import numpy as np

from ...errors import plain
from ..layers import Affine, Dense, Layer, Select
from .common import common, factors, fixed, input_format, refuse, weights
from .einsum import Recipe

STRATEGIES = ("latency", "resource")


def dense(node) -> list[Layer]:
    values = common(node)
    if len(values["shape"]) != 1:
        raise refuse(node, f"has outputs of shape {values['shape']}", "flatten its input first")
    return [Dense(**matrix(node, values, *factors(node, "weight")))]


def einsum(node) -> list[Layer]:
    """Rows of the source, of which each batch has a matrix of its own."""
    weight, to = factors(node, "weight")
    shape = tuple(int(each) for each in node.get_input_variable().shape)
    recipe = Recipe.of(node, shape, weight.shape)
    (first, second), batches = recipe.orders, recipe.batches
    weight = weight.transpose(second).reshape(batches, -1, recipe.contracted).swapaxes(1, 2)
    # Rows in the order (rows, batches), so that row r takes matrix r % batches.
    index = np.arange(np.prod(shape)).reshape(shape).transpose(first)
    index = index.reshape(batches, -1, recipe.contracted).swapaxes(0, 1)
    rows, outputs = recipe.rows
    made = np.arange(batches * rows * outputs).reshape(rows, batches, outputs)
    back = made.swapaxes(0, 1).ravel()[recipe.back]

    values, source = common(node), node.inputs[0]
    layers: list[Layer] = []
    if not _is_order(index):
        layers.append(
            Select(f"{node.name}_rows", source, index.shape, input_format(node), index.ravel())
        )
        source = layers[-1].name
    last = _is_order(back)
    name = node.name if last else matrix_name(node)
    of_rows = values | {"name": name, "sources": (source,), "shape": (rows, batches, outputs)}
    made = matrix(node, values if last else of_rows, weight, to) | {"sources": (source,)}
    made["bias"] = made["bias"][np.argsort(back)]  # it has the shape of the result
    layers.append(Dense(**made))
    return layers if last else [*layers, Select(**values | {"sources": (name,)}, index=back)]


def matrix_name(node) -> str:
    """Of a layer's Dense, where that is not the layer's last part."""
    return f"{node.name}_matrix"


def _is_order(index) -> bool:
    return np.array_equal(index.ravel(), np.arange(index.size))


def matrix(node, values, weight, weight_format) -> dict:
    """The fields of a :class:`Dense` of that weight; its bias repeats along the last axis."""
    strategy = (node.get_attr("strategy") or "latency").lower()
    if strategy not in STRATEGIES:
        allowed = " and ".join(each.capitalize() for each in STRATEGIES)
        raise refuse(node, f"Strategy is {plain(strategy)}", f"allowed are {allowed}")
    bias, bias_format = weights(node, "bias")
    shape = tuple(int(each) for each in node.get_output_variable().shape)
    size = int(np.prod(shape))
    bias = bias.ravel() if bias.size in (1, size) else np.broadcast_to(bias, shape).ravel()
    accum = fixed(node, node.get_attr("accum_t").precision, "accum")
    return values | {
        "weight": weight, "weight_format": weight_format, "bias": np.resize(bias, size),
        "bias_format": bias_format, "accum": accum,
    }  # fmt: skip


def affine(node) -> list[Layer]:
    values = common(node)
    size = int(np.prod(values["shape"]))
    scale, scale_format = factors(node, "scale")
    bias, bias_format = weights(node, "bias")
    if size % scale.size or size % bias.size:
        raise refuse(node, f"has {scale.size} scales for {size} values", "use one per channel")
    return [
        Affine(
            **values,
            scale=np.resize(scale.ravel(), size), scale_format=scale_format,
            bias=np.resize(bias.ravel(), size), bias_format=bias_format,
        )
    ]  # fmt: skip
