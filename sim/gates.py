"""The gates of a release: each a function that measures one figure and says whether it suffices.

``@gate(name, figure, required)`` adds a function to :data:`GATES`; it gets a :class:`Context` and
gives a :class:`Measured`. An engine kind that is added later adds its configurations to
:func:`engines` and inherits all of them.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from matweave.hw import config as configuration
from matweave.hw import source
from matweave.hw.catalog import pes
from matweave.hw.config import ARRAYS, GemmConfig
from matweave.hw.emit import generate
from matweave.hw.formats import Format

from . import driver, layout, sampling, toolchain
from .cases import case, cases
from .driver import Pause
from .golden.gemm import for_config
from .native import Engine
from .perf import predict_job
from .registers import Control, Register

CHECKOUT = Path(__file__).resolve().parents[1]
"""Where the tests are, if this is a checkout."""


@dataclass(frozen=True)
class Context:
    """What a gate gets. ``quick``: a small part of the work, to see that the gate works."""

    seed: int
    quick: bool
    say: Callable[..., None]
    """Progress: (step, done, total)."""

    def of(self, full: int, quick: int) -> int:
        return quick if self.quick else full


@dataclass(frozen=True)
class Measured:
    """The figure, whether it passes, and how it came about."""

    figure: str
    ok: bool
    detail: str = ""
    findings: tuple[str, ...] = ()
    """What to look at, one line each."""


@dataclass(frozen=True)
class Gate:
    name: str
    figure: str
    required: str
    measure: Callable[[Context], Measured]


GATES: list[Gate] = []


def gate(name: str, figure: str, required: str):
    """Register the function below as the gate ``name``."""

    def add(measure):
        GATES.append(Gate(name, figure, required, measure))
        return measure

    return add


def engines(context: Context) -> list[GemmConfig]:
    """One small engine per array kind."""
    names = ["tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube"]
    if context.quick:
        return [_smallest()]
    return [configuration.load(name) for name in names]


def _smallest() -> GemmConfig:
    return configuration.load(
        "tiny_os", ["a=int3", "b=int3", "limits={m=4,n=4,k=4}", "array.rows=2", "array.columns=2"]
    )


@gate("cycles", "bit-exact cycles against NumPy, native", "at least 100,000,000, 0 mismatches")
def cycles(context: Context) -> Measured:
    """Every preset and some random engines, corner cases and random jobs, half with pauses."""
    # Small engines spend their time between jobs: they get a small part of the cycles.
    small, large = [_smallest()], []
    if not context.quick:
        presets = [configuration.load(name) for name in source.presets()]
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
                pauses = _pauses(rng) if index % 2 else None
                result = engine.job(job, pauses=pauses, fill=rng if index % 4 else None)
                if not np.array_equal(result.c, golden(**job.arguments())):
                    wrong.append(f"{config.name}: job {index} of seed {context.seed}")
                index += 1
            total += engine.total_cycles
            jobs += index
    detail = f"{jobs:,} jobs on {len(shares)} engines"
    ok = total >= wanted and not wrong
    return Measured(f"{total:,} cycles, {len(wrong)} mismatches", ok, detail, tuple(wrong))


def _limits(config: GemmConfig) -> tuple[int, int, int]:
    return config.limits.m, config.limits.n, config.limits.k


def _pauses(rng: np.random.Generator) -> dict[str, Pause]:
    patterns = [(0.0, 1), (0.1, 1), (0.5, 1), (0.05, 20), (0.3, 5)]
    return {
        name: Pause(*patterns[rng.integers(len(patterns))], seed=int(rng.integers(1, 1 << 30)))
        for name in ("a", "b", "c0", "c")
    }


@gate("accepted", "valid configurations sampled: all generate", "at least 200, 0 failures")
def accepted(context: Context) -> Measured:
    """Generated; every twentieth is simulated as well, on 40 jobs."""
    count = context.of(200, 3)
    failures, simulated = [], 0
    for index in range(count):
        context.say("valid configurations", index, count)
        config = sampling.valid(context.seed, index)
        try:
            generated = generate(config)
            if index % 20 == 0:
                simulated += 1
                golden = for_config(config)
                with Engine.from_verilog(generated.verilog, config) as engine:
                    for item in cases(config, context.seed, context.of(40, 5)):
                        result = engine.job(item.job)
                        assert np.array_equal(result.c, golden(**item.job.arguments())), item.name
        except Exception as error:  # whatever it is, it is the figure
            failures.append(f"configuration {index}: {type(error).__name__}: {error}")
    ok = not failures and (count >= 200 or context.quick)
    figure = f"{count} generated, {len(failures)} failures"
    return Measured(figure, ok, f"{simulated} simulated", tuple(failures))


@gate("refused", "bad configurations refused", "at least 150: one line, nothing written")
def refused(context: Context) -> Measured:
    """Each by the command line: exit status 2, one line, no traceback, no output folder."""
    count = context.of(len(sampling.NOT_TOML) + len(sampling.WRONG), 4)
    failures = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count() or 1) as pool:

        def one(index: int) -> str:
            path = Path(folder) / f"bad_{index}.toml"
            path.write_bytes(sampling.bad(context.seed, index))
            target = Path(folder) / f"out_{index}"
            done = subprocess.run(
                [sys.executable, "-m", "matweave", "generate", str(path), "-o", str(target)],
                capture_output=True,
                text=True,
                timeout=300,
            )
            lines = done.stderr.strip().splitlines()
            if done.returncode != 2 or len(lines) != 1 or done.stdout or target.exists():
                return f"configuration {index}: status {done.returncode}, {lines[-1:]}"
            return ""

        for index, failure in enumerate(pool.map(one, range(count)), 1):
            context.say("bad configurations", index, count)
            if failure:
                failures.append(failure)
    ok = not failures and (count >= 150 or context.quick)
    return Measured(f"{count - len(failures)} of {count} refused", ok, "", tuple(failures))


@gate("simulators", "Verilator, Icarus and Amaranth agree", "same results, same cycles")
def simulators(context: Context) -> Measured:
    """The same jobs in four simulators: cocotb on Verilator and Icarus, compiled, Amaranth's."""
    from . import pysim, regression

    count = context.of(18, 2)
    compared, failures = 0, []
    for config in engines(context):
        drawn = list(cases(config, context.seed, count, 16))
        found = {}
        for simulator in ("verilator", "icarus"):
            context.say(f"{simulator}: {config.name}")
            with tempfile.TemporaryDirectory() as folder:
                report = regression.run(
                    config, simulator, context.seed, count, work_dir=folder, benches=("gemm",),
                    tests="jobs$", largest=16,
                )  # fmt: skip
            rows = [row for row in report.records if "index" in row]
            found[simulator] = [(row["c"], row["cycles"]) for row in rows]
            if not report.passed:
                failures.append(f"{config.name}: {simulator} failed")
        context.say(f"Amaranth: {config.name}")
        results = pysim.jobs(config, [item.job for item in drawn])
        found["amaranth"] = [(_digest(result.c), result.cycles) for result in results]
        with Engine(config) as engine:
            results = [engine.job(item.job) for item in drawn]
        found["native"] = [(_digest(result.c), result.cycles) for result in results]
        for index, item in enumerate(drawn):
            rows = {name: rows[index : index + 1] for name, rows in found.items()}
            compared += 1
            if len({tuple(row) for row in rows.values()}) != 1:
                failures.append(f"{config.name}: {item.name}: {rows}")
    figure = f"{compared} jobs × 4, {len(failures)} differences"
    return Measured(figure, not failures and compared > 0, "results and cycles", tuple(failures))


