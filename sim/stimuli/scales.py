"""Steps for the requantizer: sums, multipliers and shifts of every size, in every combination."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.config import GemmConfig

from ..cases import values
from ..jobs import Job
from .steps import Step, job_step, random_pauses, sums

N_SCALES, N_TIES, N_FACTORS = 60, 300, 400


def sizes(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Sums, multipliers and shifts of every size: C0 brings any 32-bit sum to the requantizer."""
    rng = np.random.default_rng([seed, 12])
    m, n = config.limits.m, config.limits.n
    result, output = config.result_format, config.output.format
    size = (n,) if config.output.scale == "channel" else ()
    for index in range(N_SCALES):
        bits = int(rng.integers(1, result.width))
        job = Job(
            a=values(config.a, "random", (m, 1), rng),
            b=values(config.b, "random", (1, n), rng),
            c0=rng.integers(-(1 << bits), 1 << bits, (m, n)),
            bias=rng.integers(-(1 << 31), 1 << 31, n) if index % 4 == 0 else None,
            multiplier=rng.integers(0, 1 << int(rng.integers(1, 32)), size),
            # Mostly shifts that leave some of the product in the output's range.
            shift=rng.integers(0, 63, size)
            if index % 3 == 0
            else np.clip(bits + rng.integers(-12, 31, size), 0, 62),
            zero_point=int(rng.integers(output.min, output.max + 1)),
            relu=index % 5 == 0,
            requantize=True,
        )
        pauses = random_pauses(rng) if index % 2 else None
        yield job_step(config, job, fill=rng, pauses=pauses)


def products(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Every shift with single-bit products, and with products that just fit the output."""
    rng = np.random.default_rng([seed, 7])
    m, n = config.limits.m, config.limits.n
    result, output = config.result_format, config.output.format
    channel = config.output.scale == "channel"
    shifts = range(0, 63, n if channel else 1)
    rounds = 2 * len(shifts) * (12 if channel else 2)
    for index in range(rounds):
        first = shifts[index % len(shifts)]
        shift = np.minimum(first + np.arange(n), 62) if channel else first
        bits = rng.integers(0, result.width - 1, (m, 1))
        if index < rounds // 2:  # powers of two, or one less
            factor = 1 << rng.integers(0, 31, np.shape(shift))
            c0 = (1 << bits) * rng.choice([-1, 1], (m, n)) - rng.integers(0, 2, (m, n))
        else:  # about as large as the output after the shift
            bits = rng.integers(1, result.width - 1)
            size = np.clip(
                shift + output.width - bits + rng.integers(-2, 2, np.shape(shift)), 1, 31
            )
            factor = rng.integers(0, 1 << size)
            c0 = rng.integers(-(1 << bits), 1 << bits, (m, n))
        zero_point = int(rng.integers(output.min, output.max + 1)) if index % 3 == 0 else 0
        job = sums(config, m, n, 1, rng, c0=c0, multiplier=factor, shift=shift, requantize=True,
                    zero_point=zero_point)  # fmt: skip
        job = dataclasses.replace(job, a=np.zeros_like(job.a))
        yield job_step(config, job, fill=rng)
    # Every bit of a product alone, after every shift.
    for index in range(4 * 63):
        shift, high, late = index // 4, index % 2, index // 2 % 2
        rows = np.arange(m) + (m if late else 0)
        c0 = np.where(index // 8 % 2, -1, 1) << np.minimum(rows, result.width - 2)[:, None]
        scale = {"multiplier": 1 << 30 * high, "shift": shift}
        if channel:
            scale = {name: np.full(n, value) for name, value in scale.items()}
        job = sums(config, m, n, 1, rng, c0=np.broadcast_to(c0, (m, n)), requantize=True, **scale)
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)
    # The highest bit that a product has beside its sign, alone but for bits of the output:
    # (2**31 - 2*v + w) * (2**30 + v) is hardly more than 2**61 for some w.
    one, w = 1 << (result.width - 2), np.arange(1, 1 << 20)
    v = ((w + np.sqrt(w**2 + 8.0 * one * w)) / 4).astype(np.int64)
    near = np.argsort((one * w - v * (2 * v - w)) % (1 << 62))[: 2 * n]
    a, b = 2 * one - 2 * v + w, one + v
    for start in range(0, 2 * n, n if channel else n // 4):
        some = near[start : start + n] if channel else near[start]
        job = sums(config, m, n, 1, rng, c0=np.where(np.arange(m)[:, None] % 2, 1, -1) * a[some],
                    multiplier=b[some], shift=0 * b[some], requantize=True)  # fmt: skip
        c0 = np.broadcast_to(job.c0, (m, n))
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a), c0=c0), fill=rng)


def totals(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Scaled sums and zero points whose total has every bit of it alone, or just not, or is about
    what the output can hold."""
    rng = np.random.default_rng([seed, 10])
    m, n = config.limits.m, config.limits.n
    size = (n,) if config.output.scale == "channel" else ()
    powers = 1 << np.arange(18)
    wanted = np.concatenate([sign * powers + off for sign in (1, -1) for off in (-1, 0, 1)])
    near = 4 * config.output.format.max
    for index in range(64):
        zero_point = int(rng.integers(-(1 << 16), 1 << 16)) >> index // 2 % 12
        some = rng.integers(-near, near, m * n) if index % 2 else rng.permutation(wanted)
        c0 = np.resize(some - zero_point, (m, n))
        job = sums(config, m, n, 1, rng, c0=c0, requantize=True, zero_point=zero_point,
                   multiplier=np.ones(size, int), shift=np.zeros(size, int),
                   relu=index % 4 == 3)  # fmt: skip
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)
    # Beyond what is kept of a scaled sum, with all that a zero point can bring back.
    far = 1 << np.arange(17, 31)[:, None]
    low = np.arange(4)
    for zero_point, c0 in (((1 << 16) - 1, (1 << 15) - 1 - low - far), (-(1 << 16), low + far)):
        job = sums(config, m, n, 1, rng, c0=np.resize(c0, (m, n)), requantize=True,
                   zero_point=zero_point, multiplier=np.ones(size, int),
                   shift=np.zeros(size, int))  # fmt: skip
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)


