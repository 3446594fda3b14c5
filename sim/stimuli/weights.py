"""Steps for lookup engines: formats of weights, zero points, weights that stay."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.weights import Coding

from ..cases import case, formats_up_to, values
from ..driver import flush, read, write
from ..harness import Setting
from ..jobs import Job
from ..registers import GROUPS, WEIGHTS, Control, Mode, Register, zero_table
from .steps import Step, access, hard_reset, job_step, random_pauses, state, sums


def formats(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Jobs of every format that the engine takes, at the ends of operands and zero points."""
    rng = np.random.default_rng([seed, 11])
    m, n, groups = config.limits.m, config.limits.n, config.max_groups
    k, size = config.limits.k * groups, (groups, n) if groups > 1 else (n,)
    for format in formats_up_to(config.b.width) if config.serial else [config.b]:
        zeros = [None]
        if config.subtracts_zeros and format.coding is Coding.ASYMMETRIC:
            most = 1 << format.width
            zeros += [np.full(size, most), rng.integers(0, most, size, endpoint=True)]
        for each in zeros:
            for a, b in (("lowest", "highest"), ("extremes", "lowest"), ("random", "random")):
                job = sums(config, m, n, k, rng)
                job = dataclasses.replace(
                    job, a=values(config.a, a, (m, k), rng), b=values(format, b, (k, n), rng),
                    zeros=each, b_format=format if config.serial else None, groups=groups,
                )  # fmt: skip
                yield job_step(config, job, fill=rng)


def kept(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Jobs that use the weights of the one before; and such that there are none for."""
    rng = np.random.default_rng([seed, 12])
    start, keep = write(Register.CONTROL, Control.START), int(Mode.KEEP_B)
    keep |= Mode.REQUANTIZE if config.output.mode == "requantized" else 0
    ones = [write(Register[name], 1) for name in "MNK"]
    ended = [flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15), *state()]
    for index in range(12):
        job = case(config, seed + 5, index).job
        yield job_step(config, job, fill=rng)
        for again in range(2):
            a = values(config.a, "random", job.a.shape, rng)
            pauses = random_pauses(rng) if again else None
            yield job_step(config, _again(job, a), fill=rng, pauses=pauses)
        ends = [Register.N, Register.K]
        ends += [WEIGHTS] * config.serial + [GROUPS] * (config.max_groups > 1)
        lose = [write(each, 1) for each in ends] + [write(Register.CONTROL, 2)]
        for last in (lose[index % len(lose)], write(Register.M, 1), write(Register.SHIFT, 1)):
            yield access(last, write(Register.MODE, keep), start, *state(), *ended)
            yield access(*ones)
            yield job_step(config, job, fill=rng)
    yield hard_reset()
    yield access(*ones, write(Register.MODE, keep), start, *state(), *ended)


def _again(job: Job, a: np.ndarray) -> Job:
    return dataclasses.replace(job, a=a, keep_b=True)


def registers(config: GemmConfig) -> Iterator[Step]:
    """The register and the table that only such engines have: every bit, strobes, what is
    refused."""
    bits = [1 << bit for bit in range(32)]
    lanes = config.geometry.n
    entries = -(-config.limits.n // lanes) * lanes * config.max_groups
    table = zero_table(config.limits.n, entries)
    end = table + 4 * entries
    for value in [*range(64), *bits, *(bit | 1 for bit in bits), 0xFFFF_FFFF]:
        for address in (WEIGHTS, table):
            seen = [read(address), *state(), write(Register.ERROR, 15)]
            yield access(write(WEIGHTS, 1), write(address, value), *seen)
    for strobe in range(16):
        for value in (1, 0x0101_0101, 0x31, 0):
            targets = [write(address, value) for address in (WEIGHTS, table, end - 4, end)]
            yield access(write(WEIGHTS, 2), *targets, read(WEIGHTS), *state(),
                        setting=Setting(strobe))  # fmt: skip
    for value in [*range(2 * config.max_groups + 2), *bits, *(bit | 1 for bit in bits)]:
        sizes = [write(Register[name], 1) for name in "MNK"]
        yield access(*sizes, write(GROUPS, value), read(GROUPS),
                     write(Register.CONTROL, Control.START), *state(),
                     flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15),
                     write(GROUPS, 1))  # fmt: skip
    names = [WEIGHTS, GROUPS, table, end - 4, end, table + 0x10, table | Register.M, Register.ERROR]
    for address in [*names, *(table + bit for bit in bits[2:20]), *(bits[7:20])]:
        yield access(write(address, 3), read(address), *state(), write(Register.ERROR, 15))
    yield access(*[write(WEIGHTS, value) for value in (1, 0x12, 2, 0x11)] * 30,
                setting=Setting(reads=True, seed=3))  # fmt: skip
    ones = [write(Register[name], 1) for name in "MNK"]
    ended = [flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15), *state()]
    for mode in range(64):
        for weights in (1, 0x11, 0x21):
            yield access(write(WEIGHTS, weights), *ones, write(Register.MODE, mode),
                         read(Register.MODE), write(Register.CONTROL, Control.START), *state(),
                         *ended)  # fmt: skip
    yield hard_reset()
    yield access(read(WEIGHTS), *state())
