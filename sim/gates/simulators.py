"""Four simulators agree."""

import tempfile

from .. import kinds
from ..golden.operands import digest
from ..native import Engine
from .common import engines, others
from .registry import Context, Measured, gate


@gate("simulators", "Verilator, Icarus and Amaranth agree", "same results, same cycles")
def simulators(context: Context) -> Measured:
    """The same jobs in four simulators: cocotb on Verilator and Icarus, compiled, Amaranth's."""
    from .. import pysim, regression

    count = context.of(18, 2)
    compared, failures = 0, []
    for config in [*engines(context), *others(context)]:
        case = kinds.of(config).case
        drawn = [case(config, context.seed, index, 16) for index in range(count)]
        found = {}
        for simulator in ("verilator", "icarus"):
            context.say(f"{simulator}: {config.name}")
            with tempfile.TemporaryDirectory() as folder:
                report = regression.run(
                    config, simulator, context.seed, count, work_dir=folder, benches=("jobs",),
                    tests="jobs$", largest=16,
                )  # fmt: skip
            rows = [row for row in report.records if "index" in row]
            found[simulator] = [(row["c"], row["cycles"]) for row in rows]
            if not report.passed:
                failures.append(f"{config.name}: {simulator} failed")
        context.say(f"Amaranth: {config.name}")
        results = pysim.jobs(config, [item.job for item in drawn])
        found["amaranth"] = [(digest(result.c), result.cycles) for result in results]
        with Engine(config) as engine:
            results = [engine.job(item.job) for item in drawn]
        found["native"] = [(digest(result.c), result.cycles) for result in results]
        for index, item in enumerate(drawn):
            rows = {name: rows[index : index + 1] for name, rows in found.items()}
            compared += 1
            if len({tuple(row) for row in rows.values()}) != 1:
                failures.append(f"{config.name}: {item.name}: {rows}")
    figure = f"{compared} jobs × 4, {len(failures)} differences"
    return Measured(figure, not failures and compared > 0, "results and cycles", tuple(failures))
