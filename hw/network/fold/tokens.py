"""Which tensors can come token by token, and layers of one token only. Tokens that share a cycle
are one here: also the order of their values must be the same from cycle to cycle.

A tensor is *serial* if its tokens can come one after another: its layer treats all tokens alike,
but for formats. All others are *whole*. Of a serial tensor it is known whose token each of its
values is: its *owners*; the shape does not matter. For each kind of layer that can be serial there
is a rule that says whose its values are.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .. import layers as kinds
from ..layers import Layer
from .paces import Pace
from .windows import Windows, windows

Owners = np.ndarray | None
"""Of every value of a tensor the number of its token; ``None``: the tensor is whole."""


class Way(NamedTuple):
    """How a layer can be serial: the ``owners`` of its values, and which of its sources, by their
    numbers, it takes token by token; others whole, or all of them through ``windows``. ``pace``: at
    which its own tokens come."""

    owners: np.ndarray
    serial: frozenset[int]
    pace: Pace
    windows: Windows | None = None


def ways(layer: Layer, sources: Sequence[Way | None]) -> list[Way]:
    """How ``layer`` can be serial, if its ``sources`` are so; a product of two serial tensors can
    be in either's tokens."""
    rule, owners = _RULES.get(type(layer)), [each and each.owners for each in sources]
    found = []
    for serial, own in rule(layer, owners) if rule and any(sources) else ():
        pace = _of_all(layer, [sources[place].pace for place in serial])
        if pace is not None and _alike(layer, own, owners, pace.tokens):
            found.append(Way(own, frozenset(serial), pace))
    seen = windows(layer, [each and (each.owners, each.pace) for each in sources])
    if seen is not None and not any(_is(way.owners, seen) for way in found):
        found.append(Way(seen.owners, frozenset(), seen.pace, seen))
    return found


def _of_all(layer, paces) -> Pace | None:
    """The pace of what is made of tokens of all these. Those that come too early wait; if the end
    of a sample is not that of its tokens, it is not known which."""
    different = tuple(dict.fromkeys(paces))
    first = different[0]
    if len(different) == 1:
        return first
    alike = all(each.tokens == first.tokens and each.punctual for each in different)
    return Pace(first.tokens, first.row, None, (), different, layer.name) if alike else None


def _is(owners, seen):
    """Whether windows would be but the tokens themselves."""
    return seen.pace.flush == 0 and np.array_equal(owners, seen.owners)


def chosen(owners: np.ndarray, token: int) -> np.ndarray:
    """The places of a token's values."""
    return np.flatnonzero(owners == token)


def sliced(layer: Layer, owners: np.ndarray, token: int, sources: Sequence[Owners]) -> Layer:
    """``layer`` for one token alone: its name, weights and formats, on their values in the same
    order."""
    places = chosen(owners, token)
    changes: dict = {"shape": (len(places),)}
    for name in _PER_VALUE.get(type(layer), ()):
        changes[name] = _taken(getattr(layer, name), places)
    if isinstance(layer, kinds.Select):
        changes["index"] = _local(layer, token, sources)[places]
    if isinstance(layer, kinds.Softmax):
        part = "inner" if _across(layer, owners, 2) else "outer"
        changes[part] = getattr(layer, part) // (int(owners.max()) + 1)
    return replace(layer, **changes)


def _local(layer, token, sources):
    """The index of a Select, among the values that its sources have for a token; -1: none."""
    parts, before = [], 0
    for owners in sources:
        local, inside = np.full(len(owners), -1), chosen(owners, token)
        local[inside] = np.arange(len(inside)) + before
        before += len(inside)
        parts.append(local)
    return np.concatenate(parts)[layer.index]


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


def _alike(layer, owners, sources, tokens):
    """Whether all tokens have as many values, and their layers differ in nothing but a cast's
    formats."""
    counts = np.bincount(owners, minlength=tokens)
    if len(counts) > tokens or (counts != counts[0]).any():
        return False
    if isinstance(layer, kinds.Cast):
        return True
    names = (*_PER_VALUE.get(type(layer), ()), *(["index"] * isinstance(layer, kinds.Select)))
    if not names:
        return True
    of_token = [sliced(layer, owners, token, sources) for token in range(tokens)]
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
    """Matrices that rows of the source take in turn: a row must be of one token, and its rows must
    take all matrices in order."""
    inputs, outputs = layer.weight.shape[-2:]
    rows = given[0].reshape(-1, inputs)
    if (rows != rows[:, :1]).any():
        return []
    matrices, own = len(layer.matrices), rows[:, 0]
    turns = own.reshape(-1, matrices)
    if (turns != turns[:, :1]).any():
        return []
    return [((0,), own.repeat(outputs))]


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
