"""Steps for attention engines: jobs whose logits, distances and results are chosen."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.attention.shape import GUARD, LOGIT_MULTIPLIER_BITS, MAX_SHIFT

from ..attention import cache
from ..attention.jobs import AttentionJob
from ..driver import Access, write
from ..golden.attention import integers, kivi
from ..golden.attention.streaming import LOGIT, Scale
from ..golden.requantize import ZERO_POINT
from .engines import Stimuli
from .steps import Step

N_SCALES = 600


class AttentionStimuli(Stimuli):
    def numbers(self) -> Iterator[Step]:
        yield from self.scales()
        yield from self.results()
        yield from self.logits()
        yield from self.distances()

    def plain(self) -> list[list[Access]]:
        """With and without masks by position: what these refuse hides what else is refused."""
        job = self._one(self.job(2, 5))
        causal = dataclasses.replace(job, causal=True, window=1)
        return [
            [write(*each) for each in some.registers(self.config)[:-1]] for some in (job, causal)
        ]

    def _one(self, job: AttentionJob) -> AttentionJob:
        """Of ``job`` the first query of the first head, without masks by position."""
        rest = {"causal": False, "window": 0, "position": 0, "partial": False}
        for name in ("k_groups", "v_groups"):
            groups = getattr(job, name)
            if groups is not None:
                rest[name] = dataclasses.replace(
                    groups, minimum=groups.minimum[:1], step=groups.step[:1]
                )
        masked = None if job.masked is None else job.masked[:1]
        return dataclasses.replace(
            job, q=job.q[:1, :1], k=job.k[:1], v=job.v[:1], masked=masked, **rest
        )

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
            job = dataclasses.replace(job, scale=scale, logit=logit, partial=False)
            yield self.whole(job, rng, pauses=self.pauses(rng) if index % 2 else {})

    def results(self) -> Iterator[Step]:
        """Scaled sums, and their totals with a zero point, that have every bit alone or just not,
        of both signs beside each other."""
        rng = np.random.default_rng([self.seed, 17])
        shape = self.config.shape
        wanted = _near_powers(shape.v.width + shape.multiplier_bits)
        for index, (size, with_zero) in enumerate((w, z) for z in (0, 0, 1, 1) for w in wanted):
            job = self._one(self.job(9, index))
            if not shape.v_bits:
                column = np.maximum(job.v[:, :, :1], -shape.v.max)
                signs = (-1) ** (np.arange(shape.dimension) + index)
                job = dataclasses.replace(job, v=column * signs)
            zero = int(rng.integers(ZERO_POINT.min, ZERO_POINT.max + 1)) if with_zero else 0
            zero >>= int(rng.integers(0, 16))
            scale = self._scale(job, index % shape.dimension, size, zero)
            if scale is not None:
                yield self.whole(dataclasses.replace(job, scale=scale), rng)

    def _scale(self, job: AttentionJob, element: int, size: int, zero: int) -> Scale | None:
        """The scale with which the result's ``element`` and ``zero`` are of that size, if any."""
        shape = self.config.shape
        total, _, *sums = dataclasses.replace(job, partial=True).expected(self.config)[0, 0]
        if not total:
            return None
        r, k = (int(x) for x in integers.reciprocal(total, shape.total_width, shape.reciprocal))
        product = int(sums[element]) * r
        result = size * (-1) ** (product < 0) - zero
        if result * product <= 0:
            return None
        for shift in reversed(range(shape.max_output_shift + 1)):
            wide = abs(result) << (shift + k - GUARD + shape.reciprocal - 1)
            multiplier = -(-wide // abs(product))
            if multiplier < 1 << shape.multiplier_bits:
                return Scale(multiplier, shift, zero)
        return None

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
        v, packed = rng.integers(config.v.min, config.v.max + 1, k.shape), {}
        if shape.k_bits:
            k, packed["k_groups"] = kivi.quantised(k, **cache.k_numbers(config))
        if shape.v_bits:
            v, packed["v_groups"] = cache.drawn(v, config.v, rng, **cache.v_numbers(config))
        job = AttentionJob(q, k, v, logit, Scale(1, 0), partial=config.output.partial, **packed)
        return self.whole(job, rng)


def _near_powers(bits: int) -> list[int]:
    """The powers of two of up to so many bits, and what is one more or less."""
    near = {(1 << bit) + off for bit in range(bits) for off in (-1, 0, 1)}
    return sorted(near - {0})
