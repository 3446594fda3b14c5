"""Attention jobs of one query each whose result is to be hardly on one side of a tie."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from matweave.hw.attention.config import AttentionConfig
from matweave.hw.attention.shape import GUARD

from ..attention import cache
from ..attention.jobs import AttentionJob
from ..golden.attention import integers, kivi
from ..golden.attention import streaming as golden
from ..golden.attention.streaming import Scale

N_POOL, N_ENDS, N_TIES = 2000, 30, 300


@dataclass(frozen=True, eq=False)
class Query:
    """A job of one query. Of one of its elements: the sign; its sum's size times the reciprocal's
    ``product``, worth ``2**-shift``; what the reciprocal left of its numerator, over the divisor;
    and the divisor's trailing zeros."""

    job: AttentionJob
    negative: bool
    product: int
    shift: int
    left: float
    zeros: int


def one(job: AttentionJob, row: int = 0) -> AttentionJob:
    """Of ``job`` the first query with the keys of ``row``, without masks by position."""
    rest = {"causal": False, "window": 0, "position": 0, "partial": False}
    for name in ("k_groups", "v_groups"):
        groups = getattr(job, name)
        if groups is not None:
            of = row if name == "k_groups" else 0
            rest[name] = kivi.Groups(groups.minimum[of : of + 1], groups.step[of : of + 1])
    masked = None if job.masked is None else job.masked[:1]
    return dataclasses.replace(
        job, q=job.q[:1, :1], k=job.k[row : row + 1], v=job.v[:1], masked=masked, **rest
    )


def pool(config: AttentionConfig, index: int, rng) -> Iterator[Query]:
    """Many queries, each with keys of its own, of the same values."""
    limits, d = config.limits, config.array.dimension
    keys = int(rng.integers(max(limits.keys // 2, 1), limits.keys + 1))
    q = rng.integers(config.q.min, config.q.max + 1, (1, 1, d))
    k = rng.integers(config.k.min, config.k.max + 1, (N_POOL, keys, d))
    if index % 2:  # like the first of their block: lower bits of the total
        first = np.arange(keys) // config.array.block * config.array.block
        k[..., 0] = k[:, first, 0]
        q[..., 0] = config.q.min
    factor = 1 + int(rng.integers(1 << rng.integers(1, 7)))
    logit = Scale(factor, max(config.shape.dot.width - 7, 0))
    job = with_values(config, q, k, logit, Scale(1, 0), rng)
    k, (v, *_) = job.operands(config)
    u = golden.logits(q[0], k.reshape(-1, d), logit).reshape(N_POOL, keys)
    every = np.ones(u.shape, bool)
    state = golden.accumulate(
        u, v, every, numbers=golden.for_config(config), block=config.array.block
    )
    sums = state.output[:, index % d].tolist()
    for row, (total, of_row) in enumerate(zip(state.total.tolist(), sums, strict=True)):
        if of_row:
            yield query(config, one(job, row), total, of_row)


def ends(ordered: list[Query]) -> Iterator[Query]:
    """Of totals with each number of trailing zeros the first and the last ones."""
    for zeros in range(max(query.zeros for query in ordered) + 1):
        some = [query for query in ordered if query.zeros == zeros]
        yield from some[:N_ENDS]
        yield from some[N_ENDS:][-N_ENDS:]


def nearest(config: AttentionConfig, queries: list[Query]) -> list[tuple[int, ...]]:
    """Of all products those nearest to a tie: the place of their query, shift, multiplier."""
    shape = config.shape
    product, shift = (
        np.array([getattr(query, name) for query in queries])[:, None, None, None]
        for name in ("product", "shift")
    )
    odd = np.arange(1, 2 * config.output.format.max, 2)[:, None, None]
    more = np.arange(shape.multiplier_bits + 1)[:, None]
    wide = odd << np.minimum(shift + more - 1, 62 - config.output.format.width)
    multiplier = wide // product + np.arange(2)
    off = np.abs(multiplier * product - wide)
    usable = (multiplier > 0) & (multiplier < 1 << shape.multiplier_bits)
    off = np.where(usable & (more <= shape.max_output_shift), off, np.iinfo(np.int64).max)
    nearest = np.argpartition(off, N_TIES, axis=None)[:N_TIES]
    places = np.unravel_index(nearest, off.shape)
    return [
        (int(place), int(shift), int(multiplier[place, odd, shift, side]))
        for place, odd, shift, side in zip(*places, strict=True)
    ]


def query(config: AttentionConfig, job: AttentionJob, total: int, of_element: int) -> Query:
    shape = config.shape
    r, k = (int(x) for x in integers.reciprocal(total, shape.total_width, shape.reciprocal))
    mantissa = total << (shape.total_width - k)
    numerator = 1 << (shape.total_width - 1 + shape.reciprocal)
    return Query(
        job=job,
        negative=of_element < 0,
        product=abs(of_element) * r,
        shift=k - GUARD + shape.reciprocal - 1,
        left=(numerator - r * mantissa) / mantissa,
        zeros=(mantissa & -mantissa).bit_length() - 1,
    )


def scale(
    config: AttentionConfig, of: Query, halves: int, zero: int, below: bool = False
) -> Scale | None:
    """With which the size of the result without ``zero`` is at least, or is below, so many
    halves, and hardly so."""
    shape = config.shape
    for shift in reversed(range(shape.max_output_shift + 1)):
        wide = halves << (shift + of.shift - 1)
        multiplier = -(-wide // of.product) - below
        if multiplier < 1 << shape.multiplier_bits:
            return Scale(multiplier, shift, zero)
    return None


def with_values(config: AttentionConfig, q, k, logit: Scale, scale: Scale, rng) -> AttentionJob:
    """A job of random values, which gives states if it can."""
    packed = {}
    v = rng.integers(config.v.min, config.v.max + 1, k.shape)
    if config.shape.k_bits:
        k, packed["k_groups"] = kivi.quantised(k, **cache.k_numbers(config))
    if config.shape.v_bits:
        v, packed["v_groups"] = cache.drawn(v, config.v, rng, **cache.v_numbers(config))
    return AttentionJob(q, k, v, logit, scale, partial=config.output.partial, **packed)
