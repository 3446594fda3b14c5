"""What synthesis made of the Verilog."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.emit import generate

from .. import kinds
from ..golden.operands import same
from .common import engines, others, random_pauses
from .registry import Context, Measured, gate


@gate(
    "netlist",
    "synthesised netlist on the same vectors",
    "one engine per kind, exact",
)
def netlist(context: Context) -> Measured:
    from .. import netlist as synthesis

    count, gates, failures = 0, 0, []
    chosen = engines(context)
    if not context.quick:  # memories become flip-flops
        limits = {"limits": {"m": 6, "n": 6, "k": 6}}
        chosen = [configuration.from_tables(each.canonical() | limits) for each in chosen]
        chosen += others(context)
    for config in chosen:
        kind = kinds.of(config)
        context.say(f"synthesis of {config.name}")
        text = generate(config).verilog
        found = synthesis.cells(text, config.name)
        gates += sum(found.values())
        rng = np.random.default_rng(context.seed)
        with synthesis.GateEngine(config) as engine:
            for index in range(context.of(200, 10)):
                item = kind.case(config, context.seed, index)
                streams = (*kind.inputs, *kind.outputs)
                pauses = random_pauses(rng, streams) if index % 2 else None
                result = engine.job(item.job, pauses=pauses, fill=rng)
                count += 1
                if not same(result.c, item.job.expected(config)):
                    failures.append(f"{config.name}: {item.name}")
    figure = f"{count} jobs, {len(failures)} mismatches"
    return Measured(figure, not failures and count > 0, f"{gates:,} cells", tuple(failures))
