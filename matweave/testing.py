"""The cocotb regression of engines, one after the other: ``matweave test``."""

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from matweave.hw import config, output
from matweave.hw.errors import UserError, nearest, plain, shown
from matweave.hw.network import config as network_config

SIMULATORS = ("verilator", "icarus")


def test(
    origins: Iterable[str],
    overrides: Iterable[str],
    simulator: str,
    seed: int,
    cases: int | None,
    waves: bool,
    folder: Path,
    progress: Callable[..., None],
) -> dict[str, Any]:
    """Run the regression of every configuration; whether all passed, and the tests of each.

    Logs, JUnit XML and waveforms go to ``folder``/NAME-SIMULATOR.
    """
    if simulator not in SIMULATORS:
        raise UserError(
            f"--simulator: {shown(simulator)} is not a simulator; allowed are "
            f"{', '.join(SIMULATORS)}{nearest(simulator, SIMULATORS)}"
        )
    output.check_folder(folder)
    every = [_load(origin, overrides) for origin in origins]  # all, before any takes time
    names = [settings.name for settings in every]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{shown(twice)} names two of the configurations; results go by name")
    from matweave.sim import regression

    folder.mkdir(parents=True, exist_ok=True)
    engines = []
    for settings in every:
        progress(f"testing {settings.name} with {simulator}")
        target = folder / f"{settings.name}-{simulator}"
        # Beside the results of an earlier run, which stay until these are complete.
        with tempfile.TemporaryDirectory(prefix=".test-", dir=folder) as staging:
            work = Path(staging, "new").resolve()
            work.mkdir()
            report = regression.run(
                settings,
                simulator=simulator,
                seed=seed,
                cases=cases,
                waves=waves,
                work_dir=work,
                progress=progress,
            )
            if target.exists():
                os.rename(target, Path(staging, "old"))
            os.rename(work, target)
        files = {"junit": report.junit, "log": report.log, "waves": report.waves}
        engines.append(
            {
                "name": settings.name,
                "passed": bool(report.passed),
                "tests": [_test(each) for each in report.tests],
                **{what: path and _moved(path, work, target) for what, path in files.items()},
            }
        )
    return {
        "simulator": simulator,
        "seed": seed,
        "passed": all(each["passed"] for each in engines),
        "engines": engines,
    }


def _load(origin, overrides):
    """The configuration of an engine, or of a network as ``matweave import`` writes it."""
    kind = network_config if str(origin).endswith(network_config.SUFFIX) else config
    return kind.load(origin, overrides)


def _moved(path: Path, source: Path, target: Path) -> str:
    """Where a file of the folder ``source`` is since that has become ``target``."""
    path = path.resolve()
    return str(target / path.relative_to(source) if path.is_relative_to(source) else path)


def text(result: dict[str, Any]) -> str:
    lines = []
    for engine in result["engines"]:
        passed = sum(each["passed"] for each in engine["tests"])
        lines.append(f"{engine['name']}: {passed} of {len(engine['tests'])} tests passed")
        for each in engine["tests"]:
            verdict = "ok    " if each["passed"] else "FAILED"
            lines.append(f"  {verdict}  {each['seconds']:6.1f} s  {each['name']}")
            if each["message"]:
                lines.append(f"          {each['message']}")
        lines += [f"  {what}: {engine[what]}" for what in ("junit", "log", "waves") if engine[what]]
    return "\n".join(lines)


def _test(test: Any) -> dict[str, Any]:
    return {
        "name": test.name,
        "passed": bool(test.passed),
        "seconds": round(test.seconds, 3),
        "message": plain(test.message.strip().split("\n")[0]),
    }
