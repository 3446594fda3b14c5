"""Layers that see windows of tokens: convolutions' patches, pooling, padding, cropping.

A layer's ``index`` says which values it takes. If the values of its tokens are those of tokens that
lie as far apart for each of them (or nowhere: padding), then it can take them from a line buffer:
the value of slot ``k`` is that of a fixed place in the token ``delay[k]`` steps ago. Rows, columns
and strides are not asked for; they follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .. import layers as kinds
from ..layers import Layer
from .paces import Pace, Window, number

MAX_DELAY = 1 << 13
"""Steps that a line buffer may hold."""


class Slot(NamedTuple):
    """A value that a token's layer takes: of source number ``source`` the value ``place`` of a
    token, through ``window``; ``None``: outside for all tokens."""

    source: int
    place: int
    window: Window | None


@dataclass(frozen=True)
class Windows:
    """How a layer is made of windows: the ``owners`` of its values, its ``pace`` and ``slots``, in
    the order of a token's part of its index."""

    owners: np.ndarray
    pace: Pace
    slots: tuple[Slot, ...]


def windows(layer: Layer, sources: Sequence) -> Windows | None:
    """``sources``: of each its (owners, pace), or ``None`` if it is whole."""
    if not isinstance(layer, kinds.Select | kinds.Pool) or any(each is None for each in sources):
        return None
    pace = sources[0][1]
    if any(each[1] != pace for each in sources):
        return None
    found = _Finder(layer, [each[0] for each in sources], pace)
    return next(filter(None, map(found.of, _counts(layer, pace))), None)


def _counts(layer, pace) -> list[int]:
    """How many tokens a layer may have: all axes but the last one's, or as many as before."""
    found = [int(np.prod(layer.shape[:-1])), pace.tokens]
    return [each for each in dict.fromkeys(found) if each > 1 and layer.size % each == 0]


class _Finder:
    def __init__(self, layer, owners, pace):
        self.layer, self.pace = layer, pace
        self.owners = np.concatenate(owners)
        parts, self.first = [], []
        for each in owners:  # of every value its place in its token, and whose source it is
            self.first.append(sum(map(len, parts)))
            order = np.argsort(each, kind="stable")
            place = np.empty(len(each), int)
            place[order] = np.arange(len(each)) % (len(each) // pace.tokens)
            parts.append(place)
        self.places = np.concatenate(parts)
        self.source = np.repeat(np.arange(len(parts)), [len(each) for each in parts])

    def of(self, tokens: int) -> Windows | None:
        index = self.layer.index.reshape(tokens, -1)
        inside = index >= 0
        key = np.where(inside, (self.source * len(self.places) + self.places)[index], -1)
        one = key.max(axis=0)
        if (inside & (key != one)).any():
            return None
        solved = _offsets(self.owners[index], inside)
        if solved is None or not self._alike(tokens):
            return None
        base, offset, used = solved
        latest = offset[used].max()
        steps = base + latest
        pace = self.pace
        if (np.diff(steps) < 1).any() or not 0 <= steps[0] < pace.tokens:
            return None
        if steps[-1] - steps[0] >= pace.tokens or np.ptp(offset[used]) > MAX_DELAY:
            return None
        made = Pace(tokens, _row(pace, steps, tokens), pace, tuple(map(int, steps)))
        largest = isinstance(self.layer, kinds.Pool) and self.layer.operation == "max"
        outside = self.layer.padding if largest else 0
        slots = []
        for k in range(index.shape[1]):
            if not used[k]:
                slots.append(Slot(0, 0, None))
                continue
            source, place = divmod(int(one[k]), len(self.places))
            delay = int(latest - offset[k])
            slots.append(Slot(source, place, Window(made, delay, number(inside[:, k]), outside)))
        owners = np.repeat(np.arange(tokens), self.layer.size // tokens)
        return Windows(owners, made, tuple(slots))

    def _alike(self, tokens):
        """Whether all tokens' averages are of as many values."""
        if not isinstance(self.layer, kinds.Pool) or self.layer.operation == "max":
            return True
        counts = self.layer.counts.reshape(tokens, -1)
        return bool((counts == counts[0]).all())


def _offsets(tokens, inside):
    """``base`` and ``offset`` with ``tokens[t, k] == base[t] + offset[k]`` where that is inside,
    and which offsets there are; ``None``: there are none."""
    rows, columns = inside.shape
    base, offset = np.zeros(rows, int), np.zeros(columns, int)
    known, used = np.zeros(rows, bool), np.zeros(columns, bool)
    known[inside.sum(axis=1).argmax()] = True
    while True:
        new = inside[known].any(axis=0) & ~used
        row = np.where(inside & known[:, None], np.arange(rows)[:, None], -1).max(axis=0)
        offset[new] = tokens[row[new], new] - base[row[new]]
        used |= new
        fresh = (inside & used).any(axis=1) & ~known
        column = (inside & used).argmax(axis=1)
        base[fresh] = tokens[fresh, column[fresh]] - offset[column[fresh]]
        known |= fresh
        if not new.any() and not fresh.any():
            break
    wrong = inside & (tokens != base[:, None] + offset)
    if not known.all() or wrong.any():
        return None
    return base, offset, used


def _row(pace, steps, tokens):
    """Tokens of a row: those in steps of the parent's first row with any."""
    columns = len(np.unique((steps - steps[0]) % pace.row))
    return columns if tokens % columns == 0 else tokens


def of_slots(layer: Layer, found: Windows) -> Layer:
    """``layer`` for one token alone, of its slots' values; what is outside comes from there."""
    tokens = found.pace.tokens
    shape = (layer.size // tokens,)
    index = np.arange(len(found.slots))
    index[[each.window is None for each in found.slots]] = -1
    changes = {"index": index.reshape(-1, *layer.index.shape[1:])}
    if isinstance(layer, kinds.Pool):
        changes["counts"] = layer.counts[: shape[0]]
    return replace(layer, shape=shape, **changes)
