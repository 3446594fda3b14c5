"""Convolutions and pools of any window, stride and padding, as layers."""

import dataclasses

import numpy as np

from matweave.hw.fixed import Fixed
from matweave.hw.network.layers import Dense, Input, Merge, Network, Pool, Select

from . import networks

F = Fixed(6, 3)


def places(size, window, stride, before, behind):
    """(results, window): where the windows along one axis are, -1 outside."""
    count = (size + before + behind - window) // stride + 1
    at = np.arange(count)[:, None] * stride + np.arange(window) - before
    return np.where((at < 0) | (at >= size), -1, at)


def patches(shape, rows, columns):
    """(rows, columns, window rows, window columns, channels)."""
    _, width, channels = shape
    row, column = rows[:, None, :, None, None], columns[None, :, None, :, None]
    index = (row * width + column) * channels + np.arange(channels)
    return np.where((row < 0) | (column < 0), -1, index)


def convolution(rng, source, shape, axes, filters, name):
    """Patches and products of all channels; ``axes``: of rows and columns, as :func:`places` takes
    them behind the size."""
    index = patches(shape, *(places(size, *axis) for size, axis in zip(shape, axes, strict=False)))
    count = index.shape[0] * index.shape[1]
    index = index.reshape(count, -1)
    weight, accum = Fixed(3, 3), Fixed(20, 17)
    select = Select(f"{name}_patches", source, index.shape, F, index.ravel())
    dense = Dense(
        name, select.name, (count, filters), F,
        weight=networks.integers(rng, weight, (index.shape[1], filters)), weight_format=weight,
        bias=np.tile(networks.integers(rng, weight, filters), count), bias_format=weight,
        accum=accum,
    )  # fmt: skip
    return [select, dense]


def largest(source, shape, axes, name):
    """A maximum of every window and channel."""
    index = patches(shape, *(places(size, *axis) for size, axis in zip(shape, axes, strict=False)))
    out = *index.shape[:2], shape[-1]
    index = index.reshape(out[0] * out[1], -1, shape[-1]).swapaxes(1, 2)
    index = index.reshape(-1, index.shape[-1])
    return Pool(name, source, out, F, "max", index, np.ones(len(index), int), F.min, F)


def follows(rows, columns):
    """Whether the first window is over before the image is, the last no more than an image later,
    and the next row's first behind a row's last."""
    width = columns[0]
    first = (rows[1] - 1 - rows[3]) * width + columns[1] - 1 - columns[3]
    counts = [len(places(*axis)) - 1 for axis in (rows, columns)]
    span = counts[0] * rows[2] * width + counts[1] * columns[2]
    return first < rows[0] * width > span and rows[2] * width > counts[1] * columns[2]


def image(height=4, width=5, window=3, stride=1, around=1):
    """One convolution of one channel."""
    rng = np.random.default_rng(1)
    axis = (window, stride, around, around)
    layers = convolution(rng, "x", (height, width, 1), (axis, axis), 1, "y")
    return Network("image", (Input("x", None, (height, width, 1), F), *layers), "y")


def dead() -> Network:
    """A convolution of zeros, whose results are constant, and what is made of them; the mean of all
    pixels."""
    rng, axis = np.random.default_rng(2), (3, 1, 1, 1)
    first = convolution(rng, "x", (4, 5, 1), (axis, axis), 1, "first")
    first[1] = dataclasses.replace(first[1], weight=first[1].weight * 0)
    second = convolution(rng, "first", (4, 5, 1), (axis, axis), 1, "second")
    added = Merge("added", ("second", "first"), (20, 1), F, "add")
    mean = Pool(
        "mean", "added", (1,), F, "average", np.arange(20)[None], np.array([20]), 0, Fixed(20, 15)
    )
    layers = (Input("x", None, (4, 5, 1), F), *first, *second, added, mean)
    return Network("dead", layers, "mean")


def chain(seed: int) -> Network:
    """A few convolutions and maxima of any kind on a small image, sums of what has as many pixels;
    the result is an image, its mean or a Dense of all of it."""
    rng = np.random.default_rng(seed)
    shape = (*map(int, rng.integers(3, 8, 2)), 1)
    layers, alike = [Input("x", None, shape, F)], {"x": shape}
    for number in range(int(rng.integers(1, 4))):
        name, source = f"y{number}", layers[-1].name
        axes = tuple(_axis(rng, size) for size in shape[:2])
        while not follows(*((size, *axis) for size, axis in zip(shape, axes, strict=False))):
            axes = tuple(_axis(rng, size) for size in shape[:2])
        if rng.integers(3) == 0 and all(
            (places(size, *axis) >= 0).any(axis=1).all()
            for size, axis in zip(shape, axes, strict=False)
        ):
            layers.append(largest(source, shape, axes, name))
        else:
            layers += convolution(rng, source, shape, axes, shape[2], name)
        shape = *(len(places(size, *axis)) for size, axis in zip(shape, axes, strict=False)), 1
        others = [each for each, other in alike.items() if other == shape]
        if others and rng.integers(2):
            name = f"sum{number}"
            other = others[rng.integers(len(others))]
            layers.append(Merge(name, (layers[-1].name, other), shape, F, "add"))
        alike[name] = shape
    size, last = shape[0] * shape[1], layers[-1].name
    kind = rng.integers(3) if size > 1 else 2
    if kind == 0:
        index, accum = np.arange(size)[None], Fixed(20, 15)
        counts = np.array([size])
        layers.append(Pool("mean", last, (1,), F, "average", index, counts, 0, accum))
    elif kind == 1:
        source = dataclasses.replace(layers[-1], shape=(size,))
        layers.append(networks.dense(rng, source, 2, "dense", exact=True))
    return Network(f"chain{seed}", tuple(layers), layers[-1].name)


def _axis(rng, size):
    """A window of at most the axis, its stride and padding of less than the window."""
    window = int(rng.integers(1, min(size, 3) + 1))
    return window, int(rng.integers(1, 3)), *map(int, rng.integers(0, window, 2))
