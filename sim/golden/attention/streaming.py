"""Streaming attention: one pass over the keys, block by block, in the hardware's order.

Decision 0013 has the arithmetic. Queries are independent: arrays have them first.
"""

from dataclasses import dataclass

import numpy as np

from matweave.hw.formats import Format, Rounding

from ..arithmetic import checked
from . import integers

LOGIT = Format(16)
"""Format of a logit u."""
GUARD = 4
"""Fraction bits of a total, in units of an exponential's last place."""


@dataclass(frozen=True, kw_only=True)
class Softmax:
    """Numbers of the softmax: ``fraction`` bits of a logit, bits of an ``exponential``, of the
    ``reciprocal``, and of the ``total`` (the sum of exponentials with ``GUARD`` fraction bits,
    which no job may exceed); ``lanes``: keys of a beat, which are added up before they are aligned;
    ``dither``: their exponentials are rounded at places that differ by lane, else at one half.
    """

    fraction: int = 6
    exponential: int = 12
    reciprocal: int = 15
    total: int = 32
    lanes: int = 1
    dither: bool = True

    @property
    def places(self) -> int:
        """Places at which exponentials are rounded."""
        return self.lanes if self.dither else 1

    @property
    def lowest(self) -> int:
        """The running maximum before the first key."""
        return LOGIT.min >> self.fraction


def for_config(config) -> Softmax:
    """The numbers of a ``hw.attention.config.AttentionConfig``."""
    softmax = config.softmax
    return Softmax(
        fraction=softmax.fraction,
        exponential=softmax.exponential,
        reciprocal=softmax.reciprocal,
        # No sum of so many exponentials is wider, however the hardware counts.
        total=config.shape.total_width,
        lanes=config.array.lanes,
        dither=softmax.dither,
    )


@dataclass(frozen=True)
class Scale:
    """``round(x * multiplier / 2**shift) + zero_point``."""

    multiplier: int
    shift: int
    zero_point: int = 0


@dataclass(frozen=True, eq=False)
class State:
    """What has been seen of the keys: running maximum and total, (queries,); output before its
    division, (queries, elements)."""

    maximum: np.ndarray
    total: np.ndarray
    output: np.ndarray

    def shifted(self, maximum: np.ndarray) -> "State":
        """The same relative to a ``maximum`` that is not below this one's."""
        by = np.minimum(maximum - self.maximum, 62)
        return State(maximum, self.total >> by, self.output >> by[:, None])


def logits(q: np.ndarray, k: np.ndarray, scale: Scale) -> np.ndarray:
    """u, (queries, keys), of ``q`` (queries, d) and ``k`` (keys, d)."""
    dots = q.astype(np.int64) @ k.astype(np.int64).T
    return integers.clamped(
        integers.scaled(dots, scale.multiplier, scale.shift, Rounding.HALF_UP), LOGIT
    )


def positions_mask(queries: int, keys: int, *, position=0, causal=False, window=0) -> np.ndarray:
    """Which keys count for which query, (queries, keys) of bool; ``window`` 0: none."""
    of_query = position + np.arange(queries)[:, None]
    of_key = np.arange(keys)[None, :]
    counts = np.ones((queries, keys), bool)
    if causal:
        counts &= of_key <= of_query
    if window:
        counts &= of_key > of_query - window
    return counts


