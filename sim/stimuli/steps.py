"""A step: what is done to an engine in one go, and the parts that steps are made of."""

from dataclasses import dataclass, field

import numpy as np

from matweave.hw.config import GemmConfig

from .. import harness, kinds
from ..cases import values
from ..driver import Access, Pause, read, write
from ..golden.operands import same
from ..harness import Setting
from ..jobs import Job
from ..native import Engine
from ..registers import COUNTERS, READ_WRITE, Register, Response

PLAIN = Setting()
WATCHDOG = 3_000


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
        (size,) = kinds.of(self.config).stream_bytes(self.config)[1].values()
        beats = np.frombuffer(seen[3], np.uint8).reshape(-1, size)
        c = self.job.unpack(self.config, beats)
        assert same(c, self.job.expected(self.config))
        assert all(operation.response == Response.OKAY for operation in seen[-1])


def observe(engine: Engine, step: Step, mutant: int) -> tuple:
    """Do ``step`` with ``mutant`` selected; everything that could be seen at the ports."""
    engine.run({harness.SELECT: step.setting.beat(mutant)}, {})
    outcome = engine.run(step.inputs, step.outputs, step.operations, **step.options)
    shown = engine.run({harness.SELECT: step.setting.beat(mutant, show=True)}, {harness.SEEN: 1})
    return (
        outcome.cycles,
        outcome.first_in,
        outcome.last_out,
        b"".join(beats.tobytes() for beats in outcome.outputs.values()),
        *(tuple(counts.items()) for counts in (outcome.taken, outcome.stalls, outcome.idles)),
        shown.outputs[harness.SEEN].tobytes(),
        tuple(outcome.operations),
    )


def hard_reset() -> Step:
    return Step(options={"hard_reset": (0, 3)})


def access(*operations: Access, **settings) -> Step:
    return Step(operations=operations, options={"watchdog": WATCHDOG, "drain": 3}, **settings)


def state() -> list[Access]:
    return [read(Register.STATUS), read(Register.ERROR)]


def all_registers() -> list[Access]:
    names = ("STATUS", "ERROR", *READ_WRITE, *COUNTERS)
    return [read(Register[name]) for name in names]


def other_words() -> list[Access]:
    """Writes that would be commands at CONTROL and ERROR, to every other word up to 0xFC."""
    commands = (Register.CONTROL, Register.ERROR)
    return [write(word, 15) for word in range(0, 0x100, 4) if word not in commands]


def job_step(config: GemmConfig, job: Job, *, fill, pauses=None, setting=PLAIN, **options) -> Step:
    """One whole job, or the part of it that ``options`` say."""
    job = job.checked(config)
    whole = not options
    *writes, start = (write(address, data) for address, data in job.registers(config))
    fill.shuffle(writes)  # any order before the start
    return Step(
        inputs=job.pack(config, fill),
        outputs={"c": job.beats(config)["c"]},
        operations=(*writes, start),
        options={"pauses": pauses, "start_last": True, "watchdog": WATCHDOG, "drain": 4 * whole}
        | options,
        setting=setting,
        job=job if whole else None,
        config=config,
    )


def random_pauses(rng: np.random.Generator) -> dict[str, Pause]:
    patterns = [(0.0, 1), (0.1, 1), (0.5, 1), (0.9, 1), (0.05, 20), (0.3, 5)]
    return {
        name: Pause(*patterns[rng.integers(len(patterns))], seed=int(rng.integers(1, 1 << 30)))
        for name in ("a", "b", "c0", "c")
    }


def sums(config: GemmConfig, m: int, n: int, k: int, rng, **settings) -> Job:
    """A random job of that size."""
    if config.output.mode == "requantized":
        settings = {"multiplier": 1 << 30, "shift": 35, "requantize": True} | settings
    a, b = (values(format, "random", size, rng) for format, size in
            ((config.a, (m, k)), (config.b, (k, n))))  # fmt: skip
    return Job(a=a, b=b, **settings)