def _digest(c: np.ndarray) -> str:
    return hashlib.sha256(c.astype(np.int64).tobytes()).hexdigest()[:16]


@gate(
    "streams",
    "stalls / idles / mid-stream resets",
    "at least 100,000 / 100,000 / 1,000, nothing dropped, no hang",
)
def streams(context: Context) -> Measured:
    """Jobs with random pauses; every other one is first left at a random cycle and reset."""
    wanted, resets_wanted = context.of(100_000, 500), context.of(1_000, 4)
    chosen = engines(context)
    stalls = idles = resets = jobs = 0
    failures = []
    for number, config in enumerate(chosen, 1):
        golden = for_config(config)
        rng = np.random.default_rng([context.seed, number])
        index = 0
        with Engine(config, seed=context.seed) as engine:
            while min(
                stalls * len(chosen) - number * wanted,
                idles * len(chosen) - number * wanted,
                resets * len(chosen) - number * resets_wanted,
            ) < 0:  # fmt: skip
                context.say(f"pauses and resets: {config.name}", resets, resets_wanted)
                job = case(config, context.seed + 1, index).job
                pauses = _pauses(rng)
                try:
                    if index % 2 == 0:
                        resets += _interrupt(engine, job, pauses, rng, soft=index % 4 == 0)
                        job = case(config, context.seed + 2, index).job
                    outcome = _run(engine, job, pauses, rng)
                except Exception as error:  # a hang, a violation, a lost beat
                    failures.append(f"{config.name}: job {index}: {error}")
                    engine.hard_reset()
                    if len(failures) > 10:
                        break
                else:
                    m, n, _ = job.shape
                    c = layout.unpack_c(
                        outcome.outputs["c"], m, n, config.geometry, job.lane(config)
                    )
                    if not np.array_equal(c, golden(**job.arguments())):
                        failures.append(f"{config.name}: job {index}: wrong result")
                    stalls += sum(outcome.stalls.values())
                    idles += sum(outcome.idles.values())
                    jobs += 1
                index += 1
    ok = not failures and min(stalls, idles) >= wanted and resets >= resets_wanted
    figure = f"{stalls:,} / {idles:,} / {resets:,}"
    detail = f"{jobs:,} jobs exact, {len(failures)} failures"
    return Measured(figure, ok, detail, tuple(failures))


