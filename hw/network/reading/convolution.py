"""Convolutions and pooling, as matrices and windows of patches; channels come last."""

import numpy as np

from ..layers import Dense, Layer, Pool, Select
from .common import common, factors, fixed, input_format, refuse
from .linear import matrix


def windows(node, heights, widths) -> np.ndarray:
    """Places of what each position's window covers, -1 outside: (rows, columns, window rows, window
    columns, channels). ``heights``, ``widths``: (input, results, window, stride, before)."""
    places = []
    for size, results, window, stride, before in (heights, widths):
        at = np.arange(results)[:, None] * stride + np.arange(window) - before
        places.append(np.where((at < 0) | (at >= size), -1, at))
    rows, columns = places
    channels = _channels(node)
    row, column = rows[:, None, :, None, None], columns[None, :, None, :, None]
    place = (row * widths[0] + column) * channels + np.arange(channels)
    return np.where((row < 0) | (column < 0), -1, place)


def _channels(node) -> int:
    return int(node.get_input_variable().shape[-1])


def _extents(node, prefix):
    """Height (1 of one dimension) and width, as :func:`windows` takes them."""
    if (node.get_attr("data_format") or "channels_last") != "channels_last":
        raise refuse(node, "has its channels first", "put them last (channels_last)")
    shape, out = node.get_input_variable().shape, node.get_output_variable().shape
    flat = len(shape) == 2
    before = int(node.get_attr("pad_left") or 0)
    width = (int(shape[-2]), int(out[-2]), int(node.get_attr(f"{prefix}_width")),
             int(node.get_attr("stride_width")), before)  # fmt: skip
    if flat:
        return (1, 1, 1, 1, 0), width
    before = int(node.get_attr("pad_top") or 0)
    height = (int(shape[0]), int(out[0]), int(node.get_attr(f"{prefix}_height")),
              int(node.get_attr("stride_height")), before)  # fmt: skip
    return height, width


def _patches(node, places) -> tuple[list[Layer], str]:
    """A layer that puts the values in the order of ``places``, if it must; and its name."""
    source, index = node.inputs[0], places.ravel()
    if np.array_equal(index, np.arange(node.get_input_variable().size())):
        return [], source
    name = f"{node.name}_patches"
    shape = (int(np.prod(places.shape[:2])), index.size // int(np.prod(places.shape[:2])))
    return [Select(name, source, shape, input_format(node), index)], name


def convolution(node) -> list[Layer]:
    """Every position's patch, in the order (rows, columns, channels), times the kernel."""
    for name in ("dilation_width", "dilation_height"):
        if int(node.get_attr(name) or 1) != 1:
            raise refuse(node, "is dilated", "use a dilation of 1")
    places = windows(node, *_extents(node, "filt"))
    weight, to = factors(node, "weight")
    return _of_patches(node, places, weight.reshape(-1, weight.shape[-1]), to)


def depthwise(node) -> list[Layer]:
    """Every channel of every position by itself."""
    places = windows(node, *_extents(node, "filt"))
    channels = places.shape[-1]
    if int(node.get_output_variable().shape[-1]) != channels:
        raise refuse(node, "has a depth multiplier", "allowed is 1, as in hls4ml")
    weight, to = factors(node, "weight")
    weight = weight.reshape(-1, channels).T[:, :, None]  # (channels, window, 1)
    places = places.reshape(*places.shape[:2], -1, channels).swapaxes(2, 3)
    return _of_patches(node, places, weight, to)


def _of_patches(node, places, weight, to) -> list[Layer]:
    before, source = _patches(node, places)
    values = common(node) | {"sources": (source,)}
    return [*before, Dense(**matrix(node, values, weight, to))]


def pooling(node) -> list[Layer]:
    return [_pool(node, windows(node, *_extents(node, "pool")), bool(node.get_attr("count_pad")))]


def global_pooling(node) -> list[Layer]:
    if (node.get_attr("data_format") or "channels_last") != "channels_last":
        raise refuse(node, "has its channels first", "put them last (channels_last)")
    places = np.arange(node.get_input_variable().size()).reshape(1, 1, -1, 1, _channels(node))
    return [_pool(node, places, True)]


def _pool(node, places, count_outside) -> Layer:
    """One window per position and channel."""
    channels = places.shape[-1]
    index = places.reshape(*places.shape[:2], -1, channels).swapaxes(2, 3)
    index = index.reshape(-1, index.shape[-1])
    inside = (index >= 0).sum(axis=1)
    if not inside.all():
        raise refuse(node, "has windows that lie outside of its input", "pad it less")
    source = input_format(node)
    # hls4ml sets the highest bit, also of a type without a sign.
    highest = -(1 << (source.width - 1)) if source.signed else 1 << (source.width - 1)
    return Pool(
        **common(node), operation=str(node.get_attr("pool_op")).lower(), index=index,
        counts=np.full(len(index), index.shape[1]) if count_outside else inside,
        padding=highest, accum=fixed(node, node.get_attr("accum_t").precision, "accum"),
    )  # fmt: skip
