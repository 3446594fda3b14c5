"""Transformer engines whole: cycles of their jobs, and what they take.

An engine is a preset, with overrides behind commas: ``decode_128,weight='int4'``. Jobs (a whole
one, and of a decoder single tokens behind it) run on the compiled Verilog, with random models;
results are compared with the golden model's, cycles with the cycle model, which is an upper bound.
``--luts``: an ECP5's cells as Yosys maps the engine, DSP blocks and block RAM allowed, as many as
it wants.
"""

import re
import sys

import common

ENGINES = (
    "encoder_64", "btag", "decode_128", "decode_128,weight='int4'", "decode_128_ternary",
    "decode_128_ternary,weight='int4'", "decode_128_ternary,weight='binary'",
)  # fmt: skip
SEED, TOKENS = 20261127, 3


def jobs(config):
    """A job of the most tokens with its model; the same with the model kept; of a decoder then
    single tokens at the end of its context."""
    import dataclasses

    import numpy as np

    from matweave.sim.transformer.jobs import EncoderJob, case

    model = config.model
    rng = np.random.default_rng(SEED)
    span = config.activation

    def tokens(count):
        return rng.integers(span.min, span.max, (count, model.width), endpoint=True)

    first = EncoderJob(tokens(model.tokens), case(config, SEED, 0).job.parameters).checked(config)
    yield first
    yield dataclasses.replace(first, load=False)
    if not model.causal:
        return
    past = first.x
    while len(past) < model.context - TOKENS:
        more = tokens(min(model.tokens, model.context - TOKENS - len(past)))
        yield EncoderJob(more, first.parameters, load=False, past=past).checked(config)
        past = np.concatenate([past, more])
    for _ in range(TOKENS):
        one = EncoderJob(tokens(1), first.parameters, load=False, past=past).checked(config)
        yield one
        past = one.sequence


def played(config) -> dict:
    """Cycles of the whole job with the model there, and of the last one, against the model's."""
    import numpy as np

    from matweave.sim.native import Engine
    from matweave.sim.perf import transformer as perf

    found, wrong, ratios = [], 0, []
    with Engine(config) as engine:
        for job in jobs(config):
            result = engine.job(job)
            wrong += not np.array_equal(result.c, job.expected(config))
            predicted = perf.predict(config, len(job.x), load=job.load, position=job.position)
            ratios.append(predicted / result.cycles)
            found.append((len(job.x), result.cycles))
    tokens, cycles = found[1]
    figures = {"jobs": len(found), "jobs_wrong": wrong, "tokens": tokens, "cycles": cycles}
    if config.model.causal:
        figures["cycles_of_last_token"] = found[-1][1]
    return figures | {"least_predicted": min(ratios), "most_predicted": max(ratios)}


def fabric(config) -> dict:
    from matweave.fpga.targets import resources
    from matweave.hw import emit
    from matweave.hw.engine import build

    verilog = emit.verilog(build(config), config.name)
    found = resources.synthesise(verilog, config.name, "ecp5", dsp=True)
    return {
        "ecp5_luts": found.luts + resources.CARRY_LUTS["ecp5"] * found.carries,
        "ecp5_flops": found.flops, "dsps": found.dsps, "block_rams": found.blocks,
    }  # fmt: skip


def measured(options):
    from matweave.hw import config as configurations

    for name in options.engines:
        # Not at the commas within a table.
        origin, *overrides = re.split(r",(?![^{]*})", name)
        config = configurations.load(origin, overrides)
        figures = {
            "weight": str(config.weight), "array": config.array.kind,
            "macs_per_cycle": config.macs_per_cycle,
            "weight_bits": config.sizes.weight_beats * config.sizes.weight_width,
        }  # fmt: skip
        if not options.no_jobs:
            figures |= played(config)
        if options.luts:
            figures |= fabric(config)
        print(f"transformers: {name}: done", file=sys.stderr, flush=True)
        yield common.row({"engine": name}, **figures)


def bars(rows) -> list[common.Bar]:
    found = []
    for row in rows:
        name = row["config"]["engine"]
        if "jobs_wrong" in row:
            found.append(common.Bar(f"{name}: jobs wrong", row["jobs_wrong"], "<=", 0))
            found.append(common.Bar(f"{name}: least predicted", row["least_predicted"], ">=", 1))
            found.append(common.Bar(f"{name}: most predicted", row["most_predicted"], "<=", 1.11))
    return found


def main() -> int:
    parser = common.parser(__doc__)
    parser.add_argument("engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--luts", action="store_true", help="ECP5's cells")
    parser.add_argument("--no-jobs", action="store_true", help="simulate nothing")
    options = parser.parse_args()
    rows = list(measured(options))
    return common.report("transformers", rows, bars(rows), as_json=options.json)


if __name__ == "__main__":
    common.run(main)
