"""What the cocotb benches show: broken protocols are noticed, unknown values do not get out."""

import tempfile

from .. import kinds
from .common import engines, others
from .registry import Context, Measured, gate


@gate("violations", "protocol violations by the master", "at least 10 kinds, each flagged")
def violations(context: Context) -> Measured:
    from .. import regression

    config = engines(context)[0]
    with tempfile.TemporaryDirectory() as folder:
        context.say(f"violations: {config.name}")
        report = regression.run(
            config, "verilator", context.seed, 1, work_dir=folder, benches=("faults",)
        )
    kinds = {kind for row in report.records for kind in row.get("kinds", ())}
    failures = tuple(f"{test.name}: {test.message}" for test in report.tests if not test.passed)
    ok = report.passed and len(kinds) >= 10
    return Measured(f"{len(kinds)} kinds flagged", ok, ", ".join(sorted(kinds)), failures)


@gate("unknown", "X runs with initial values stripped", "every engine; must fail without reset")
def unknown(context: Context) -> Measured:
    """cocotb on Icarus; the checkers refuse any X on valid outputs."""
    from .. import regression

    chosen, failures, passed = [*engines(context), *others(context)], [], 0
    for number, config in enumerate(chosen):
        context.say("engines from unknown state", number, len(chosen))
        benches = tuple(name for name in kinds.of(config).benches if name != "faults")
        options = {"strip": True, "benches": benches, "largest": 16}
        count = context.of(12, 1)
        with tempfile.TemporaryDirectory() as folder:
            report = regression.run(
                config, "icarus", context.seed, count, work_dir=folder, **options
            )
        passed += report.passed
        failures += [
            f"{config.name}: {test.name}: {test.message}"
            for test in report.tests
            if not test.passed
        ]
        with tempfile.TemporaryDirectory() as folder:
            report = regression.run(
                config, "icarus", context.seed, 1, work_dir=folder, reset=False,
                **(options | {"benches": ("jobs",)}), tests="jobs$",
            )  # fmt: skip
        if report.passed:
            failures.append(f"{config.name}: passes without reset")
    figure = f"{passed} of {len(chosen)} engines, {len(failures)} failures"
    return Measured(figure, not failures and passed == len(chosen), "", tuple(failures))
