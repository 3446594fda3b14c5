"""Layers that compute nothing."""

import numpy as np

from ...errors import plain
from ..layers import Layer, Reshape, Select
from .common import common, input_format, refuse


def reshape(node) -> list[Layer]:
    # hls4ml gives the node a type of its own, but its C++ a variable of the source's.
    return [Reshape(**common(node) | {"result": input_format(node)})]


def _places(node) -> np.ndarray:
    shape = tuple(int(each) for each in node.get_input_variable().shape)
    return np.arange(np.prod(shape)).reshape(shape)


def transpose(node) -> list[Layer]:
    order = [int(each) for each in node.get_attr("perm")]
    return [Select(**common(node), index=_places(node).transpose(order).ravel())]


def _margins(node, what: str) -> list[tuple[int, int]]:
    """Before and behind, of each axis but the channels'."""
    if (node.get_attr("data_format") or "channels_last") != "channels_last":
        raise refuse(node, "has its channels first", "put them last (channels_last)")
    sides = [("left", "right")]
    if len(node.get_input_variable().shape) == 3:
        sides = [("top", "bottom"), ("left", "right")]
    return [tuple(int(node.get_attr(f"{what}_{side}") or 0) for side in pair) for pair in sides]


def padding(node) -> list[Layer]:
    margins = [*_margins(node, "pad"), (0, 0)]
    index = np.pad(_places(node), margins, constant_values=-1)
    return [Select(**common(node), index=index.ravel())]


def cropping(node) -> list[Layer]:
    places = _places(node)
    parts = tuple(
        slice(before, size - behind)
        for (before, behind), size in zip(_margins(node, "crop"), places.shape[:-1], strict=True)
    )
    return [Select(**common(node), index=places[parts].ravel())]


def resize(node) -> list[Layer]:
    """Nearest, by hls4ml's ratio of 16 bits."""
    algorithm = node.get_attr("algorithm")
    if algorithm != "nearest":
        raise refuse(node, f"the algorithm {plain(algorithm)} is none", "allowed is nearest")
    places = _places(node)
    out = node.get_output_variable().shape
    for axis, (size, wanted) in enumerate(zip(places.shape[:-1], out, strict=False)):
        ratio = (size << 16) // int(wanted) + 1
        places = places.take((np.arange(int(wanted)) * ratio) >> 16, axis=axis)
    return [Select(**common(node), index=places.ravel())]