def extremes(config: GemmConfig, seed: int) -> Iterator[Step]:
    """The largest products after every shift: their upper bits are not all the sign."""
    rng = np.random.default_rng([seed, 15])
    m, n = config.limits.m, config.limits.n
    size = (n,) if config.output.scale == "channel" else ()
    low, high = config.result_format.min, config.result_format.max
    extreme = [low, low + 1, high, high - 1, low // 2, high // 2, 3 * (low // 4), 3 * (high // 4)]
    for shift in range(63):
        for factor in ((1 << 31) - 1, 3 << 29):
            zero_point = int(rng.integers(-(1 << 16), 1 << 16)) if shift % 3 == 0 else 0
            c0 = np.resize(extreme, (m, n))
            job = sums(config, m, n, 1, rng, c0=c0, requantize=True, zero_point=zero_point,
                       multiplier=np.full(size, factor), shift=np.full(size, shift))  # fmt: skip
            yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)


def ties(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Products of large and small factors, hardly more or less than half of a last place."""
    rng = np.random.default_rng([seed, 16])
    m, n = config.limits.m, config.limits.n
    result, output = config.result_format, config.output.format
    channel = config.output.scale == "channel"
    size = (n,) if channel else ()
    for index in range(N_TIES):
        small = rng.integers(1, 1 << rng.integers(1, 11), size)
        place = 2 * rng.integers(output.min, output.max, size) + 1
        # The large factor is ``place * 2**(shift - 1) / small``, and has 27 to 31 bits.
        bits = np.log2(small) - np.log2(np.abs(place)) + rng.integers(28, 32, size)
        shift = np.clip(bits.astype(np.int64), 1, 62)
        large = np.round(np.ldexp(np.abs(place) / small, shift - 1)).astype(np.int64)
        large = np.minimum(large, result.max)
        sign = np.sign(place) * np.ones((m, n), np.int64)
        if index % 3:
            factor, c0 = large, small * sign
        else:
            factor, c0 = small, large * sign - np.arange(m)[:, None] % 2
        job = sums(config, m, n, 1, rng, c0=c0, requantize=True, multiplier=factor, shift=shift)
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)


def factors(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Sums and multipliers of every size, each time with a shift that leaves the output's bits of
    their product: a carry inside the multiplier needs several bits of both, and no saturation."""
    rng = np.random.default_rng([seed, 18])
    m, n = config.limits.m, config.limits.n
    size = (n,) if config.output.scale == "channel" else ()
    for _ in range(N_FACTORS):
        multiplier_bits = rng.integers(1, 32, size)
        sum_bits = rng.integers(1, config.result_format.width, size)
        shift = multiplier_bits + sum_bits - config.output.format.width + rng.integers(-1, 3, size)
        factor = rng.integers(1 << multiplier_bits - 1, 1 << multiplier_bits)
        limit = np.broadcast_to(1 << sum_bits, (m, n))
        job = sums(config, m, n, 1, rng, c0=rng.integers(-limit, limit), requantize=True,
                   multiplier=factor, shift=np.clip(shift, 0, 62))  # fmt: skip
        yield job_step(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)