def _run(engine: Engine, job, pauses, rng, **options):
    config = engine.config
    job = job.checked(config)
    beats = job.pack(config, rng)
    outcome = engine.run(
        beats,
        {"c": config.geometry.beats(*job.shape)["c"]},
        [driver.write(address, data) for address, data in job.registers(config)],
        pauses=pauses,
        start_last=True,
        **({"drain": 5} | options),
    )
    if not options:
        for name, packed in beats.items():
            assert outcome.taken[name] == len(packed), f"beats of {name} were not taken"
    return outcome


def _interrupt(engine: Engine, job, pauses, rng, *, soft: bool) -> bool:
    """Leave ``job`` at a random cycle and reset the engine; whether that was in its middle:
    operands taken, results still to come."""
    programming = 3 * len(job.registers(engine.config))
    stop = programming + int(rng.integers(1, predict_job(engine.config, job.a, job.shape[1]) + 1))
    if soft:
        outcome = _run(engine, job, pauses, rng, stop_at=stop)
        engine.run({}, {}, [driver.flush(Register.CONTROL, Control.SOFT_RESET)])
    else:
        outcome = _run(engine, job, pauses, rng, hard_reset=(stop, int(rng.integers(1, 4))))
    results = engine.config.geometry.beats(*job.shape)["c"]
    return outcome.first_in is not None and outcome.taken["c"] < results


@gate("violations", "protocol violations by the master", "at least 10 kinds, each flagged")
def violations(context: Context) -> Measured:
    from . import regression

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
    from . import regression

    chosen, failures, passed = engines(context), [], 0
    for number, config in enumerate(chosen):
        context.say("engines from unknown state", number, len(chosen))
        options = {"strip": True, "benches": ("gemm", "registers"), "largest": 16}
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
                **(options | {"benches": ("gemm",)}), tests="jobs$",
            )  # fmt: skip
        if report.passed:
            failures.append(f"{config.name}: passes without reset")
    figure = f"{passed} of {len(chosen)} engines, {len(failures)} failures"
    return Measured(figure, not failures and passed == len(chosen), "", tuple(failures))


@gate("properties", "properties proved, planted bugs caught", "all")
def properties(context: Context) -> Measured:
    """``tests/formal``: every property by Bitwuzla, and again with a bug in it."""
    select = ["-k", "digits or lost_carry"] if context.quick else []
    return _pytest(context, "formal", select, "proofs")


def _pytest(context: Context, folder: str, select: list[str], what: str) -> Measured:
    tests = CHECKOUT / "tests" / folder
    if not tests.exists() or importlib.util.find_spec("pytest") is None:
        return Measured("not run", False, "needs a checkout and pytest")
    context.say(f"{what}: tests/{folder}")
    with tempfile.TemporaryDirectory() as temporary:
        junit = Path(temporary) / "junit.xml"
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-q", "-m", "", f"--junitxml={junit}"),
                *("-p", "no:cacheprovider", str(tests), *select),
            ],
            cwd=CHECKOUT,
            env={**os.environ, "MATWEAVE_REQUIRE_TOOLS": "1", "MATWEAVE_SEED": str(context.seed)},
            capture_output=True,
            text=True,
        )
        if not junit.is_file():
            return Measured("not run", False, done.stdout.strip().splitlines()[-1:][0])
        ran = list(ElementTree.parse(junit).getroot().iter("testcase"))
    failed = [test.get("name") for test in ran if any(x.tag != "properties" for x in test)]
    planted = sum("found" in test.get("name", "") for test in ran)
    figure = f"{len(ran) - len(failed)} of {len(ran)} {what}"
    return Measured(figure, bool(ran) and not failed, f"{planted} planted bugs", tuple(failed))


