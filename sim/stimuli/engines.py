"""Steps for engines of any kind with registers, by what :mod:`..kinds` says of theirs: jobs, and
everything that can be done at the register port."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from .. import kinds
from ..driver import Access, Pause, flush, read, write
from ..harness import Setting
from ..registers import Control, Register
from .steps import PLAIN, WATCHDOG, Step, access, hard_reset, other_words

N_JOBS, N_RESETS, N_STORMS = 60, 40, 12
PATTERNS = ((0.0, 1), (0.1, 1), (0.5, 1), (0.9, 1), (0.05, 20), (0.3, 5))
PATTERNS_OF_BITS = (
    0xFFFF_FFFF, 0, 0x5555_5555, 0xAAAA_AAAA, 62, 63, 0x1_0003, 0x15, 0x2A,
)  # fmt: skip
LONG = 1 << 12
"""Longest pause, for the counters' bits."""
WORDS = range(0, 0x80, 4)


class Stimuli:
    """``largest``: of a job's sizes."""

    def __init__(self, config, seed: int, largest: int | None = None):
        self.config, self.seed, self.largest = config, seed, largest
        self.kind = kinds.of(config)
        self._silence = WATCHDOG + self.kind.silence(config)
        self._writable = [self.kind.registers[name] for name in self.kind.writable]

    def steps(self) -> Iterator[Step]:
        yield hard_reset()
        yield self.look()
        parts = (
            self.corners, self.numbers, self.starts, self.writes, self.errors, self.bounds,
            self.resets, self.busy, self.offered, self.storms, self.changed, self.surplus,
            self.held, self.long,
        )  # fmt: skip
        for part in parts:
            yield from part()
        yield self.look()

    def numbers(self) -> Iterator[Step]:
        """Jobs whose numbers are chosen for what the kind computes."""
        return iter(())

    def job(self, stream: int, index: int):
        """The job number ``index`` of one of several sequences."""
        return self.kind.case(self.config, self.seed + stream, index, self.largest).job

    def whole(self, job, rng, *, setting: Setting = PLAIN, **options) -> Step:
        """One whole job, or the part of it that ``options`` say."""
        job, whole = job.checked(self.config), not set(options) - {"pauses"}
        *writes, start = (write(*each) for each in job.registers(self.config))
        rng.shuffle(writes)  # any order before the start
        beats = job.beats(self.config)
        return Step(
            inputs=job.pack(self.config, rng),
            outputs={name: beats[name] for name in self.kind.outputs},
            operations=(*writes, start),
            options={"start_last": True, "watchdog": self._silence, "drain": 4 * whole} | options,
            setting=setting,
            job=job if whole else None,
            config=self.config,
        )

    def registers(self) -> list[Access]:
        names = ("STATUS", "ERROR", *self.kind.writable, *self.kind.counters)
        return [read(self.kind.registers[name]) for name in names]

    def state(self) -> list[Access]:
        return [read(Register.STATUS), read(Register.ERROR)]

    def pauses(self, rng) -> dict[str, Pause]:
        return {
            name: Pause(*PATTERNS[rng.integers(len(PATTERNS))], seed=int(rng.integers(1, 1 << 30)))
            for name in (*self.kind.inputs, *self.kind.outputs)
        }

    def look(self) -> Step:
        """Read everything that can be read, and some that cannot."""
        return access(*map(read, [*WORDS, 0xFC, 0x15, 0x42, 0x80, 0xF0]))

    def corners(self) -> Iterator[Step]:
        """Corner cases and random ones, never stalling and with every pattern of pauses; of those
        that load something now and then another one that uses it."""
        rng = np.random.default_rng([self.seed, 1])
        for index in range(N_JOBS):
            job = self.job(0, index)
            pauses = self.pauses(rng) if index % 3 else {}
            yield self.whole(job, rng, pauses=pauses, setting=Setting(delays=index % 4 == 3))
            yield access(*self.registers())
            if hasattr(job, "load"):
                again = dataclasses.replace(job, x=self.job(1, index).x, load=False)
                yield self.whole(again, rng, pauses=pauses)

    def starts(self) -> Iterator[Step]:
        """Every register that a start looks at: all powers of two, their neighbours, and what is
        near to the legal ones. What did start is aborted."""
        for plain in self.plain():
            for register in self._writable:
                yield from self._started(plain, register)
        for mode in range(16):
            for values in (0, 1, 3, 6):
                others = [write(each, values) for each in self._writable]
                yield access(*others, write(self.kind.registers["MODE"], mode), *self._tried())
        both = write(Register.CONTROL, Control.START | Control.SOFT_RESET)
        yield access(*self.plain()[0], both, *self.state(), *self._tried(), *self.registers())

    def plain(self) -> list[list[Access]]:
        """The writes of small jobs, without their starts."""
        return [[write(*each) for each in self.job(2, 5).registers(self.config)[:-1]]]

    def _started(self, plain: list[Access], register: int) -> Iterator[Step]:
        values = [*range(48), *(1 << bit for bit in range(32))]
        values += [(1 << bit) - 1 for bit in range(2, 33)]
        legal = next((each.data for each in plain if each.address == register), 0)
        values += [legal ^ 1 << bit for bit in range(32)]
        for value in values:
            yield access(*plain, write(register, value), *self._tried())

    def _tried(self) -> list[Access]:
        return [
            write(Register.CONTROL, Control.START),
            *self.state(),
            flush(Register.CONTROL, Control.SOFT_RESET),
            *self.state(),
            write(Register.ERROR, 15),
            *self.state(),
        ]

    def writes(self) -> Iterator[Step]:
        """Every register: patterns, strobes, and what cannot be written."""
        for delays in (False, True):
            for pattern in PATTERNS_OF_BITS:
                for strobe in (15, 0, 1, 2, 4, 8, 5, 10):
                    writes = [write(each, pattern) for each in self._writable]
                    yield access(*writes, *self.registers(), setting=Setting(strobe, delays))
            for strobe in range(16):
                control = Control.START | Control.SOFT_RESET | Control.CLEAR_COUNTERS
                targets = [write(each, control) for each in (Register.CONTROL, Register.ERROR)]
                yield access(*targets, *self.state(), setting=Setting(strobe))
            for data in (5, 0xFFFF_FFFF):
                unmapped = [each for each in (*WORDS, 0xFC, 0x16, 0x80, 0xC0)
                            if each != Register.CONTROL]  # fmt: skip
                yield access(*(write(each, data) for each in unmapped), *self.registers(),
                             setting=Setting(delays=delays))  # fmt: skip
        yield hard_reset()  # from registers full of ones
        yield access(*self.registers())

    def errors(self) -> Iterator[Step]:
        """Every error bit cleared by itself, and none by a write to any other word."""
        start = write(Register.CONTROL, Control.START)
        job = [write(*each) for each in self.job(2, 5).registers(self.config)]
        refused = [write(each, 0xFFFF_FFFF) for each in self._writable]
        end = [flush(Register.CONTROL, Control.SOFT_RESET), write(Register.ERROR, 15)]
        no_job = [write(each, 0) for each in self._writable]
        modes = [write(self.kind.registers["MODE"], 4), start]
        raised = [*refused, *no_job, start, *modes, *job, start, *self.state()]
        yield access(*raised, *other_words(), *self.registers(), *end)
        for clear in (0, 1, 2, 4, 8, 7, 11, 13, 14, 15):
            yield access(*raised, write(Register.ERROR, clear), *self.state(), *end, *self.state())

    def bounds(self) -> Iterator[Step]:
        """Every bit of what makes a register's value legal."""
        bits = [1 << bit for bit in range(32)]
        for register in self._writable:
            for value in [*range(65), *bits, *(bit | 62 for bit in bits),
                          *(0xFFFF_FFFF ^ bit for bit in bits)]:  # fmt: skip
                seen = [read(register), *self.state(), write(Register.ERROR, 15)]
                yield access(write(register, 1), write(register, value), *seen)

    def resets(self) -> Iterator[Step]:
        """A job left at a random cycle, a reset, and a whole job after it."""
        rng = np.random.default_rng([self.seed, 2])
        for index in range(N_RESETS):
            job = self.job(3, index)
            begin = 3 * len(job.registers(self.config))
            length = sum(job.beats(self.config).values()) + self.kind.silence(self.config)
            stop = begin + int(rng.integers(1, length + 20))
            pauses = self.pauses(rng) if index % 2 else {}
            if index % 3:
                step = self.whole(job, rng, pauses=pauses, drain=0)
                reset = flush(Register.CONTROL, Control.SOFT_RESET, at=stop)
                yield dataclasses.replace(step, operations=(*step.operations, reset), job=None)
            else:
                yield self.whole(job, rng, pauses=pauses, hard_reset=(stop, 3))
            yield access(*self.registers())
            yield self.whole(self.job(4, index), rng)
            yield access(*self.registers())

    def busy(self) -> Iterator[Step]:
        """Everything that is refused while a job runs, and counters cleared in its middle."""
        rng = np.random.default_rng([self.seed, 3])
        for data in (1, 2, 0xFFFF_FFFF):
            step = self.whole(self.job(2, 6), rng, start_last=False)
            meddling = [write(each, data) for each in self._writable]
            meddling += [write(Register.CONTROL, Control.START), *self.state()]
            meddling += [write(Register.ERROR, 15), *self.state()]
            meddling += [write(Register.CONTROL, Control.CLEAR_COUNTERS), *self.registers()]
            (output,) = self.kind.outputs
            options = step.options | {"pauses": {output: Pause(0.2, 200, seed=data & 7)}}
            yield dataclasses.replace(
                step, operations=(*step.operations, *meddling), options=options
            )
            yield access(*self.registers())

    def offered(self) -> Iterator[Step]:
        """Between jobs nothing is taken, whatever is offered."""
        rng = np.random.default_rng([self.seed, 11])
        yield Step(inputs=self.job(2, 8).pack(self.config, rng), options={"drain": 40})

    def surplus(self) -> Iterator[Step]:
        """More beats than belong to the job, offered on every stream until it ends."""
        rng = np.random.default_rng([self.seed, 14])
        sizes = self.kind.stream_bytes(self.config)[0]
        for index in range(8):
            step = self.whole(self.job(5, index), rng, pauses=self.pauses(rng))
            more = {
                name: rng.integers(0, 256, (50, sizes[port]), dtype=np.uint8)
                for name, port in self.kind.inputs.items()
            }
            inputs = {
                name: np.concatenate([step.inputs[name], beats]) if name in step.inputs else beats
                for name, beats in more.items()
            }
            yield dataclasses.replace(step, inputs=inputs)
            yield access(*self.registers())

    def held(self) -> Iterator[Step]:
        """One stream held back until everything else waits, wherever in the job that is."""
        rng = np.random.default_rng([self.seed, 9])
        streams = (*self.kind.inputs, *self.kind.outputs)
        for index in range(6 * len(streams)):
            pauses = {streams[index % len(streams)]: Pause(0.1, 300, seed=index + 1)}
            yield self.whole(self.job(6, index), rng, pauses=pauses)
            yield access(*self.registers())

    def long(self) -> Iterator[Step]:
        """Pauses long enough to move the counters' middle bits, on one stream at a time."""
        rng = np.random.default_rng([self.seed, 4])
        for name in (*self.kind.inputs, *self.kind.outputs):
            step = self.whole(self.job(2, 6), rng, pauses={name: Pause(0.2, LONG, seed=5)})
            yield dataclasses.replace(step, options=step.options | {"watchdog": 2 * LONG})
            yield access(*self.registers())

    def storms(self) -> Iterator[Step]:
        """Reads and writes beyond what the driver does, beside jobs and beside each other."""
        rng = np.random.default_rng([self.seed, 5])
        for index in range(N_STORMS):
            setting = Setting(delays=index % 3 == 2, reads=True, seed=index)
            yield self.whole(self.job(7, index), rng, pauses=self.pauses(rng), setting=setting)
            yield hard_reset()
            addresses = [*self._writable * 12, Register.ERROR, Register.CONTROL]
            writes = [
                write(address, int(rng.integers(1 << 32)) >> int(rng.choice([0, 1, 15, 26, 28])))
                for address in rng.permutation(addresses)
            ]
            strobe = 15 - index // 4 % 2
            yield access(*writes, setting=dataclasses.replace(setting, strobe=strobe))
            yield hard_reset()
            setting = Setting(delays=index % 3 == 2, writes=True, seed=index)
            yield access(*self.registers() * 4, setting=setting)
            yield hard_reset()

    def changed(self) -> Iterator[Step]:
        """Every bit of every register in turns 0 and 1 while a storm of reads looks on."""
        for seed, register in enumerate(self._writable):
            for pair in ((0, 0xFFFF_FFFF), (31, 32), (0xFFFF, 0xFFFF_0000), (0x5555, 0x2AAA)):
                writes = [write(register, value) for value in pair]
                yield access(*writes * 30, setting=Setting(reads=True, seed=seed))
                yield hard_reset()
