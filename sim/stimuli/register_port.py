"""Steps at the register port: what can be written and read, what is refused, storms of both."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from matweave.hw.config import GemmConfig

from ..cases import case
from ..driver import Access, flush, read, write
from ..harness import Setting
from ..registers import READ_WRITE, Control, Mode, Register, tables
from .steps import (
    Step,
    access,
    all_registers,
    hard_reset,
    job_step,
    other_words,
    random_pauses,
    state,
)

N_STORMS = 16


def look(config: GemmConfig) -> Step:
    """Read everything that can be read, and some that cannot."""
    registers = [4 * word for word in range(0x80 // 4)] + [0xFC, 0x15, 0x42]
    base = tables(config.limits.n)
    channels = [
        address + offset
        for address in (*base.values(), base["shift"] + 0x100)
        for offset in (0, 2, 4 * config.limits.n - 4, 4 * config.limits.n)
    ]
    high = [1 << bit for bit in range(7, (4 * base["bias"] - 1).bit_length())]
    return access(*map(read, registers + channels + high))


def writes(config: GemmConfig) -> Iterator[Step]:
    """Every register: patterns, strobes, and what cannot be written."""
    base = tables(config.limits.n)
    for delays in (False, True):
        for pattern in (0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, 62, 63, 0x1_0003):
            for strobe in (15, 0, 1, 2, 4, 8, 5, 10):
                writes = [write(Register[name], pattern) for name in READ_WRITE]
                yield access(*writes, *all_registers(), setting=Setting(strobe, delays))
        for strobe in range(16):
            control = Control.START | Control.SOFT_RESET | Control.CLEAR_COUNTERS
            targets = [Register.CONTROL, Register.ERROR, *base.values()]
            yield access(*(write(address, control) for address in targets), *state(),
                        setting=Setting(strobe))  # fmt: skip
        unmapped = [*range(0, 0x80, 4), 0xFC, 0x16, base["bias"] + 2, base["bias"] + 0xFC]
        unmapped += [1 << bit for bit in range(7, (4 * base["bias"] - 1).bit_length())]
        unmapped += [value + 4 * config.limits.n for value in base.values()]
        unmapped = [address for address in unmapped if address != Register.CONTROL]
        for data in (5, 0xFFFF_FFFF):
            yield access(*(write(address, data) for address in unmapped), *all_registers(),
                        setting=Setting(delays=delays))  # fmt: skip
    yield hard_reset()  # from registers full of ones
    yield access(*all_registers())


def starts(config: GemmConfig) -> Iterator[Step]:
    """Sizes and modes, legal and not; what did start is aborted."""
    limits = {"M": config.limits.m, "N": config.limits.n, "K": config.limits.k}
    modes = [0] if config.output.mode != "requantized" else [int(Mode.REQUANTIZE)]
    for name, limit in limits.items():
        sizes = [0, limit - 1, limit, limit + 1, *(1 << bit for bit in range(32))]
        sizes += [(1 << bit) - 1 for bit in range(2, 33)]
        sizes += [limit ^ 1 << bit for bit in range(32)]  # two bits, in a comparison of many
        for size in sizes:
            writes = [write(Register[other], 1) for other in limits if other != name]
            yield access(
                *writes, write(Register.MODE, modes[0]), *_try(write(Register[name], size))
            )
    ones = [write(Register[name], 1) for name in limits]
    for mode in range(16):
        yield access(*ones, *_try(write(Register.MODE, mode)))
    # A soft reset wins over a start beside it, whatever that start would have done.
    both = write(Register.CONTROL, Control.START | Control.SOFT_RESET)
    idle = [read(Register.CYCLES)] * 20
    counting = [*ones, write(Register.CONTROL, Control.START), *idle]
    for mode in modes[0], 4 - modes[0]:
        for m in 0, 1:
            last = [write(Register.MODE, mode), write(Register.M, m), both]
            yield access(*counting, flush(Register.CONTROL, Control.SOFT_RESET), *last,
                        *all_registers(), flush(Register.CONTROL, Control.SOFT_RESET),
                        write(Register.ERROR, 15))  # fmt: skip
        yield access(*counting, both, *all_registers(), write(Register.MODE, modes[0]))


def _try(last: Access) -> list[Access]:
    return [
        last,
        write(Register.CONTROL, Control.START),
        *state(),
        flush(Register.CONTROL, Control.SOFT_RESET),
        *state(),
        write(Register.ERROR, 15),
        *state(),
    ]


def _raise_all(config: GemmConfig) -> list[Access]:
    """Every error: illegal size, illegal mode (where one is), start while busy, illegal shift."""
    base = tables(config.limits.n)
    legal, illegal = (4, 0) if config.output.mode == "requantized" else (0, 4)
    if config.kind == "lut":  # after a reset nothing is kept
        illegal = legal | Mode.KEEP_B
    start = write(Register.CONTROL, Control.START)
    return [
        *[write(Register.M, 0), start, *[write(Register[name], 1) for name in "MNK"]],
        *[write(Register.MODE, illegal), start],  # or a start
        *[write(Register.MODE, legal), start, start, write(base["shift"], 63)],
        write(Register.SHIFT, 63),
    ]


def errors(config: GemmConfig) -> Iterator[Step]:
    """Illegal scales, every error bit cleared by itself, and none by what only looks like it: any
    other word, the registers' offsets in the tables' windows."""
    base = tables(config.limits.n)
    illegal = [62, 63, 64, *(1 << bit for bit in range(32)), 0xFFFF_FFFF]
    for address in (base["shift"], base["multiplier"], Register.SHIFT, Register.MULTIPLIER):
        for value in illegal:
            yield access(write(address, value), *state(), write(Register.ERROR, 15))
    end = [flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15), *state()]
    for clear in (1, 2, 4, 8, 7, 11, 13, 14, 15):
        yield access(*_raise_all(config), *state(), write(Register.ERROR, clear), *state(), *end)
    names = [Register[name] for name in (*READ_WRITE, "ERROR", "CONTROL")]
    for window in base.values():
        aliases = [write(window + address, 15) for address in names]
        yield access(*_raise_all(config), *aliases, *all_registers(), *end)
    yield access(*_raise_all(config), *other_words(), *all_registers(), *end)


def late_data(config: GemmConfig) -> Iterator[Step]:
    """Writes that are to clear no error, after data that would; addresses come before data."""
    for seed in range(24):
        nothing = [write(Register.ZERO_POINT, 15), write(Register.ERROR, 0), *state()] * 4
        yield access(*_raise_all(config), *nothing, setting=Setting(delays=True, seed=seed))
        yield access(flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15))


def bounds(config: GemmConfig) -> Iterator[Step]:
    """Every bit of what makes a register's value legal."""
    base = tables(config.limits.n)
    bits = [1 << bit for bit in range(32)]
    values = {
        Register.SHIFT: [*range(65), *(bit | 62 for bit in bits)],
        base["shift"]: [*range(65), *(bit | 62 for bit in bits)],
        Register.ZERO_POINT: [*bits, *(0xFFFF_FFFF ^ bit for bit in bits)],
    }
    for address, tried in values.items():
        for value in tried:
            seen = [read(address), *state(), write(Register.ERROR, 15)]
            yield access(write(address, 1), write(address, value), *seen)