def accumulate(
    u: np.ndarray, v: np.ndarray, counts: np.ndarray, *, numbers: Softmax, block: int
) -> State:
    """The state after all keys. ``u``, ``counts`` (queries, keys); ``v`` (keys, elements).

    Blocks are of ``block`` keys from key 0 on, the last as long as it is; ``numbers.lanes``
    divides them. Exponentials are relative to their own block's maximum, and each beat's sums are
    rounded half up as they are aligned to the running one.
    """
    queries, elements = len(u), v.shape[1]
    table = integers.powers(numbers.fraction, numbers.exponential)
    state = State(
        np.full(queries, numbers.lowest),
        np.zeros(queries, np.int64),
        np.zeros((queries, elements), np.int64),
    )
    for start in range(0, u.shape[1], block):
        of, seen = u[:, start : start + block], counts[:, start : start + block]
        ceiling = -((-of) >> numbers.fraction)
        highest = np.where(seen, ceiling, numbers.lowest).max(axis=1)
        state = state.shifted(np.maximum(state.maximum, highest))
        t = (highest[:, None] << numbers.fraction) - of
        p = integers.exponential(
            np.maximum(t, 0),
            table,
            numbers.fraction,
            lane=np.arange(start, start + of.shape[1]) % numbers.places,
            lanes=numbers.places,
        )
        p = np.where(seen, p, 0)
        align = np.minimum(state.maximum - highest, 62)
        for beat in range(0, of.shape[1], numbers.lanes):
            of_beat = p[:, beat : beat + numbers.lanes]
            values = v[start + beat : start + beat + of_beat.shape[1]].astype(np.int64)
            state = State(
                state.maximum,
                state.total + integers.halved(of_beat.sum(axis=1) << GUARD, align),
                state.output + integers.halved(of_beat @ values, align[:, None]),
            )
    assert not len(u) or int(state.total.max()) >> numbers.total == 0, "total leaves its width"
    return state


def merge(one: State, other: State) -> State:
    """The state of all keys that either has seen (split-K decoding)."""
    maximum = np.maximum(one.maximum, other.maximum)
    a, b = one.shifted(maximum), other.shifted(maximum)
    return State(maximum, a.total + b.total, a.output + b.output)


def normalised(
    state: State, scale: Scale, format: Format, rounding: Rounding, *, numbers: Softmax
) -> np.ndarray:
    """Outputs, (queries, elements) of ``format``: ``output / total``, scaled, rounded once.

    A query that has seen no key gives the zero point.
    """
    seen = state.total > 0
    total = np.where(seen, state.total, 1)
    r, k = integers.reciprocal(total, numbers.total, numbers.reciprocal)
    shift = scale.shift + k - GUARD + numbers.reciprocal - 1
    values = integers.scaled(
        state.output, (r * scale.multiplier)[:, None], shift[:, None], rounding
    )
    values = np.where(seen[:, None], values, 0) + scale.zero_point
    return integers.clamped(values, format)


def attention(
    q,
    k,
    v,
    *,
    logit: Scale,
    scale: Scale,
    numbers: Softmax,
    block: int,
    formats: tuple[Format, Format, Format, Format],
    rounding: Rounding = Rounding.HALF_UP,
    position: int = 0,
    causal: bool = False,
    window: int = 0,
    masked=None,
    partial: bool = False,
) -> np.ndarray:
    """Outputs, (heads, queries, d), as ``int64``; ``partial``: states, (heads, queries, 2 + d),
    each a total, a maximum and the sums.

    ``q`` (heads, queries, d); ``k``, ``v`` (KV heads, keys, d): each KV head serves as many
    successive heads of ``q`` as there are more of these. ``formats``: of q, k, v and the output.
    ``masked`` (KV heads, keys) of bool: keys that do not count, whatever the position.
    """
    q, k, v = (
        checked(name, x, f.min, f.max, (None, None, None))
        for name, x, f in zip("qkv", (q, k, v), formats, strict=False)
    )
    heads, queries, _ = q.shape
    group, rest = divmod(heads, len(k))
    if rest or k.shape != v.shape or k.shape[2] != q.shape[2]:
        raise ValueError(f"q {q.shape}, k {k.shape} and v {v.shape} do not belong together")
    counts = positions_mask(queries, k.shape[1], position=position, causal=causal, window=window)
    outputs = []
    for head in range(heads):
        of = head // group
        seen = counts if masked is None else counts & ~np.asarray(masked)[of]
        state = accumulate(logits(q[head], k[of], logit), v[of], seen, numbers=numbers, block=block)
        if partial:
            outputs.append(np.column_stack([state.total, state.maximum, state.output]))
            continue
        outputs.append(normalised(state, scale, formats[3], rounding, numbers=numbers))
    return np.array(outputs)
