"""What is done to an engine to tell it from a broken one, as steps that can be repeated exactly.

A step is one call of :meth:`.native.Engine.run`; what it shows at the ports, cycle counts
included, is one tuple. The same steps on the same netlist give the same tuples.

The driver of :mod:`.native` writes whole words, one channel at a time; :mod:`.harness` puts logic
between it and the engine that does the rest, and selects a mutant. Short steps come first: those
at the end are played only to what survived all others.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from matweave.hw.config import GemmConfig

from . import harness, layout
from .cases import case, values
from .driver import Access, Pause, flush, read, write
from .golden.gemm import for_config
from .harness import Setting
from .jobs import Job
from .native import Engine
from .registers import COUNTERS, READ_WRITE, Control, Mode, Register, Response, tables

PLAIN = Setting()
WATCHDOG = 3_000
N_JOBS, N_RESETS, N_SCALES, N_STORMS = 70, 60, 60, 16
CUT = 8
"""Cycles that a register write takes, with its response."""
LONG = 1 << 14
"""Longest pause, for the counters' bits."""


@dataclass(frozen=True, eq=False)
class Step:
    """``inputs``, ``outputs``, ``operations`` and ``options`` are those of ``Engine.run``."""

    inputs: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    operations: tuple[Access, ...] = ()
    options: dict = field(default_factory=dict)
    setting: Setting = PLAIN
    job: Job | None = None
    config: GemmConfig | None = None

    def check(self, seen: tuple) -> None:
        """Raise :class:`AssertionError` unless ``seen`` is what the golden model says."""
        if self.job is None:
            return
        m, n, _ = self.job.shape
        size = -1, self._beat_bytes()
        beats = np.frombuffer(seen[3], np.uint8).reshape(size)
        c = layout.unpack_c(beats, m, n, self.config.geometry, self.job.lane(self.config))
        assert np.array_equal(c, for_config(self.config)(**self.job.arguments()))
        assert all(operation.response == Response.OKAY for operation in seen[-1])

    def _beat_bytes(self) -> int:
        return self.config.geometry.c_lanes * self.job.lane(self.config).lane_width // 8


def observe(engine: Engine, step: Step, mutant: int) -> tuple:
    """Do ``step`` with ``mutant`` selected; everything that could be seen at the ports."""
    engine.run({harness.SELECT: step.setting.beat(mutant)}, {})
    outcome = engine.run(step.inputs, step.outputs, step.operations, **step.options)
    shown = engine.run({harness.SELECT: step.setting.beat(mutant, show=True)}, {harness.SEEN: 1})
    return (
        outcome.cycles,
        outcome.first_in,
        outcome.last_out,
        outcome.outputs["c"].tobytes(),
        *(tuple(counts.items()) for counts in (outcome.taken, outcome.stalls, outcome.idles)),
        shown.outputs[harness.SEEN].tobytes(),
        tuple(outcome.operations),
    )


def stimuli(config: GemmConfig, seed: int) -> Iterator[Step]:
    """The steps for the engine of ``config``; some random ones from ``seed``."""
    # Jobs first: they find most of what there is to find.
    yield _hard_reset()
    yield from _jobs(config, seed)
    yield _look(config)
    yield from _starts(config)
    yield from _errors(config)
    yield from _writes(config)
    yield from _resets(config, seed)
    yield from _cut(config, seed)
    yield from _busy(config, seed)
    yield from _bounds(config)
    yield from _storms(config, seed)
    yield from _watched(config, seed)
    yield from _full(config, seed)
    if config.output.mode != "raw":
        yield from _products(config, seed)
    yield from _long(config, seed)
    yield _look(config)


def _hard_reset() -> Step:
    return Step(options={"hard_reset": (0, 3)})


def _step(*operations: Access, **settings) -> Step:
    return Step(operations=operations, options={"watchdog": WATCHDOG, "drain": 3}, **settings)


