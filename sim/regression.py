"""The cocotb regression of one engine: build a simulator, run the benches, keep the JUnit XML."""

import contextlib
import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matweave.hw.engine_table import EngineTable

from . import cache, kinds, toolchain
from .benches.plan import PLAN
from .strip import strip_init

CASES = 20
"""Jobs per test if nothing else is asked for."""

LARGEST = 40
"""Largest M, N, K of a case if the simulator is the slow kind that this module drives."""

BUILD_TIMEOUT, TEST_TIMEOUT = 1800, 3600
"""Seconds for one build and for one run of all benches."""

TIMESCALE = ("1ns", "1ps")


BUILD_ARGUMENTS = {
    "verilator": ["-O3", "--x-assign", "unique", "--x-initial", "unique", "-Wno-fatal"],
    "icarus": [],
}


@dataclass(frozen=True)
class Test:
    """One test of a bench."""

    __test__ = False  # not for pytest to collect

    name: str
    passed: bool
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Report:
    """What a regression found."""

    passed: bool
    tests: list[Test]
    junit: Path
    records: list[dict] = field(default_factory=list, repr=False)
    """What the benches recorded: figures of each test, and cycles of each job."""
    log: Path | None = None
    waves: Path | None = None


def run(
    config: EngineTable,
    simulator: str = "verilator",
    seed: int = 1,
    cases: int | None = None,
    waves: bool = False,
    work_dir: str | os.PathLike | None = None,
    progress: Callable[..., None] | None = None,
    *,
    benches: Sequence[str] | None = None,
    tests: str | None = None,
    strip: bool | None = None,
    reset: bool = True,
    largest: int | None = LARGEST,
) -> Report:
    """Run ``benches`` on the engine of ``config``, which may be a network's: modules of
    :mod:`matweave.sim.benches`, by default all for its kind.

    ``tests``: a regular expression on test names. ``strip``: leave out initial values, so that
    what was not reset is unknown (by default on Icarus, the simulator that knows unknown).
    ``reset=False`` leaves the reset out too: a run that must fail. ``work_dir`` keeps logs, waves
    and ``results.xml``; without, a temporary folder does, which is the caller's to remove.
    """
    say = progress or (lambda *_: None)
    strip = simulator == "icarus" if strip is None else strip
    folder = Path(work_dir) if work_dir else Path(tempfile.mkdtemp(prefix="matweave-"))
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    made = kinds.generated(config)
    verilog = made.verilog
    if strip:
        verilog = strip_init(verilog)
    say(f"building {config.name} for {simulator}")
    build = _build(verilog, config.name, simulator, waves)
    plan = {
        "config": config.canonical(),
        "manifest": made.manifest,
        "seed": seed,
        "cases": CASES if cases is None else cases,
        "largest": largest,
        "reset": reset,
        "record": str(folder / "record.jsonl"),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    for name in ("record.jsonl", "results.xml"):
        (folder / name).unlink(missing_ok=True)
    benches = kinds.of(config).benches if benches is None else benches
    say(f"running the benches of {config.name}")
    _test(build, config.name, simulator, waves, folder, seed, benches, tests)
    found = read_junit(folder / "results.xml", folder / "simulation.log")
    for number, test in enumerate(found, 1):
        say(f"{'passed' if test.passed else 'FAILED'} {test.name}", number, len(found))
    dumped = [path for path in (folder / "dump.vcd", folder / f"{config.name}.fst") if waves]
    return Report(
        passed=bool(found) and all(test.passed for test in found),
        tests=found,
        junit=folder / "results.xml",
        records=read_records(folder / "record.jsonl"),
        log=folder / "simulation.log",
        waves=next((path for path in dumped if path.is_file()), None),
    )


def _build(verilog: str, top: str, simulator: str, waves: bool) -> Path:
    """A built simulator, from the cache if it has it."""
    tool = {"verilator": toolchain.verilator, "icarus": toolchain.icarus}[simulator]()
    compiler = None
    if simulator == "verilator":
        compiler = toolchain.compiler()
        toolchain.make()  # say now what the makefiles would miss
    cocotb = toolchain.versions()["cocotb"]
    key = cache.digest(verilog, top, simulator, waves, tool, compiler, cocotb, BUILD_ARGUMENTS)

    def make(folder: Path) -> None:
        runtime = _runtime(waves) if simulator == "verilator" else ()
        _compile(verilog, top, simulator, waves, folder, runtime)
        for path in folder.iterdir():  # what only the build needs
            if path.suffix in (".o", ".cpp", ".h", ".d", ".a", ".gch", ".dat", ".mk"):
                path.unlink()

    return cache.build("cocotb", key, make)


def _compile(verilog, top, simulator, waves, folder, objects=()) -> None:
    source = folder / "design.v"
    source.write_text(verilog)
    what = f"building {top} for {simulator}"
    _runner(simulator, BUILD_TIMEOUT, what, objects=objects).build(
        sources=[source],
        hdl_toplevel=top,
        build_dir=folder,
        build_args=BUILD_ARGUMENTS[simulator],
        timescale=TIMESCALE,
        waves=waves,
        always=True,
        log_file=folder / "build.log",
    )


def _runtime(waves: bool) -> list[Path]:
    """Verilator's run time: object files that are the same in every build, and half of the work
    for a small engine. (cocotb's ``verilator.o`` is not: it has the size of the model in it.)"""
    cocotb = toolchain.versions()["cocotb"]
    tools = (toolchain.verilator().version, toolchain.compiler(), cocotb)
    key = cache.digest(tools, waves, BUILD_ARGUMENTS["verilator"])
    empty = "module empty(input clk, output reg q); always @(posedge clk) q <= !q; endmodule\n"

    def make(folder: Path) -> None:
        _compile(empty, "empty", "verilator", waves, folder)
        for path in folder.iterdir():
            if not (path.suffix == ".o" and path.name.startswith("verilated")):
                path.unlink()

    return sorted(cache.build("cocotb-runtime", key, make).glob("*.o"))


def _test(build, top, simulator, waves, folder, seed, benches, tests) -> None:
    """Run the benches; their results are in the file, whatever the simulator's exit status."""
    runner = _runner(simulator, TEST_TIMEOUT, f"simulating {top} with {simulator}", check=False)
    arguments = [f"+dumpfile_path={folder / top}.fst"] if waves and simulator == "icarus" else []
    with contextlib.suppress(SystemExit):  # under pytest, the runner's way to say "failed"
        runner.test(
            test_module=[f"matweave.sim.benches.{name}" for name in benches],
            hdl_toplevel=top,
            hdl_toplevel_lang="verilog",
            build_dir=build,
            test_dir=folder,
            seed=seed,
            waves=waves,
            timescale=TIMESCALE,
            plusargs=arguments,
            extra_env={PLAN: str(folder / "plan.json")},
            results_xml=str(folder / "results.xml"),
            log_file=folder / "simulation.log",
            test_filter=tests,
        )


def _runner(simulator: str, timeout: float, what: str, check: bool = True, objects=()):
    """A cocotb runner with our tools, a time limit, and nothing left behind on Ctrl-C.

    ``objects``: files that ``make`` need not compile. ``check``: a failing command is an error.
    """
    from cocotb_tools import runner as cocotb_runner

    base = {"verilator": cocotb_runner.Verilator, "icarus": cocotb_runner.Icarus}[simulator]

    class Runner(base):
        def _simulator_in_path(self):
            pass  # the toolchain has looked, and says what to install

        def _simulator_in_path_build_only(self):
            self.executable = str(toolchain.verilator().path)

        def _set_env_common(self):
            super()._set_env_common()
            if simulator == "verilator":
                ours = toolchain.environment()
                for name in ("VERILATOR_ROOT", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
                    self.env.pop(name, None)
                    if name in ours:
                        self.env[name] = ours[name]
                self.env["PATH"] = ours["PATH"] + os.pathsep + self.env["PATH"]

        def _execute_cmds(self, cmds, cwd, stdout=None):
            for cmd in cmds:
                if cmd[0] == "make":  # now: they must be newer than the makefile
                    for path in objects:
                        shutil.copyfile(path, Path(cwd) / path.name)
                try:
                    output = toolchain.run(cmd, cwd=cwd, env=self.env, timeout=timeout, what=what)
                except toolchain.ToolFailed as error:
                    stdout.write(f"{error.output}\n{error}\n")
                    if check:
                        raise
                else:
                    stdout.write(output)

    return Runner()


def read_junit(path: Path, log: Path) -> list[Test]:
    """The tests in a results file; where there is none, one failed test that says why."""
    try:
        cases = ElementTree.parse(path).getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
        message = lines[-1].strip() if lines else "the simulator gave no results"
        return [Test("simulation", False, 0.0, message)]
    tests = []
    for case in cases:
        problem = next((x for x in case if x.tag in ("failure", "error")), None)
        if any(x.tag == "skipped" for x in case):
            continue
        message = "" if problem is None else problem.get("message") or problem.text or "failed"
        name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}"
        tests.append(Test(name, problem is None, float(case.get("time", 0)), message.strip()))
    return tests


def read_records(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