@gate("multipliers", "multipliers and PEs exhaustive", "all formats to 8 bits, and 16 × 16 bits")
def multipliers(context: Context) -> Measured:
    """Every PE: all values of all pairs of formats of 2 to 8 bits, then of 16 × 16 bits."""
    from . import exhaustive

    total = wrong = 0
    parts = []
    for kind in pes():
        work = [exhaustive.narrow(context.of(8, 3))]
        if not context.quick:
            work.append([(Format(16, signed), Format(16, signed)) for signed in (True, False)])
        for pairs in work:
            count, bad = exhaustive.check(kind, pairs, context.say)
            total += count
            wrong += bad
            parts.append(f"{kind}: {len(pairs)} pairs of formats")
    figure = f"{total:,} products, {wrong} wrong"
    return Measured(figure, wrong == 0, "; ".join(parts))


@gate("mutants", "mutants, gate level", "at least 500 an engine, every survivor shown equivalent")
def mutants(context: Context) -> Measured:
    from . import equivalence, mutation

    count = context.of(500, 20)
    total = killed = 0
    equal, open_ones, parts = [], [], []
    for config in engines(context):
        report = mutation.run(config, count=count, seed=context.seed, progress=context.say)
        shown = equivalence.classify(config, report, progress=context.say)
        total += report.mutants
        killed += report.killed
        for mutant, verdict in shown.items():
            line = f"{config.name}: {mutant}: {verdict.how}"
            (equal if verdict.equivalent else open_ones).append(line)
        parts.append(f"{config.name} {report.killed}/{report.mutants}")
    figure = f"{killed} of {total} killed, {len(equal)} equivalent, {len(open_ones)} not shown"
    return Measured(figure, not open_ones and total > 0, "; ".join(parts), tuple(open_ones))


@gate("netlist", "synthesised netlist on the same vectors", "one engine per array kind, exact")
def netlist(context: Context) -> Measured:
    from . import netlist as synthesis

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
        with Engine.from_verilog(synthesis.gates(text, config.name), config) as engine:
            for index, item in enumerate(cases(config, context.seed, context.of(200, 10))):
                pauses = _pauses(rng) if index % 2 else None
                result = engine.job(item.job, pauses=pauses, fill=rng)
                count += 1
                if not np.array_equal(result.c, golden(**item.job.arguments())):
                    failures.append(f"{config.name}: {item.name}")
    figure = f"{count} jobs, {len(failures)} mismatches"
    return Measured(figure, not failures and count > 0, f"{gates:,} cells", tuple(failures))


@gate("reproducible", "reproducible Verilog", "one SHA-256 per engine, whatever the environment")
def reproducible(context: Context) -> Measured:
    """Over hash seeds, folders, users, locales and time zones."""
    names = [preset for preset in source.presets() if preset.startswith("tiny")]
    names = names[: context.of(len(names), 1)]
    if not context.quick:
        names += ["gemm_os_8x8_booth", "gemm_tree1d_16", "gemm_mixed_4x12"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "höme of someone"
        home.mkdir()
        changes = [
            {},
            {"PYTHONHASHSEED": "0"},
            {"PYTHONHASHSEED": "1", "LC_ALL": "C"},
            {"PYTHONHASHSEED": "4294967295", "LC_ALL": "C.UTF-8", "TZ": "Pacific/Kiritimati"},
            {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "cwd": str(home)},
            {"HOME": str(home), "USER": "nobody", "LOGNAME": "nobody", "cwd": "/"},
            {"PYTHONUTF8": "0", "LC_ALL": "POSIX", "TMPDIR": str(home), "cwd": folder},
        ][: context.of(7, 2)]
        seen = {name: set() for name in names}
        for number, change in enumerate(changes):
            context.say("environments", number, len(changes))
            cwd = change.pop("cwd", None)
            done = subprocess.run(
                [sys.executable, "-c", HASHES, *names],
                env={**os.environ, **change},
                cwd=cwd,
                capture_output=True,
                text=True,
            )
            lines = done.stdout.split()
            if done.returncode or len(lines) != len(names):
                return Measured("failed", False, done.stderr.strip()[-300:])
            for name, digest in zip(names, lines, strict=True):
                seen[name].add(digest)
    different = tuple(name for name, digests in seen.items() if len(digests) != 1)
    figure = f"{len(names)} engines × {len(changes)} environments, {len(different)} differ"
    return Measured(figure, not different, "all files hashed", different)


HASHES = """
import hashlib, sys
from matweave.hw import config, emit
for name in sys.argv[1:]:
    files = emit.generate(config.load(name)).files
    print(hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest())
"""


def tools() -> dict[str, str]:
    return toolchain.versions()


def array_kinds() -> list[str]:
    return list(ARRAYS)
