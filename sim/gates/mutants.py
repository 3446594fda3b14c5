"""Faults in the netlist, and who notices them."""

from .common import engines
from .registry import Context, Measured, gate


@gate("mutants", "mutants, gate level", "at least 500 an engine, every survivor shown equivalent")
def mutants(context: Context) -> Measured:
    from .. import equivalence, mutation

    count = context.of(500, 20)
    total = killed = stalled = 0
    equal, open_ones, parts = [], [], []
    for config in engines(context):
        report = mutation.run(config, count=count, seed=context.seed, progress=context.say)
        shown = equivalence.classify(config, report, progress=context.say)
        total += report.mutants
        killed += report.killed
        for mutant, verdict in shown.items():
            line = f"{config.name}: {mutant}: {verdict.how}"
            stalled += verdict.killed
            if not verdict.killed:
                (equal if verdict.equivalent else open_ones).append(line)
        parts.append(f"{config.name} {report.killed}/{report.mutants}")
    figure = f"{killed} of {total} killed, {stalled} by proved stalls, "
    figure += f"{len(equal)} equivalent, {len(open_ones)} not shown"
    return Measured(figure, not open_ones and total > 0, "; ".join(parts), tuple(open_ones))
