"""Steps for attention engines: jobs whose logits, distances and results are chosen."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.attention.shape import LOGIT_MULTIPLIER_BITS, MAX_SHIFT

from ..attention.jobs import AttentionJob
from ..driver import Access, Pause, flush, write
from ..golden.attention import kivi
from ..golden.attention.streaming import LOGIT, Scale
from ..golden.requantize import ZERO_POINT
from ..registers import Control, Register
from . import attention_ties
from .attention_ties import Query
from .engines import Stimuli
from .steps import Step, access

N_SCALES, N_POOLS = 600, 24


class AttentionStimuli(Stimuli):
    def numbers(self) -> Iterator[Step]:
        yield from self.scales()
        yield from self.results()
        yield from self.ties()
        yield from self.logits()
        yield from self.distances()
        yield from self.full()

    def plain(self) -> list[list[Access]]:
        """Of the largest job, with and without masks by position: what these refuse hides what
        else is refused."""
        job = self._largest(self.config.limits.keys)
        causal = dataclasses.replace(
            job,
            causal=True,
            window=self.config.limits.keys,
            position=self.config.limits.keys - job.q.shape[1],
        )
        return [
            [write(*each) for each in some.registers(self.config)[:-1]] for some in (job, causal)
        ]

    def _largest(self, keys: int) -> AttentionJob:
        """With so many keys and all queries, of zeros; without groups, if K or V are packed."""
        limits, d = self.config.limits, self.config.array.dimension
        queries = min(limits.queries, limits.keys)
        q = np.zeros((limits.kv_heads * limits.group, queries, d), np.int64)
        k = np.zeros((limits.kv_heads, keys, d), np.int64)
        return AttentionJob(q, k, k, Scale(1, 0), Scale(1, 0))

    def scales(self) -> Iterator[Step]:
        """Logits and results of every size, by multipliers of every length with shifts that leave
        of them what the format has, or a bit more or less; or one that is any."""
        rng = np.random.default_rng([self.seed, 6])
        shape = self.config.shape
        output, v = self.config.output.format, self.config.v
        for index in range(N_SCALES):
            job = self.job(8, index)
            length = int(rng.integers(1, shape.multiplier_bits + 1))
            multiplier = int(rng.integers(1 << (length - 1), 1 << length))
            # Sums over their total are as wide as V.
            shift = length + v.width - output.width - int(rng.integers(-1, 3))
            zero = int(rng.choice([0, rng.integers(output.min, output.max + 1)]))
            scale = Scale(multiplier, min(max(shift, 0), shape.max_output_shift), zero)
            logit = int(rng.integers(1, LOGIT_MULTIPLIER_BITS + 1))
            wide = shape.dot.width + logit - int(rng.integers(6, 18))
            factor = int(rng.integers(1 << (logit - 1), 1 << logit))
            logit = Scale(factor, min(max(wide, 0), MAX_SHIFT))
            if index % 4 == 1:
                logit = dataclasses.replace(logit, shift=int(rng.integers(MAX_SHIFT + 1)))
            if index % 4 == 3:
                any_shift = int(rng.integers(shape.max_output_shift + 1))
                scale = dataclasses.replace(scale, shift=any_shift)
            partial = self.config.output.partial and index % 3 == 2
            job = dataclasses.replace(job, scale=scale, logit=logit, partial=partial)
            yield self.whole(job, rng, pauses=self.pauses(rng) if index % 2 else {})

    def results(self) -> Iterator[Step]:
        """Scaled sums, and their totals with a zero point, that have every bit alone or just not,
        of both signs beside each other."""
        rng = np.random.default_rng([self.seed, 17])
        shape = self.config.shape
        wanted = _near_powers(shape.v.width + shape.multiplier_bits)
        for index, (size, with_zero) in enumerate((w, z) for z in (0, 0, 1, 1) for w in wanted):
            job = attention_ties.one(self.job(9, index))
            if not shape.v_bits:
                column = np.maximum(job.v[:, :, :1], -shape.v.max)
                signs = (-1) ** (np.arange(shape.dimension) + index)
                job = dataclasses.replace(job, v=column * signs)
            zero = int(rng.integers(ZERO_POINT.min, ZERO_POINT.max + 1)) if with_zero else 0
            zero >>= int(rng.integers(0, 16))
            states = dataclasses.replace(job, partial=True).expected(self.config)
            total, _, *sums = states[0, 0].tolist()
            of_element = sums[index % shape.dimension]
            if not of_element:
                continue
            query = attention_ties.query(self.config, job, total, of_element)
            result = size * (-1) ** query.negative - zero
            if result * (-1) ** query.negative > 0:
                yield from self._scaled(query, 2 * abs(result), zero, rng)

    def ties(self) -> Iterator[Step]:
        """Results hardly above a tie and hardly below one, of totals that hardly divide the
        numerator of their reciprocal or just not: a last place of it, or of a product, shows."""
        rng = np.random.default_rng([self.seed, 20])
        found = {}
        for index in range(N_POOLS):
            found |= {query.left: query for query in attention_ties.pool(self.config, index, rng)}
        ordered = [query for _, query in sorted(found.items())]
        for query in attention_ties.ends(ordered):
            odd = 2 * int(rng.integers(0, self.config.output.format.max)) + 1
            for below in (False, True):
                yield from self._scaled(query, odd, 0, rng, below)
        for index, (place, shift, multiplier) in enumerate(
            attention_ties.nearest(self.config, ordered)
        ):
            yield self._played(ordered[place], Scale(multiplier, shift), rng, full=index % 2)

    def _scaled(self, query, halves, zero, rng, below: bool = False) -> Iterator[Step]:
        scale = attention_ties.scale(self.config, query, halves, zero, below)
        if scale is not None:
            yield self._played(query, scale, rng)

    def _played(self, query: Query, scale: Scale, rng, full: bool = False) -> Step:
        """``query`` with that scale; ``full``: in a job of as many as there can be, all of which
        are that query, and whose results have to wait."""
        job = dataclasses.replace(query.job, scale=scale, partial=False)
        if not full:
            return self.whole(job, rng)
        limits = self.config.limits
        repeated = {"q": np.tile(job.q, (limits.kv_heads * limits.group, limits.queries, 1))}
        repeated |= {name: np.tile(getattr(job, name), (limits.kv_heads, 1, 1)) for name in "kv"}
        for name in ("k_groups", "v_groups"):
            if groups := getattr(job, name):
                each = (np.tile(x, (limits.kv_heads, 1, 1)) for x in (groups.minimum, groups.step))
                repeated[name] = kivi.Groups(*each)
        pauses = {"o": Pause(0.1, 300, int(rng.integers(1, 1 << 30)))}
        return self.whole(dataclasses.replace(job, **repeated), rng, pauses=pauses)

    def full(self) -> Iterator[Step]:
        """As many queries as there can be, of few keys; until all before it is full, values do not
        come or results are not taken."""
        rng = np.random.default_rng([self.seed, 21])
        config, limits, d = self.config, self.config.limits, self.config.array.dimension
        q_size = (limits.kv_heads * limits.group, limits.queries, d)
        for index in range(16):
            keys = min(1 + index % 4, limits.keys)
            q = rng.integers(config.q.min, config.q.max + 1, q_size)
            k = rng.integers(config.k.min, config.k.max + 1, (limits.kv_heads, keys, d))
            scales = self.job(11, index)
            job = attention_ties.with_values(self.config, q, k, scales.logit, scales.scale, rng)
            pause = Pause(0.01 + index % 3 / 10, 200, index + 1)
            step = self.whole(job, rng, pauses={"ov"[index // 4 % 2]: pause})
            yield step
            yield access(*self.registers())
            # And a reset while it is full, as no result is taken at all.
            held = self.whole(job, rng, pauses={"o": Pause(1.0, 1 << 20, 1)}, drain=0)
            reset = flush(Register.CONTROL, Control.SOFT_RESET, at=400 + index)
            yield dataclasses.replace(held, operations=(*held.operations, reset), job=None)
            yield step

    def logits(self) -> Iterator[Step]:
        """Logits that have every bit alone, or just not, before they are limited as well."""
        rng = np.random.default_rng([self.seed, 18])
        q, k = self.config.q, self.config.k
        most = q.width + k.width - 2
        for size in _near_powers(LOGIT_MULTIPLIER_BITS + most):
            for negative in (False, True):
                # A product of powers of two, times the rest.
                power = min(max(size.bit_length() - LOGIT_MULTIPLIER_BITS, 0), most - negative)
                factor = min(size >> power, (1 << LOGIT_MULTIPLIER_BITS) - 1)
                of_k = min(power, k.width - 1 - negative)
                dot = (-(1 << (power - of_k)), (1 << of_k) * (-1) ** (not negative))
                spare = int(rng.integers(LOGIT_MULTIPLIER_BITS + 1 - factor.bit_length()))
                logit = Scale(factor << spare, spare)
                yield self._of_dots(dot[0], [dot[1]] * self.config.array.lanes, logit, rng)

    def distances(self) -> Iterator[Step]:
        """Logits as far from each other as every power of two, in a beat and in two blocks."""
        rng = np.random.default_rng([self.seed, 19])
        array = self.config.array
        for size in _near_powers(LOGIT.width + 1):
            twice = size > LOGIT.max
            logit = Scale(min(-(-size // (1 + twice)), (1 << LOGIT_MULTIPLIER_BITS) - 1), 0)
            for pair in ((1, -1), (-1, 1)) if twice else ((0, -1), (-1, 0), (1, 0)):
                beat = [*pair, *[pair[-1]] * (array.lanes - 2)][: array.lanes]
                blocks = [pair[0]] * array.block + [pair[1]]
                for of_keys in (beat, blocks):
                    yield self._of_dots(1, of_keys, logit, rng)

    def _of_dots(self, of_q: int, of_keys: list[int], logit: Scale, rng) -> Step:
        """A job of one query whose dot products are ``of_q * of_keys``."""
        config = self.config
        shape, keys = config.shape, min(len(of_keys), config.limits.keys)
        q = np.zeros((1, 1, shape.dimension), np.int64)
        k = np.zeros((1, keys, shape.dimension), np.int64)
        q[..., 0], k[..., 0] = of_q, of_keys[:keys]
        scale = Scale(
            int(rng.integers(1 << shape.multiplier_bits)),
            int(rng.integers(shape.max_output_shift + 1)),
        )
        return self.whole(attention_ties.with_values(self.config, q, k, logit, scale, rng), rng)


def _near_powers(bits: int) -> list[int]:
    """The powers of two of up to so many bits, and what is one more or less."""
    near = {(1 << bit) + off for bit in range(bits) for off in (-1, 0, 1)}
    return sorted(near - {0})
