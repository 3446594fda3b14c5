"""Compiled engines against NumPy, for as many clock cycles as it takes."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig

from .. import sampling
from ..cases import case
from ..golden.gemm import for_config
from ..golden.operands import same
from ..native import Engine
from .common import random_pauses, smallest
from .registry import Context, Measured, gate


@gate("cycles", "bit-exact cycles against NumPy, native", "at least 100,000,000, 0 mismatches")
def cycles(context: Context) -> Measured:
    """Every preset and some random engines, corner cases and random jobs, half with pauses."""
    # Small engines spend their time between jobs: they get a small part of the cycles.
    small, large = [smallest()], []
    if not context.quick:
        presets = [configuration.load(name) for name in configuration.presets(GemmConfig)]
        large = [config for config in presets if max(_limits(config)) > 24]
        small = [config for config in presets if config not in large]
        small += [sampling.valid(context.seed, index) for index in range(10)]
    wanted = context.of(100_000_000, 20_000)
    few = context.of(200_000, wanted)
    shares = [(config, few) for config in small]
    shares += [(config, -(-(wanted - few * len(small)) // len(large))) for config in large]
    total = jobs = 0
    wrong = []
    for config, share in shares:
        golden = for_config(config)
        rng = np.random.default_rng([context.seed, 7])
        with Engine(config, seed=context.seed) as engine:
            index = 0
            while engine.total_cycles < share:
                context.say(f"cycles of {config.name}", engine.total_cycles, share)
                job = case(config, context.seed, index).job
                pauses = random_pauses(rng) if index % 2 else None
                result = engine.job(job, pauses=pauses, fill=rng if index % 4 else None)
                if not same(result.c, golden(**job.arguments())):
                    wrong.append(f"{config.name}: job {index} of seed {context.seed}")
                index += 1
            total += engine.total_cycles
            jobs += index
    detail = f"{jobs:,} jobs on {len(shares)} engines"
    ok = total >= wanted and not wrong
    return Measured(f"{total:,} cycles, {len(wrong)} mismatches", ok, detail, tuple(wrong))


def _limits(config: GemmConfig) -> tuple[int, int, int]:
    return config.limits.m, config.limits.n, config.limits.k
