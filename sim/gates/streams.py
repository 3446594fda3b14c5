"""Engines under random pauses, left in mid-job and reset."""

import numpy as np

from .. import driver, kinds
from ..golden.operands import same
from ..native import Engine
from ..registers import Control, Register
from .common import engines, others, random_pauses
from .registry import Context, Measured, gate


@gate(
    "streams",
    "stalls / idles / mid-stream resets",
    "at least 100,000 / 100,000 / 1,000, nothing dropped, no hang",
)
def streams(context: Context) -> Measured:
    """Jobs with random pauses; every other one is first left at a random cycle and reset."""
    wanted, resets_wanted = context.of(100_000, 500), context.of(1_000, 4)
    chosen = [*engines(context), *others(context)]
    stalls = idles = resets = jobs = 0
    failures = []
    for number, config in enumerate(chosen, 1):
        kind = kinds.of(config)
        streams = (*kind.inputs, *kind.outputs)
        (output,) = kind.outputs
        rng = np.random.default_rng([context.seed, number])
        index = 0
        with Engine(config, seed=context.seed) as engine:
            while min(
                stalls * len(chosen) - number * wanted,
                idles * len(chosen) - number * wanted,
                resets * len(chosen) - number * resets_wanted,
            ) < 0:  # fmt: skip
                context.say(f"pauses and resets: {config.name}", resets, resets_wanted)
                job = kind.case(config, context.seed + 1, index).job
                pauses = random_pauses(rng, streams)
                try:
                    if index % 2 == 0:
                        resets += _interrupt(engine, job, pauses, rng, soft=index % 4 == 0)
                        job = kind.case(config, context.seed + 2, index).job
                    outcome = _run(engine, job, pauses, rng)
                except Exception as error:  # a hang, a violation, a lost beat
                    failures.append(f"{config.name}: job {index}: {error}")
                    engine.hard_reset()
                    if len(failures) > 10:
                        break
                else:
                    c = job.unpack(config, outcome.outputs[output])
                    if not same(c, job.expected(config)):
                        failures.append(f"{config.name}: job {index}: wrong result")
                    stalls += sum(outcome.stalls.values())
                    idles += sum(outcome.idles.values())
                    jobs += 1
                index += 1
    ok = not failures and min(stalls, idles) >= wanted and resets >= resets_wanted
    figure = f"{stalls:,} / {idles:,} / {resets:,}"
    detail = f"{jobs:,} jobs exact, {len(failures)} failures"
    return Measured(figure, ok, detail, tuple(failures))


def _run(engine: Engine, job, pauses, rng, **options):
    config = engine.config
    job, wanted = job.checked(config), job.beats(config)
    beats = job.pack(config, rng)
    outcome = engine.run(
        beats,
        {name: wanted[name] for name in engine.kind.outputs},
        [driver.write(address, data) for address, data in job.registers(config)],
        pauses=pauses,
        start_last=True,
        **({"drain": 5} | options),
    )
    if not options:
        for name, packed in beats.items():
            assert outcome.taken[name] == len(packed), f"beats of {name} were not taken"
    return outcome


def _interrupt(engine: Engine, job, pauses, rng, *, soft: bool) -> bool:
    """Leave ``job`` at a random cycle and reset the engine; whether that was in its middle:
    operands taken, results still to come."""
    programming = 3 * len(job.registers(engine.config))
    length = sum(job.beats(engine.config).values()) + engine.kind.silence(engine.config)
    stop = programming + int(rng.integers(1, length + 1))
    if soft:
        outcome = _run(engine, job, pauses, rng, stop_at=stop)
        engine.run({}, {}, [driver.flush(Register.CONTROL, Control.SOFT_RESET)])
    else:
        outcome = _run(engine, job, pauses, rng, hard_reset=(stop, int(rng.integers(1, 4))))
    (output,) = engine.kind.outputs
    results = job.beats(engine.config)[output]
    return outcome.first_in is not None and outcome.taken[output] < results
