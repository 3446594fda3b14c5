"""Engines as compiled libraries: right on every case, and the driver notices what is wrong."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import generate
from matweave.sim import driver, native, toolchain, verilate
from matweave.sim.cases import case, cases
from matweave.sim.driver import Pause
from matweave.sim.golden.gemm import for_config
from matweave.sim.jobs import Job
from matweave.sim.native import Engine, EngineError
from matweave.sim.registers import Control, Error, Register, Status

from .engines import KINDS, VARIANTS, engine

pytestmark = pytest.mark.requires_tool("verilator", "g++", "perl")

PATTERNS = (Pause(0.1), Pause(0.5), Pause(0.9), Pause(0.05, 20), Pause(0.3, 5))


@pytest.mark.parametrize("name", [*KINDS, *VARIANTS])
def test_every_case_equals_the_golden_model(name, seed):
    config = engine(name)
    golden = for_config(config)
    rng = np.random.default_rng(seed)
    with Engine(config, seed=seed) as tested:
        for index, item in enumerate(cases(config, seed, 300)):
            pauses = None
            if index % 2:
                chosen = rng.integers(len(PATTERNS), size=4)
                pauses = {
                    s: PATTERNS[i] for s, i in zip(("a", "b", "c0", "c"), chosen, strict=True)
                }
            result = tested.job(item.job, pauses=pauses, fill=rng)
            assert np.array_equal(result.c, golden(**item.job.arguments())), item.name
            assert tested.read(Register.STATUS) == Status.DONE


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
def test_reset_at_every_cycle(name, hard, seed):
    """The next job is right whichever cycle of a job, pauses included, is its last."""
    config = engine(name)
    golden = for_config(config)
    job = next(item.job for item in cases(config, seed, 200) if worthwhile(config, item.job))
    with Engine(config, seed=seed) as tested:
        for pauses in ({}, dict.fromkeys(("a", "b", "c0", "c"), Pause(0.3, 3, seed=seed))):
            cycle = 0
            while True:
                aborted = interrupt(tested, job, cycle, hard, pauses)
                assert not tested.read(Register.STATUS) & Status.BUSY
                after = case(config, seed, 40 + cycle % 9).job
                result = tested.job(after)
                assert np.array_equal(result.c, golden(**after.arguments())), cycle
                cycle += 1
                if not aborted:
                    break
            assert cycle > 30


def worthwhile(config, job: Job) -> bool:
    """Whether ``job`` uses all streams for some time."""
    return job.c0 is not None and 50 < sum(config.geometry.beats(*job.shape).values()) < 80


def interrupt(tested: Engine, job: Job, cycle: int, hard: bool, pauses) -> bool:
    """Reset so many cycles after the first register access; whether the job was cut short."""
    config = tested.config
    beats = job.pack(config)
    expected = config.geometry.beats(*job.shape)["c"]
    writes = [driver.write(*write) for write in job.registers(config)]
    for access in tested.access(writes[:-1]):
        assert access.response == 0
    if hard:
        outcome = tested.run(
            beats, {"c": expected}, writes[-1:], pauses=pauses, hard_reset=(cycle, 1 + cycle % 2)
        )
    else:
        reset = driver.flush(Register.CONTROL, Control.SOFT_RESET, at=cycle)
        outcome = tested.run(beats, {"c": expected}, [*writes[-1:], reset], pauses=pauses, drain=40)
    return outcome.taken["c"] < expected


@pytest.mark.parametrize("name", ["tiny_os", "tiny_ws"])
def test_cycles_do_not_depend_on_values_or_padding(name, seed):
    config = engine(name)
    rng = np.random.default_rng(seed)
    job = case(config, seed, 8).job
    zeros = dataclasses.replace(job, a=np.zeros_like(job.a), b=np.zeros_like(job.b))
    with Engine(config) as tested:
        first = tested.job(job)
        assert tested.job(zeros, fill=rng).cycles == first.cycles
        assert tested.job(job, fill=rng).counters == first.counters
        paused = tested.job(job, pauses={"c": Pause(0.5)})
        assert paused.cycles > first.cycles and paused.counters["stall_c"] > 0


def test_the_same_seed_gives_the_same_pauses(seed):
    config = engine("tiny_os")
    job = case(config, seed, 8).job
    pauses = dict.fromkeys(("a", "b", "c"), Pause(0.4, 3))
    cycles = []
    for chosen in (seed, seed, seed + 1):
        with Engine(config, seed=chosen) as tested:
            cycles.append(tested.job(job, pauses=pauses).cycles)
    assert cycles[0] == cycles[1] != cycles[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"a": np.zeros((2, 3))}, "a must hold integers, not float64"),
        ({"a": np.full((2, 3), np.nan)}, "NaN"),
        ({"a": np.zeros((2, 4), int)}, "b must be 4 × any, not 3 × 2"),
        ({"a": np.full((2, 3), 128)}, "a must be -128 to 127, not 128"),
        ({"a": np.zeros((17, 3), int)}, "m is 17; this engine takes 1 to 16"),
        ({"a": np.zeros((0, 3), int)}, "a must be any × any"),
        ({"c0": np.zeros((2, 3), int)}, "c0 must be 2 × 2"),
        ({"bias": np.zeros(3, int)}, "bias must be 2"),
        ({"bias": np.full(2, 1 << 31)}, "bias must be"),
        ({"requantize": True}, "needs a multiplier and a shift"),
        ({"requantize": True, "multiplier": 1, "shift": 63}, "shift must be 0 to 62"),
        ({"requantize": True, "multiplier": -1, "shift": 1}, "multiplier must be 0"),
        ({"requantize": True, "multiplier": 1, "shift": 1, "zero_point": 1 << 16}, "zero_point"),
    ],
)
def test_operands_that_do_not_fit(change, message):
    job = {"a": np.zeros((2, 3), int), "b": np.zeros((3, 2), int)} | change
    with Engine(engine("tiny_os")) as tested, pytest.raises(ValueError, match=message):
        tested.gemm(**job)


def test_modes_that_are_not_built_in():
    job = Job(np.zeros((1, 1), int), np.zeros((1, 1), int))
    with pytest.raises(ValueError, match=r"output\.mode is raw"):
        dataclasses.replace(job, requantize=True, multiplier=1, shift=1).checked(engine("raw"))
    with pytest.raises(ValueError, match="requantized results only"):
        job.checked(engine("requantized"))


def test_operands_that_never_come_are_a_hang(seed):
    config = engine("tiny_os")
    job = case(config, seed, 8).job
    beats = job.pack(config)
    with Engine(config) as tested:
        writes = [driver.write(*write) for write in job.registers(config)]
        with pytest.raises(EngineError, match=r"no handshake in 200 cycles .* b 1/1"):
            tested.run(
                beats | {"b": beats["b"][:1]},
                {"c": config.geometry.beats(*job.shape)["c"]},
                writes,
                watchdog=200,
            )
        tested.reset()
        tested.job(job)


def test_errors_of_the_engine_are_told():
    with Engine(engine("tiny_os")) as tested:
        tested.write(Register.M, 0)
        tested.write(Register.CONTROL, Control.START)
        assert tested.read(Register.ERROR) == Error.ILLEGAL_SIZE
        with pytest.raises(EngineError, match="write of 0x1 to 0x30 was answered DECERR"):
            tested.write(0x30, 1)
        with pytest.raises(EngineError, match="read of 0x30 was answered DECERR"):
            tested.read(0x30)


FAULTS = {
    1: "tvalid fell before tready on stream c",
    2: "payload changed while waiting on stream c",
    3: "tlast before the last beat on stream c",
    4: "last beat without tlast on stream c",
    5: "a beat beyond the last on stream c",
    6: "no handshake in 500 cycles",
}


@pytest.fixture
def faulty():
    verilog = Path(__file__).with_name("faulty.v").read_text()
    with Engine.from_verilog(verilog, configuration.load("tiny_os")) as tested:
        yield tested


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_protocol_is_noticed(faulty, fault):
    start = [driver.write(Register.CONTROL, Control.START)]
    options = {"pauses": {"c": Pause(0.5, 3)}, "watchdog": 500, "drain": 5}
    for _ in range(3):
        faulty.run({}, {"c": 3}, start, **options)  # no fault, nothing noticed
    faulty.write(Register.MODE, fault)
    with pytest.raises(EngineError, match=FAULTS[fault]):
        for _ in range(20):
            faulty.run({}, {"c": 3}, start, **options)


def test_what_stays_after_a_flush_is_noticed(faulty):
    operations = [
        driver.write(Register.CONTROL, Control.START),
        driver.flush(Register.CONTROL, Control.SOFT_RESET, at=4),
    ]
    never = {"c": Pause(1.0)}
    faulty.run({}, {"c": 3}, operations, pauses=never, drain=10)
    faulty.write(Register.MODE, 5)
    with pytest.raises(EngineError, match="a beat beyond the last"):
        faulty.run({}, {"c": 3}, operations, pauses=never, drain=10)


def test_refused_accesses_of_a_job_are_told(faulty):
    faulty.access([driver.write(Register.MODE, 7)])
    with pytest.raises(EngineError, match="was answered SLVERR"):
        faulty.write(Register.M, 1)


def test_the_second_engine_comes_from_the_cache(monkeypatch):
    Engine(engine("tiny_os")).close()
    monkeypatch.setattr(toolchain, "run", lambda *_, **__: pytest.fail("a tool was run"))
    with Engine(engine("tiny_os")) as tested:
        assert tested.read(Register.MAX_M) == 16


def test_a_missing_compiler_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("MATWEAVE_CACHE_DIR", str(tmp_path))

    def missing():
        raise toolchain.ToolError("g++ was not found on PATH: install it with: apt install g++")

    monkeypatch.setattr(toolchain, "compiler", missing)
    with pytest.raises(toolchain.ToolError, match="apt install g"):
        Engine(engine("tiny_os"))


def test_verilog_that_does_not_compile_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("MATWEAVE_CACHE_DIR", str(tmp_path))
    with pytest.raises(
        toolchain.ToolError, match=r"compiling tiny_os: verilator failed .*design\.v"
    ):
        Engine.from_verilog("module tiny_os(; endmodule", engine("tiny_os"))
    assert not list((tmp_path / "native").glob("[!.]*"))


def test_the_structures_of_both_languages_agree():
    """Every field of native.cpp's structures, in order, is one of driver.py's."""
    text = verilate.DRIVER.read_text()
    for name, structure in (("Stream", driver._Stream), ("Operation", driver._Operation)):
        body = text.split(f"struct {name} {{")[1].split("};")[0]
        fields = [
            line.split("//")[0].split(";")[0].split()[-1]
            for line in body.splitlines()
            if ";" in line.split("//")[0]
        ]
        assert fields == [field for field, _ in structure._fields_]


@pytest.mark.parametrize("name", [*KINDS, "wide", "requantized"])
def test_streams_are_those_of_the_manifest(name):
    config = engine(name)
    streams = generate(config).manifest["streams"]
    inputs, outputs = native.stream_bytes(config)
    assert inputs | outputs == {
        stream["prefix"]: stream["lanes"] * stream["lane_width"] // 8 for stream in streams.values()
    }


def test_from_what_was_generated(seed):
    config = engine("tiny_cube")
    generated = generate(config)
    manifest = json.loads(json.dumps(generated.manifest))
    job = case(config, seed, 8).job
    with Engine.from_generated(generated.verilog, manifest) as tested:
        assert np.array_equal(tested.job(job).c, for_config(config)(**job.arguments()))
