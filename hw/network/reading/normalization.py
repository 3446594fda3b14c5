"""Normalisation by the values' own mean and variance."""

import numpy as np

from ..layers import Layer, LayerNorm
from .common import common, fixed, raw, refuse, size_of_table, weights
from .functions import FLOAT


def layer_norm(node) -> list[Layer]:
    values = common(node)
    count = int(node.get_attr("n_in")) // int(node.get_attr("seq_len"))
    if values["shape"][-1] != count:
        raise refuse(node, f"normalises {count} values at a time", "normalise the last axis")
    accum, table = (fixed(node, node.get_attr(f"{name}_t").precision, name)
                    for name in ("accum", "table"))  # fmt: skip
    size = size_of_table(node, "table_size", 4096)
    power = int(node.get_attr("table_range_power2", 0))
    scale, of_scale = weights(node, "scale")
    bias, of_bias = weights(node, "bias")
    least = FLOAT(10.0 ** -int(node.get_attr("epsilon_power_of_10")))
    step = FLOAT(2.0**-power) / FLOAT(size)
    x = least + step * FLOAT(np.arange(size))
    contents = raw(1.0 / np.float64(np.sqrt(x)), table)
    return [
        LayerNorm(
            **values, scale=scale.ravel(), scale_format=of_scale, bias=bias.ravel(),
            bias_format=of_bias, accum=accum, inverse=int(raw(np.array([1.0 / count]), accum)[0]),
            table=contents, table_format=table, range_power=power,
        )
    ]  # fmt: skip
