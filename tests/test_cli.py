"""The command's results: what each prints and writes when all is well."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matweave as package
from matweave.hw import config, source

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "matweave"]


def test_version(matweave):
    assert matweave("--version").out == f"matweave {package.__version__}\n"


def test_without_a_command_it_helps(matweave):
    ended = matweave()
    assert ended.status == 0
    for command in ("list", "schema", "generate", "test", "run", "demo"):
        assert command in ended.out
    assert "MATWEAVE_CACHE_DIR" in ended.out


def test_list(matweave):
    ended = matweave("list")
    assert ended.status == 0
    for name in ["gemm", *config.ARRAYS, "mac", "booth", *source.presets()]:
        assert f"\n  {name} " in ended.out
    listed = json.loads(matweave("list", "--json").out)
    assert list(listed) == ["engines", "arrays", "pes", "presets", "demos", "boards"]
    assert all(about for entries in listed.values() for about in entries.values())


def test_schema(matweave):
    assert json.loads(matweave("schema").out) == config.schema()


def test_the_reference_is_current(matweave):
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert matweave("schema", "--markdown").out == page, "make docs writes it anew"


def test_generate(matweave, tmp_path):
    ended = matweave("generate", "tiny_os", "-o", tmp_path / "out", "--set", "name=other")
    assert ended.status == 0
    assert ended.err == "generating other\n"
    names = {"other.v", "other.json", "other_regs.h", "other_regs.md"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    assert all(name in ended.out for name in names)
    assert "module other(" in (tmp_path / "out" / "other.v").read_text()


def test_generate_in_json(matweave, tmp_path):
    ended = matweave("generate", "tiny_ws", "-o", tmp_path, "--json")
    told = json.loads(ended.out)
    assert told["hash"] == config.load("tiny_ws").hash
    assert {name: (tmp_path / name).stat().st_size for name in told["files"]} == told["files"]


def test_generate_is_the_same_whatever_the_environment(tmp_path):
    found = set()
    for number, folder in enumerate([tmp_path, Path("/")]):
        out = tmp_path / str(number)
        environment = os.environ | {"PYTHONHASHSEED": str(number + 1), "LC_ALL": "C", "USER": "x"}
        arguments = ["generate", "tiny_cube", "-o", out]
        subprocess.run([*COMMAND, *arguments], check=True, cwd=folder, env=environment)
        found.add(tuple((path.name, path.read_bytes()) for path in sorted(out.iterdir())))
    assert len(found) == 1


def test_a_configuration_file_is_read(matweave, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text((source.presets()["tiny_os"]).read_text().replace("tiny_os", "mine"))
    assert matweave("generate", file, "-o", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "mine.v").exists()


def unread(*arguments, **options):
    """Run the command with a standard output whose reader has left before the first byte."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            [*COMMAND, *arguments], stdout=writer, stderr=subprocess.PIPE, text=True, **options
        )
    finally:
        os.close(writer)


@pytest.mark.parametrize("unbuffered", ["", "1"])  # it fails while printing, or at the end
@pytest.mark.parametrize("arguments", [["schema"], ["list", "--json"], ["--version"], ["--help"]])
def test_standard_output_may_be_closed_early(arguments, unbuffered):
    ended = unread(*arguments, env=os.environ | {"PYTHONUNBUFFERED": unbuffered})
    assert ended.stderr == ""
    assert ended.returncode == 0


def test_work_is_done_though_nobody_reads(tmp_path):
    ended = unread("generate", "tiny_os", "-o", tmp_path / "out")
    assert ended.stderr == "generating tiny_os\n"
    assert ended.returncode == 0
    assert (tmp_path / "out" / "tiny_os.v").exists()


