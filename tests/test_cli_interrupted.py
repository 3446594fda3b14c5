"""Ctrl-C, termination, kills and missing programs: one line, and earlier results whole."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

BUILDS = pytest.mark.requires_tool("verilator", "g++", "make", "perl")


@pytest.fixture
def earlier(tmp_path):
    """Operands, an earlier result, and no simulator built yet."""
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", np.ones((4, 4), np.int8))
    (tmp_path / "c.npy").write_bytes(b"earlier")
    yield tmp_path
    assert (tmp_path / "c.npy").read_bytes() == b"earlier"
    assert not list(tmp_path.glob(".*.partial"))


def start(folder, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "matweave", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"MATWEAVE_CACHE_DIR": str(folder / "cache")} | environment,
        start_new_session=True,
    )


RUN = ["run", "tiny_os", "--a", "a.npy", "--b", "b.npy", "-o", "c.npy"]


def processes_in(folder):
    """Command lines of the running processes that were started in ``folder`` or name it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in command or str(folder) in os.readlink(entry / "cwd"):
                found.append(command)
    return found


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@BUILDS
@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
    ids=["SIGINT", "SIGTERM"],
)
def test_ctrl_c_during_a_build(earlier, number, status, word):
    process = start(earlier, *RUN)
    compiling = wait_for(lambda: any("cc1plus" in each for each in processes_in(earlier)))
    assert compiling, process.communicate(timeout=60)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert out == ""
    assert err.splitlines()[-1] == f"matweave: {word}"
    assert "Traceback" not in err
    assert wait_for(lambda: not processes_in(earlier), 10), processes_in(earlier)
    left = [path for path in (earlier / "cache").rglob("*") if path.suffix in (".so", ".o", ".cpp")]
    assert left == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_a_signal_at_any_time_leaves_the_earlier_files(tmp_path, number, seed):
    generate = ["generate", "tiny_os", "-o", "out"]
    start(tmp_path, *generate).communicate()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    assert len(before) == 4
    chance = random.Random(seed)
    began = time.monotonic()
    start(tmp_path, *generate, "--set", "limits.k=8").communicate()
    duration = time.monotonic() - began
    after = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    assert after != before
    for _ in range(6):
        process = start(tmp_path, *generate)
        time.sleep(chance.uniform(0, duration))
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        assert found in (before, after)
        if process.returncode == 130:
            assert err.splitlines()[-1] == "matweave: interrupted"
            assert "Traceback" not in err
        start(tmp_path, *generate, "--set", "limits.k=8").communicate()


def test_two_generations_at_once_leave_one_of_the_two(tmp_path):
    generate = ["generate", "tiny_os", "-o"]
    sets = [["--set", f"limits.k={k}"] for k in (8, 9)]
    for process in [start(tmp_path, *generate, "out", *each) for each in sets]:
        assert process.wait(60) == 0, process.communicate()
    assert not list(tmp_path.glob(".*"))
    contents = {}
    for folder, each in [("8", sets[0]), ("9", sets[1]), ("out", None)]:
        if each:
            start(tmp_path, *generate, folder, *each).wait(60)
        files = sorted((tmp_path / folder).iterdir())
        contents[folder] = [(path.name, path.read_text()) for path in files]
    assert contents["8"] != contents["9"]
    assert contents["out"] in (contents["8"], contents["9"])


def without(folder, *programs):
    """A PATH on which everything is but ``programs``."""
    links = folder / "bin"
    links.mkdir()
    for directory in os.environ["PATH"].split(os.pathsep):
        for path in Path(directory).glob("*"):
            if path.name not in programs and not (links / path.name).exists():
                with contextlib.suppress(OSError):
                    (links / path.name).symlink_to(path)
    return str(links)


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("g++", RUN),
        ("perl", RUN),
        ("make", ["test", "tiny_os"]),
        ("iverilog", ["test", "tiny_os", "--simulator", "icarus"]),
    ],
)
def test_a_missing_program_is_named_with_what_to_install(
    earlier, tmp_path_factory, program, arguments
):
    path = without(tmp_path_factory.mktemp("path"), program)
    process = start(earlier, *arguments, PATH=path, CXX="")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("matweave: error: ")
    assert program in last
    assert "install" in last
    assert "Traceback" not in err


@pytest.mark.parametrize("behaviour", ["exit 1", "echo 1.0"])
def test_a_broken_or_ancient_compiler_is_told(earlier, tmp_path_factory, behaviour):
    compiler = tmp_path_factory.mktemp("tools") / "g++"
    compiler.write_text(f"#!{shutil.which('sh')}\n{behaviour}\n")
    compiler.chmod(0o755)
    process = start(earlier, *RUN, CXX=str(compiler))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert out == ""
    assert "g++" in err.splitlines()[-1]
    assert "Traceback" not in err