def _look(config: GemmConfig) -> Step:
    """Read everything that can be read, and some that cannot."""
    registers = [4 * word for word in range(0x80 // 4)] + [0xFC, 0x15, 0x42]
    base = tables(config.limits.n)
    channels = [
        address + offset
        for address in (*base.values(), base["shift"] + 0x100)
        for offset in (0, 2, 4 * config.limits.n - 4, 4 * config.limits.n)
    ]
    high = [1 << bit for bit in range(7, (4 * base["bias"] - 1).bit_length())]
    return _step(*map(read, registers + channels + high))


def _state() -> list[Access]:
    return [read(Register.STATUS), read(Register.ERROR)]


def _all_registers() -> list[Access]:
    names = ("STATUS", "ERROR", *READ_WRITE, *COUNTERS)
    return [read(Register[name]) for name in names]


def _writes(config: GemmConfig) -> Iterator[Step]:
    """Every register: patterns, strobes, and what cannot be written."""
    base = tables(config.limits.n)
    for delays in (False, True):
        for pattern in (0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, 62, 63, 0x1_0003):
            for strobe in (15, 0, 1, 2, 4, 8, 5, 10):
                writes = [write(Register[name], pattern) for name in READ_WRITE]
                yield _step(*writes, *_all_registers(), setting=Setting(strobe, delays))
        for strobe in range(16):
            control = Control.START | Control.SOFT_RESET | Control.CLEAR_COUNTERS
            targets = [Register.CONTROL, Register.ERROR, *base.values()]
            yield _step(*(write(address, control) for address in targets), *_state(),
                        setting=Setting(strobe))  # fmt: skip
        unmapped = [*range(0, 0x80, 4), 0xFC, 0x16, base["bias"] + 2, base["bias"] + 0xFC]
        unmapped += [1 << bit for bit in range(7, (4 * base["bias"] - 1).bit_length())]
        unmapped += [value + 4 * config.limits.n for value in base.values()]
        unmapped = [address for address in unmapped if address != Register.CONTROL]
        for data in (5, 0xFFFF_FFFF):
            yield _step(*(write(address, data) for address in unmapped), *_all_registers(),
                        setting=Setting(delays=delays))  # fmt: skip
    yield _hard_reset()  # from registers full of ones
    yield _step(*_all_registers())


def _starts(config: GemmConfig) -> Iterator[Step]:
    """Sizes and modes, legal and not; what did start is aborted."""
    limits = {"M": config.limits.m, "N": config.limits.n, "K": config.limits.k}
    modes = [0] if config.output.mode != "requantized" else [int(Mode.REQUANTIZE)]
    for name, limit in limits.items():
        sizes = [0, limit - 1, limit, limit + 1, *(1 << bit for bit in range(32))]
        sizes += [(1 << bit) - 1 for bit in range(2, 33)]
        sizes += [limit ^ 1 << bit for bit in range(32)]  # two bits, in a comparison of many
        for size in sizes:
            writes = [write(Register[other], 1) for other in limits if other != name]
            yield _step(*writes, write(Register.MODE, modes[0]), *_try(write(Register[name], size)))
    ones = [write(Register[name], 1) for name in limits]
    for mode in range(16):
        yield _step(*ones, *_try(write(Register.MODE, mode)))
    # A soft reset wins over a start beside it, whatever that start would have done.
    both = write(Register.CONTROL, Control.START | Control.SOFT_RESET)
    idle = [read(Register.CYCLES)] * 20
    counting = [*ones, write(Register.CONTROL, Control.START), *idle]
    for mode in modes[0], 4 - modes[0]:
        for m in 0, 1:
            last = [write(Register.MODE, mode), write(Register.M, m), both]
            yield _step(*counting, flush(Register.CONTROL, Control.SOFT_RESET), *last,
                        *_all_registers(), flush(Register.CONTROL, Control.SOFT_RESET),
                        write(Register.ERROR, 15))  # fmt: skip
        yield _step(*counting, both, *_all_registers(), write(Register.MODE, modes[0]))


def _try(last: Access) -> list[Access]:
    return [
        last,
        write(Register.CONTROL, Control.START),
        *_state(),
        flush(Register.CONTROL, Control.SOFT_RESET),
        *_state(),
        write(Register.ERROR, 15),
        *_state(),
    ]


def _errors(config: GemmConfig) -> Iterator[Step]:
    """Illegal scales, and every error bit cleared by itself."""
    base = tables(config.limits.n)
    illegal = [62, 63, 64, *(1 << bit for bit in range(32)), 0xFFFF_FFFF]
    for address in (base["shift"], base["multiplier"], Register.SHIFT, Register.MULTIPLIER):
        for value in illegal:
            yield _step(write(address, value), *_state(), write(Register.ERROR, 15))
    for clear in (1, 2, 4, 8, 7, 11, 13, 14, 15):
        yield _step(
            write(Register.M, 0),
            write(Register.CONTROL, Control.START),  # illegal size
            write(Register.M, 1),
            write(Register.N, 1),
            write(Register.K, 1),
            write(Register.MODE, 0 if config.output.mode == "requantized" else 4),
            write(Register.CONTROL, Control.START),  # illegal mode, or a start
            write(Register.MODE, 4 if config.output.mode == "requantized" else 0),
            write(Register.CONTROL, Control.START),
            write(Register.CONTROL, Control.START),  # busy
            write(base["shift"], 63),
            write(Register.SHIFT, 63),
            *_state(),
            write(Register.ERROR, clear),
            *_state(),
            flush(Register.CONTROL, Control.SOFT_RESET),
            write(Register.ERROR, 15),
            *_state(),
        )


def _job(config: GemmConfig, job: Job, *, fill, pauses=None, setting=PLAIN, **options) -> Step:
    """One whole job, or the part of it that ``options`` say."""
    job = job.checked(config)
    whole = not options
    *writes, start = (write(address, data) for address, data in job.registers(config))
    fill.shuffle(writes)  # any order before the start
    return Step(
        inputs=job.pack(config, fill),
        outputs={"c": config.geometry.beats(*job.shape)["c"]},
        operations=(*writes, start),
        options={"pauses": pauses, "start_last": True, "watchdog": WATCHDOG, "drain": 4 * whole}
        | options,
        setting=setting,
        job=job if whole else None,
        config=config,
    )


def _pauses(rng: np.random.Generator) -> dict[str, Pause]:
    patterns = [(0.0, 1), (0.1, 1), (0.5, 1), (0.9, 1), (0.05, 20), (0.3, 5)]
    return {
        name: Pause(*patterns[rng.integers(len(patterns))], seed=int(rng.integers(1, 1 << 30)))
        for name in ("a", "b", "c0", "c")
    }


def _jobs(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Corner cases and random ones, never stalling and with every pattern of pauses."""
    rng = np.random.default_rng([seed, 1])
    for index in range(N_JOBS):
        job = case(config, seed, index).job
        pauses = _pauses(rng) if index % 3 else None
        yield _job(config, job, fill=rng, pauses=pauses,
                   setting=Setting(delays=index % 4 == 3))  # fmt: skip
        yield _step(*_all_registers())
    m, n, k = config.limits.m, config.limits.n, config.limits.k
    for kinds in (("lowest", "lowest"), ("highest", "lowest"), ("random", "random")):
        a, b = (values(format, kind, size, rng) for format, kind, size in
                zip((config.a, config.b), kinds, ((m, k), (k, n)), strict=True))  # fmt: skip
        scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
        raw = config.output.mode != "requantized"
        yield _job(config, Job(a=a, b=b, **({} if raw else scale)), fill=rng)
        yield _step(*_all_registers())
    if config.output.mode != "raw":
        yield from _scales(config, rng)
    # Between jobs nothing is taken, whatever is offered.
    offered = case(config, seed, 8).job.pack(config, rng)
    yield Step(inputs=offered, options={"drain": 40})


def _scales(config: GemmConfig, rng: np.random.Generator) -> Iterator[Step]:
    """Sums, multipliers and shifts of every size: C0 brings any 32-bit sum to the requantizer."""
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
        pauses = _pauses(rng) if index % 2 else None
        yield _job(config, job, fill=rng, pauses=pauses)


def _resets(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A job left at a random cycle, a reset, and a whole job after it."""
    rng = np.random.default_rng([seed, 2])
    for index in range(N_RESETS):
        job = case(config, seed + 1, index).job
        length = 12 * len(job.registers(config)) // 4 + sum(
            config.geometry.beats(*job.shape).values()
        )
        stop = int(rng.integers(length // 2, length + 20))
        pauses = _pauses(rng) if index % 2 else None
        if index % 3 == 0:
            yield _job(config, job, fill=rng, pauses=pauses, hard_reset=(stop, 3))
        else:
            yield _aborted(_job(config, job, fill=rng, pauses=pauses), stop)
        yield _step(*_all_registers())
        yield _job(config, case(config, seed + 2, index).job, fill=rng)
        yield _step(*_all_registers())


def _aborted(step: Step, cycle: int) -> Step:
    """``step`` with a soft reset, not before ``cycle``."""
    reset = flush(Register.CONTROL, Control.SOFT_RESET, at=cycle)
    return dataclasses.replace(step, operations=(*step.operations, reset), job=None)


def _cut(config: GemmConfig, seed: int) -> Iterator[Step]:
    """A reset in every cycle of a write to a channel table, and a job that shows the tables."""
    rng = np.random.default_rng([seed, 8])
    g, limits = config.geometry, config.limits
    size = min(2 * g.m, limits.m), min(2 * g.n, limits.n)
    bias = rng.integers(-(1 << 20), 1 << 20, size[1])
    scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
    scale = {} if config.output.mode == "raw" else scale
    whole = _job(config, _sums(config, *size, 1, rng, bias=bias, **scale), fill=rng)
    base = tables(limits.n)
    shows = tuple(op for op in whole.operations if op.address < min(base.values()))
    yield whole
    for name, data in (("bias", 0x1234), ("multiplier", 5), ("shift", 3)):
        for cycle in range(CUT):
            options = {"hard_reset": (cycle, 1), "watchdog": WATCHDOG, "drain": 4}
            yield Step(operations=(write(base[name], data),), options=options)
            yield dataclasses.replace(whole, operations=shows, job=None)
            yield whole


def _busy(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Everything that is refused while a job runs, and counters cleared in its middle."""
    rng = np.random.default_rng([seed, 3])
    job = next(
        case(config, seed, index).job
        for index in range(N_JOBS)
        if case(config, seed, index).job.shape >= (config.geometry.m + 1, 1, 1)
    )
    base = tables(config.limits.n)
    names = [Register[name] for name in READ_WRITE]
    for data in (1, 2, 0xFFFF_FFFF):
        step = _job(config, job, fill=rng, start_last=False)
        start = step.operations
        meddling = [write(address, data) for address in (*names, *base.values())]
        meddling += [write(Register.CONTROL, Control.START), *_state(), write(Register.ERROR, 15)]
        meddling += [write(Register.CONTROL, Control.CLEAR_COUNTERS), *_all_registers()]
        hold = {"c": Pause(0.2, 200, seed=data & 7)}
        yield Step(step.inputs, step.outputs, (*start, *meddling),
                   {"pauses": hold, "watchdog": WATCHDOG, "drain": 4})  # fmt: skip
        yield _step(*_all_registers())


def _bounds(config: GemmConfig) -> Iterator[Step]:
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
            seen = [read(address), *_state(), write(Register.ERROR, 15)]
            yield _step(write(address, 1), write(address, value), *seen)


def _storms(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Reads and writes beyond what the driver does, beside jobs and beside each other."""
    rng = np.random.default_rng([seed, 5])
    names = [Register[name] for name in READ_WRITE]
    base = tables(config.limits.n)
    for index in range(N_STORMS):
        setting = Setting(delays=index % 3 == 2, reads=True, seed=index)
        job = case(config, seed + 3, index).job
        yield _job(config, job, fill=rng, pauses=_pauses(rng), setting=setting)
        yield _hard_reset()
        addresses = [*names * 16, *base.values(), Register.ERROR, Register.CONTROL]
        writes = [
            write(address, int(rng.integers(1 << 32)) >> int(rng.choice([0, 1, 15, 26, 28])))
            for address in rng.permutation(addresses)
        ]
        yield _step(*writes, setting=dataclasses.replace(setting, strobe=15 - index // 4 % 2))
        yield _hard_reset()
        setting = Setting(delays=index % 3 == 2, writes=True, seed=index)
        yield _step(*_all_registers() * 4, setting=setting)
        yield _hard_reset()


def _watched(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Counters read all the time while results are held back and everything fills up."""
    rng = np.random.default_rng([seed, 6])
    limits = config.limits
    watch = [read(Register[name]) for name in ("TILES", "STATUS", "CYCLES", "STALL_C", "TILES")]
    for index in range(18):
        m, n = (limits.m, limits.n) if index % 2 else rng.integers(1, (limits.m, limits.n)) + 1
        k = (1, 2, limits.k)[index // 2 % 3]
        step = _job(config, _sums(config, int(m), int(n), k, rng), fill=rng)
        hold = {"c": Pause(0.05, (30, 200, 1500)[index // 6], seed=index + 1)}
        options = {"pauses": hold, "watchdog": WATCHDOG, "drain": 4}
        yield Step(step.inputs, step.outputs, (*step.operations, *watch * 60), options)
        yield _step(*_all_registers())


def _full(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Results held back until nothing more can be computed, wherever in the job that is."""
    rng = np.random.default_rng([seed, 9])
    limits = config.limits
    for m in range(1, limits.m + 1):
        for k in (limits.k, config.geometry.k + 1):
            step = _job(config, _sums(config, m, limits.n, min(k, limits.k), rng), fill=rng,
                        pauses={"c": Pause(0.03, 700, seed=m)})  # fmt: skip
            yield step
            yield _step(*_all_registers())


def _sums(config: GemmConfig, m: int, n: int, k: int, rng, **settings) -> Job:
    """A random job of that size."""
    if config.output.mode == "requantized":
        settings = {"multiplier": 1 << 30, "shift": 35, "requantize": True} | settings
    a, b = (values(format, "random", size, rng) for format, size in
            ((config.a, (m, k)), (config.b, (k, n))))  # fmt: skip
    return Job(a=a, b=b, **settings)


def _products(config: GemmConfig, seed: int) -> Iterator[Step]:
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
        job = _sums(config, m, n, 1, rng, c0=c0, multiplier=factor, shift=shift, requantize=True,
                    zero_point=zero_point)  # fmt: skip
        job = dataclasses.replace(job, a=np.zeros_like(job.a))
        yield _job(config, job, fill=rng)
    # Every bit of a product alone, after every shift.
    for index in range(4 * 63):
        shift, high, late = index // 4, index % 2, index // 2 % 2
        rows = np.arange(m) + (m if late else 0)
        c0 = np.where(index // 8 % 2, -1, 1) << np.minimum(rows, result.width - 2)[:, None]
        scale = {"multiplier": 1 << 30 * high, "shift": shift}
        if channel:
            scale = {name: np.full(n, value) for name, value in scale.items()}
        job = _sums(config, m, n, 1, rng, c0=np.broadcast_to(c0, (m, n)), requantize=True, **scale)
        yield _job(config, dataclasses.replace(job, a=np.zeros_like(job.a)), fill=rng)
    # The highest bit that a product has beside its sign, alone but for bits of the output:
    # (2**31 - 2*v + w) * (2**30 + v) is hardly more than 2**61 for some w.
    one, w = 1 << (result.width - 2), np.arange(1, 1 << 20)
    v = ((w + np.sqrt(w**2 + 8.0 * one * w)) / 4).astype(np.int64)
    near = np.argsort((one * w - v * (2 * v - w)) % (1 << 62))[: 2 * n]
    a, b = 2 * one - 2 * v + w, one + v
    for start in range(0, 2 * n, n if channel else n // 4):
        some = near[start : start + n] if channel else near[start]
        job = _sums(config, m, n, 1, rng, c0=np.where(np.arange(m)[:, None] % 2, 1, -1) * a[some],
                    multiplier=b[some], shift=0 * b[some], requantize=True)  # fmt: skip
        c0 = np.broadcast_to(job.c0, (m, n))
        yield _job(config, dataclasses.replace(job, a=np.zeros_like(job.a), c0=c0), fill=rng)


def _long(config: GemmConfig, seed: int) -> Iterator[Step]:
    """Pauses long enough to move the counters' middle bits, on one stream at a time."""
    rng = np.random.default_rng([seed, 4])
    result = config.result_format
    for name in ("a", "b", "c0", "c"):
        g = config.geometry
        a = values(config.a, "random", (min(g.m + 1, config.limits.m), config.limits.k), rng)
        b = values(config.b, "random", (config.limits.k, min(g.n + 1, config.limits.n)), rng)
        c0 = values(result, "random", (len(a), b.shape[1]), rng)
        scale = {}
        if config.output.mode == "requantized":
            scale = {"multiplier": 1 << 30, "shift": 35, "requantize": True}
        pauses = {name: Pause(0.1, LONG, seed=5)}
        step = _job(config, Job(a=a, b=b, c0=c0, **scale), fill=rng, pauses=pauses)
        yield dataclasses.replace(step, options=step.options | {"watchdog": 2 * LONG})
        yield _step(*_all_registers())