def test_progress_that_nobody_reads_is_no_reason_to_stop(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["generate", "tiny_os", "-o", tmp_path / "out"]
    ended = subprocess.run([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=writer)
    os.close(writer)
    assert ended.returncode == 0
    assert b"tiny_os.v" in ended.stdout


FAILED_TEST = """
from pathlib import Path
from matweave.cli import main
from matweave.sim import regression
failed = [regression.Test("x.bad", False, 2.0, "why")]
report = regression.Report(False, failed, Path("results.xml"), [], Path("log"))
regression.run = lambda *_, **__: report
raise SystemExit(main(["test", "tiny_os", "-o", "results"]))
"""


def test_a_failed_test_is_status_1_though_nobody_reads(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-c", FAILED_TEST],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == "matweave: check failed: tests of tiny_os"


@pytest.mark.parametrize("command", ["list", "schema", "generate", "test", "run", "demo"])
def test_debug_may_follow_the_command(matweave, command):
    assert "--debug" in matweave(command, "--help").out


def test_debug_shows_tracebacks_wherever_it_stands(matweave, tmp_path):
    arguments = ["generate", tmp_path / "none.toml", "-o", tmp_path / "out"]
    assert "Traceback" not in matweave(*arguments).err
    for placed in ([*arguments, "--debug"], ["--debug", *arguments]):
        ended = matweave(*placed)
        assert ended.status == 2
        assert "Traceback" in ended.err
        assert "No such option" not in ended.err


def test_progress_is_a_bar_on_a_terminal_only(tmp_path):
    master, slave = pty.openpty()
    arguments = ["generate", "tiny_os", "-o", tmp_path / "out"]
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=slave,
        env=os.environ | {"TERM": "xterm"},
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:  # the other end is closed
            break
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"generating tiny_os" in shown
    assert b"\x1b[" in shown
    assert b"\x1b[" not in out


def test_a_shell_completes_presets():
    environment = os.environ | {
        "_MATWEAVE_COMPLETE": "complete_bash",
        "COMP_WORDS": "matweave generate gemm_os_8x8_b",
        "COMP_CWORD": "2",
    }
    ended = subprocess.run(COMMAND, capture_output=True, text=True, env=environment, check=False)
    assert ended.stdout.split() == ["gemm_os_8x8_booth"]


# With a simulator

BUILDS = pytest.mark.requires_tool("verilator", "g++", "make", "perl")


@pytest.fixture
def operands(tmp_path, seed):
    """A (7 × 5), B (5 × 9), C0 and bias as files, and as a dictionary of arrays."""
    random = np.random.default_rng(seed)
    arrays = {
        "a": random.integers(-128, 128, (7, 5), np.int8),
        "b": np.asfortranarray(random.integers(-128, 128, (5, 9)).astype(">i2")),
        "c0": random.integers(-(2**31), 2**31, (7, 9), np.int32) // 4,
        "bias": random.integers(-1000, 1000, 9),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return arrays


def files(folder, *names):
    return [part for name in names for part in (f"--{name}", folder / f"{name}.npy")]


@BUILDS
def test_run(matweave, operands, tmp_path):
    target = tmp_path / "c.npy"
    ended = matweave("run", "tiny_os", *files(tmp_path, "a", "b"), "-o", target)
    assert ended.status == 0, ended.err
    assert "equals the golden model" in ended.out
    expected = operands["a"].astype(int) @ operands["b"].astype(int)
    assert np.array_equal(np.load(target), expected)


@BUILDS
def test_run_with_everything(matweave, operands, tmp_path):
    target = tmp_path / "c.npy"
    np.save(tmp_path / "multiplier.npy", np.arange(9, dtype=np.uint32) * 1000)
    arguments = [
        *files(tmp_path, "a", "b", "c0", "bias"),
        "--multiplier",
        tmp_path / "multiplier.npy",
    ]
    arguments += ["--shift", "34", "--zero-point", "-3", "--relu", "--json", "-o", target]
    ended = matweave("run", "tiny_os", *arguments)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["checked"] is True
    assert told["shape"] == [7, 9, 5]
    assert told["cycles"] > 0
    assert 0 < told["utilisation"] <= 1
    total = operands["a"].astype(int) @ operands["b"] + operands["c0"] + operands["bias"]
    total = (total + 2**31) % 2**32 - 2**31
    scaled = (total * (np.arange(9) * 1000) + 2**33) >> 34
    assert np.array_equal(np.load(target), np.clip(scaled - 3, -3, 127))


@BUILDS
def test_a_wrong_result_is_not_written(matweave, operands, tmp_path, monkeypatch):
    from matweave.sim.golden import gemm

    def wrong(settings):
        def golden(a, b, **_):
            c = a @ b
            c[2, 3] += 1
            return c

        return golden

    monkeypatch.setattr(gemm, "for_config", wrong)
    target = tmp_path / "c.npy"
    target.write_bytes(b"earlier")
    arguments = [*files(tmp_path, "a", "b"), "-o", target]
    ended = matweave("run", "tiny_os", *arguments)
    assert ended.status == 1
    c = int(operands["a"][2].astype(int) @ operands["b"][:, 3])
    assert ended.error == (
        f"check failed: 1 of 63 elements differ from the golden model; "
        f"C[2, 3] is {c} and should be {c + 1}"
    )
    assert target.read_bytes() == b"earlier"
    ended = matweave("run", "tiny_os", *arguments, "--no-check")
    assert ended.status == 0
    assert "not checked" in ended.out


@pytest.mark.parametrize(
    "simulator",
    [
        pytest.param("verilator", marks=BUILDS),
        pytest.param("icarus", marks=pytest.mark.requires_tool("iverilog", "vvp")),
    ],
)
def test_test(matweave, tmp_path, simulator):
    arguments = ["--simulator", simulator, "--cases", "2", "--seed", "3", "--json", "-o", tmp_path]
    ended = matweave("test", "tiny_os", "tiny_tree", *arguments)
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert told["passed"] is True
    assert [engine["name"] for engine in told["engines"]] == ["tiny_os", "tiny_tree"]
    for engine in told["engines"]:
        assert len(engine["tests"]) > 5
        assert Path(engine["junit"]).is_relative_to(tmp_path)
        assert "<testsuite" in Path(engine["junit"]).read_text()


def test_a_failed_test_is_told_and_is_status_1(matweave, tmp_path, monkeypatch):
    from matweave.sim import regression

    tests = [
        regression.Test("x.good", True, 1.0),
        regression.Test("x.bad", False, 2.0, "why\nmore"),
    ]
    report = regression.Report(False, tests, tmp_path / "results.xml", [], tmp_path / "log")
    monkeypatch.setattr(regression, "run", lambda *_, **__: report)
    ended = matweave("test", "tiny_os", "-o", tmp_path)
    assert ended.status == 1
    assert "tiny_os: 1 of 2 tests passed" in ended.out
    assert "FAILED     2.0 s  x.bad\n          why\n" in ended.out
    assert ended.err.splitlines()[-1] == "matweave: check failed: tests of tiny_os"
