"""The cocotb regression of engines, one after the other: ``matweave test``."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from matweave.hw import config
from matweave.hw.errors import UserError, nearest, shown

SIMULATORS = ("verilator", "icarus")


def test(
    origins: Iterable[str],
    overrides: Iterable[str],
    simulator: str,
    seed: int,
    cases: int | None,
    waves: bool,
    folder: Path | None,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Run the regression of every configuration; whether all passed, and the tests of each."""
    if simulator not in SIMULATORS:
        raise UserError(
            f"--simulator: {shown(simulator)} is not a simulator; allowed are "
            f"{', '.join(SIMULATORS)}{nearest(simulator, SIMULATORS)}"
        )
    every = [config.load(origin, overrides) for origin in origins]  # all, before any takes time
    from matweave.sim import regression

    engines = []
    for settings in every:
        progress(f"testing {settings.name} with {simulator}")
        report = regression.run(
            settings,
            simulator=simulator,
            seed=seed,
            cases=cases,
            waves=waves,
            work_dir=folder / settings.name if folder else None,
            progress=progress,
        )
        engines.append(
            {
                "name": settings.name,
                "passed": bool(report.passed),
                "tests": [_test(each) for each in report.tests],
                "junit": str(report.junit),
            }
        )
    return {
        "simulator": simulator,
        "seed": seed,
        "passed": all(each["passed"] for each in engines),
        "engines": engines,
    }


def text(result: dict[str, Any]) -> str:
    lines = []
    for engine in result["engines"]:
        passed = sum(each["passed"] for each in engine["tests"])
        lines.append(f"{engine['name']}: {passed} of {len(engine['tests'])} tests passed")
        lines += [
            f"  {'ok' if each['passed'] else 'FAILED':6}  {each['name']}"
            for each in engine["tests"]
        ]
        lines.append(f"  JUnit: {engine['junit']}")
    return "\n".join(lines)


def _test(test: Any) -> dict[str, Any]:
    return {"name": test.name, "passed": bool(test.passed)}