def raised(config: GemmConfig) -> Iterator[Step]:
    """Errors that are raised and cleared while a storm of reads looks on."""
    errors = [
        *[write(Register.M, 0), write(Register.CONTROL, Control.START)],
        *[write(Register.ERROR, 15), write(Register.SHIFT, 63), write(Register.ERROR, 15)],
    ]
    for seed in range(12):
        yield access(*errors * 40, setting=Setting(delays=seed % 3 == 2, reads=True, seed=seed))
        yield hard_reset()


def changed(config: GemmConfig) -> Iterator[Step]:
    """Every bit of every register in turns 0 and 1 while a storm of reads looks on."""
    pairs = {"ZERO_POINT": (0xFFFF, 0xFFFF_0000), "MULTIPLIER": (0, 0x7FFF_FFFF), "SHIFT": (32, 31)}
    for seed, name in enumerate(READ_WRITE):
        writes = [write(Register[name], value) for value in pairs.get(name, (0, 0xFFFF_FFFF))]
        yield access(*writes * 60, setting=Setting(reads=True, seed=seed))
        yield hard_reset()


def storms(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Reads and writes beyond what the driver does, beside jobs and beside each other."""
    rng = np.random.default_rng([seed, 5])
    names = [Register[name] for name in READ_WRITE]
    base = tables(config.limits.n)
    for index in range(N_STORMS):
        setting = Setting(delays=index % 3 == 2, reads=True, seed=index)
        job = case(config, seed + 3, index).job
        yield job_step(config, job, fill=rng, pauses=random_pauses(rng), setting=setting)
        yield hard_reset()
        addresses = [*names * 16, *base.values(), Register.ERROR, Register.CONTROL]
        writes = [
            write(address, int(rng.integers(1 << 32)) >> int(rng.choice([0, 1, 15, 26, 28])))
            for address in rng.permutation(addresses)
        ]
        yield access(*writes, setting=dataclasses.replace(setting, strobe=15 - index // 4 % 2))
        yield hard_reset()
        setting = Setting(delays=index % 3 == 2, writes=True, seed=index)
        yield access(*all_registers() * 4, setting=setting)
        yield hard_reset()
