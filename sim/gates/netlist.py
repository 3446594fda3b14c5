"""What synthesis made of the Verilog."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.emit import generate

from ..cases import cases
from ..golden.gemm import for_config
from ..golden.operands import same
from .common import engines, random_pauses
from .registry import Context, Measured, gate


@gate("netlist", "synthesised netlist on the same vectors", "one engine per array kind, exact")
def netlist(context: Context) -> Measured:
    from .. import netlist as synthesis

    count, gates, failures = 0, 0, []
    for config in engines(context):
        if not context.quick:  # memories become flip-flops
            config = configuration.from_tables(
                config.canonical() | {"limits": {"m": 6, "n": 6, "k": 6}}
            )
        context.say(f"synthesis of {config.name}")
        text = generate(config).verilog
        found = synthesis.cells(text, config.name)
        gates += sum(found.values())
        golden = for_config(config)
        rng = np.random.default_rng(context.seed)
        with synthesis.GateEngine(config) as engine:
            for index, item in enumerate(cases(config, context.seed, context.of(200, 10))):
                pauses = random_pauses(rng) if index % 2 else None
                result = engine.job(item.job, pauses=pauses, fill=rng)
                count += 1
                if not same(result.c, golden(**item.job.arguments())):
                    failures.append(f"{config.name}: {item.name}")
    figure = f"{count} jobs, {len(failures)} mismatches"
    return Measured(figure, not failures and count > 0, f"{gates:,} cells", tuple(failures))
