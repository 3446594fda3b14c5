"""Layers of two variables."""

import numpy as np

from ...errors import plain
from ..layers import Contraction, Layer, Merge, Select
from ..layers.merging import OPERATIONS
from .common import common, fixed, input_format, refuse
from .einsum import Recipe


def merge(node) -> list[Layer]:
    operation = str(node.get_attr("op")).lower()
    if operation not in OPERATIONS:
        allowed = ", ".join(OPERATIONS)
        raise refuse(node, f"the operation {plain(operation)} is none", f"allowed are {allowed}")
    if len(node.inputs) != 2:
        raise refuse(node, f"has {len(node.inputs)} inputs", "merge two at a time")
    return [Merge(**common(node), operation=operation)]


def concatenate(node) -> list[Layer]:
    shapes = [tuple(node.get_input_variable(name).shape) for name in node.inputs]
    axis = int(node.get_attr("axis"))
    axis = axis - 1 if axis > 0 else axis  # hls4ml counts the samples' axis
    sizes = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    parts = [np.arange(a, b).reshape(shape)
             for a, b, shape in zip(sizes[:-1], sizes[1:], shapes, strict=True)]  # fmt: skip
    return [Select(**common(node), index=np.concatenate(parts, axis=axis).ravel())]


def dot(node) -> list[Layer]:
    accum = fixed(node, node.get_attr("accum_t").precision, "accum")
    count = int(node.get_input_variable().size())
    return [Contraction(**common(node), batches=1, contracted=count, cast_products=True,
                        accum=accum)]  # fmt: skip


def einsum(node) -> list[Layer]:
    """Both sources transposed to matrices of rows, contracted, and transposed back."""
    shapes = [tuple(node.get_input_variable(name).shape) for name in node.inputs]
    recipe = Recipe.of(node, *shapes)
    layers, names = [], []
    for at, (name, order) in enumerate(zip(node.inputs, recipe.orders, strict=True)):
        index = np.arange(int(np.prod(shapes[at]))).reshape(shapes[at]).transpose(order)
        rows = f"{node.name}_{'ab'[at]}"
        layers.append(Select(rows, name, index.shape, input_format(node, at), index.ravel()))
        names.append(layers[-1].name)
    values = common(node)
    accum = fixed(node, node.get_attr("accum_t").precision, "accum")
    layers.append(
        Contraction(
            f"{node.name}_rows", tuple(names), recipe.matrix_shape, values["result"],
            recipe.batches, recipe.contracted, False, accum,
        )
    )  # fmt: skip
    return [*layers, Select(**values | {"sources": (layers[-1].name,)}, index=recipe.back)]
