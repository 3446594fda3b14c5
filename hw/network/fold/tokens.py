"""Which tensors have the tokens' axis, and layers of some tokens only.

A tensor is *serial* along an axis if its tokens can come one after another: its layer treats all
tokens alike, but for formats. All others are *whole*. Of a layer that can be serial, its rule
says whose token each of its values is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .. import layers as kinds
from ..layers import Layer

Axis = int | None
"""Of a tensor, the place of its tokens' axis, or ``None``: it is whole."""
Source = tuple[Layer, Axis]


class Way(NamedTuple):
    """How a layer can be serial: along which ``axis``, and which of its sources, by their numbers,
    it takes token by token; others whole."""

    axis: int
    serial: frozenset[int]


def ways(layer: Layer, sources: Sequence[Source], tokens: int) -> list[Way]:
    """How ``layer`` can be serial, if its ``sources`` are along their axes; a product of two serial
    tensors can be in either's tokens."""
    rule = _RULES.get(type(layer))
    if rule is None or all(axis is None for _, axis in sources):
        return []
    given = [None if axis is None else owners(source.shape, axis) for source, axis in sources]
    found = []
    for serial, own in rule(layer, given):
        for axis, size in enumerate(layer.shape):
            if size == tokens and (owners(layer.shape, axis) == own).all():
                if _alike(layer, axis, sources, tokens):
                    found.append(Way(axis, frozenset(serial)))
                break
    return found


def owners(shape: Sequence[int], axis: int) -> np.ndarray:
    """The token of every value of a tensor that is serial along ``axis``."""
    counts = [1] * len(shape)
    counts[axis] = shape[axis]
    return np.broadcast_to(np.arange(shape[axis]).reshape(counts), shape).ravel()


def chosen(shape: Sequence[int], axis: int, first: int, count: int) -> np.ndarray:
    """The places of the values of tokens ``first`` … ``first + count - 1``, in the order of a
    tensor that has only those."""
    places = np.arange(int(np.prod(shape))).reshape(shape)
    return places.take(range(first, first + count), axis).ravel()


def sliced(layer: Layer, axis: int, first: int, count: int, sources: Sequence[Source]) -> Layer:
    """``layer`` for those tokens alone: its name, weights and formats, on tensors of ``count``
    tokens."""
    places, tokens = chosen(layer.shape, axis, first, count), layer.shape[axis]
    changes: dict = {"shape": tuple(count if at == axis else n for at, n in enumerate(layer.shape))}
    for name in _PER_VALUE.get(type(layer), ()):
        changes[name] = _taken(getattr(layer, name), places)
    if isinstance(layer, kinds.Select):
        parts = []
        for source, along in sources:
            local = np.full(source.size, -1)
            inside = chosen(source.shape, along, first, count)
            local[inside] = np.arange(len(inside)) + sum(each.size for each in parts)
            parts.append(local)
        changes["index"] = np.concatenate(parts)[layer.index[places]]
    if isinstance(layer, kinds.Softmax):
        part = "inner" if _across(layer, owners(layer.shape, axis), 2) else "outer"
        changes[part] = getattr(layer, part) * count // tokens
    return replace(layer, **changes)


def _taken(values, places):
    if isinstance(values, tuple):
        return tuple(values[place] for place in places)
    return values[places]


_PER_VALUE = {
    kinds.Affine: ("scale", "bias"),
    kinds.Cast: ("formats",),
    kinds.Dense: ("bias",),
    kinds.LeakyRelu: ("slope",),
}
"""Fields that have something for every value."""


def _alike(layer, axis, sources, tokens):
    """Whether the layers of single tokens differ in nothing but a cast's formats."""
    if isinstance(layer, kinds.Cast):
        return True
    names = (*_PER_VALUE.get(type(layer), ()), *(["index"] * isinstance(layer, kinds.Select)))
    of_token = [sliced(layer, axis, token, 1, sources) for token in range(tokens)]
    parts = [[getattr(each, name) for name in names] for each in of_token]
    return all(np.array_equal(*pair) for each in parts for pair in zip(each, parts[0], strict=True))


# Rules: of a layer and its sources' owners (``None``: whole), which of them it takes by tokens, and
# what its own owners then are.


def _same(layer, given):
    """Functions of single values, and of values in the same place."""
    first = given[0]
    alike = all(each is not None and np.array_equal(each, first) for each in given)
    return [(range(len(given)), first)] if alike and len(first) == layer.size else []


def _rows(layer, given):
    """A matrix that every row of the source takes: a row must be of one token."""
    inputs, outputs = layer.weight.shape[-2:]
    rows = given[0].reshape(-1, inputs)
    if len(layer.matrices) != 1 or (rows != rows[:, :1]).any():
        return []
    return [((0,), rows[:, 0].repeat(outputs))]


def _selected(layer, given):
    if any(each is None for each in given) or layer.index.min() < 0:
        return []
    return [(range(len(given)), np.concatenate(given)[layer.index])]


def _across(layer, found, axis):
    """Whether the owners of a softmax's values change along one of (outer, slice, inner)."""
    parts = found.reshape(layer.outer, -1, layer.inner)
    return bool((parts != parts.take([0], axis)).any())


def _softmax(layer, given):
    """A slice must be of one token, and tokens in one of the two other directions."""
    (found,) = given
    along = [_across(layer, found, axis) for axis in (0, 1, 2)]
    return [((0,), found)] if not along[1] and along.count(True) == 1 else []


def _contraction(layer, given):
    """Along the rows of either operand, if a row is of one token; the other is taken whole."""
    found = []
    for place, each in enumerate(given):
        if each is None:
            continue
        rows = each.reshape(layer.batches, -1, layer.contracted)
        if (rows != rows[:1, :, :1]).any():
            continue
        own = rows[0, :, 0]
        other = np.ones(layer.size // layer.batches // len(own), int)
        parts = np.outer(own, other) if place == 0 else np.outer(other, own)
        found.append(((place,), np.broadcast_to(parts, (layer.batches, *parts.shape)).ravel()))
    return found


_RULES: dict[type[Layer], Callable] = {
    kinds.Affine: _same,
    kinds.Cast: _same,
    kinds.Contraction: _contraction,
    kinds.Dense: _rows,
    kinds.HardSigmoid: _same,
    kinds.LeakyRelu: _same,
    kinds.Lookup: _same,
    kinds.Merge: _same,
    kinds.Relu: _same,
    kinds.Reshape: _same,
    kinds.Select: _selected,
    kinds.Softmax: _softmax,
    kinds.Threshold: _same,
}
