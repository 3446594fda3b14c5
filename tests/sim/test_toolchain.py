"""Tools that are missing, old, silent, hanging or failing: one line each, nothing left behind."""

import time
from pathlib import Path

import pytest

from matweave.sim import toolchain


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH of our own; ``tools("g++", "echo 12.2")`` puts a program on it."""
    for cached in (toolchain.compiler, toolchain.make, toolchain.icarus):
        cached.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)

    def add(name: str, script: str):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    yield add
    for cached in (toolchain.compiler, toolchain.make, toolchain.icarus):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("find", "install"),
    [
        (toolchain.compiler, "g++"),
        (toolchain.make, "apt install make"),
        (toolchain.icarus, "apt install iverilog"),
    ],
)
def test_a_missing_tool_is_one_line_with_what_to_install(tools, find, install):
    with pytest.raises(toolchain.ToolError) as error:
        find()
    assert "was not found" in str(error.value) and install in str(error.value)
    assert "\n" not in str(error.value)


def test_an_old_tool(tools):
    tools("g++", "echo 9.4.0")
    with pytest.raises(toolchain.ToolError, match=r"g\+\+ 9\.4\.0 .* is too old, 10\.0 is needed"):
        toolchain.compiler()


def test_a_tool_that_does_not_tell_its_version(tools):
    tools("make", "echo hello")
    with pytest.raises(toolchain.ToolError, match="did not tell its version but: 'hello'"):
        toolchain.make()


def test_a_hanging_tool_is_ended_with_its_children(tools, tmp_path, monkeypatch):
    pid = tmp_path / "pid"
    monkeypatch.setattr(toolchain, "VERSION_TIMEOUT", 0.5)
    tools("make", f"/bin/sleep 60 & echo $! > {pid}; wait")
    start = time.monotonic()
    with pytest.raises(toolchain.ToolError, match=r"gave no result in 0\.5 s"):
        toolchain.make()
    assert time.monotonic() - start < 10
    _wait_until_ended(int(pid.read_text()))


def test_a_failing_tool_shows_its_first_error(tools):
    script = tools("fails", "echo note; echo 'design.v:3: error: no such thing'; echo rest; exit 3")
    with pytest.raises(toolchain.ToolFailed) as error:
        toolchain.run([script], timeout=10, what="compiling x")
    assert str(error.value) == (
        "compiling x: fails failed (exit status 3): design.v:3: error: no such thing"
    )
    assert error.value.output.count("\n") == 3


def test_a_program_that_cannot_be_run(tmp_path):
    path = tmp_path / "text"
    path.write_text("not a program")
    with pytest.raises(toolchain.ToolError, match="cannot be run"):
        toolchain.run([path], timeout=10, what="x")


def test_versions_tell_what_is_missing(tools):
    found = toolchain.versions()
    assert found["icarus"] == found["g++"] == "missing"
    assert found["numpy"][0].isdigit()
    assert {"verilator", "make", "yosys", "amaranth", "cocotb"} <= found.keys()


@pytest.mark.requires_tool("verilator", "g++")
def test_the_environment_of_the_wheel(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-j7 --jobserver-auth=3,4")
    environment = toolchain.environment()
    if toolchain.verilator().root is not None:
        assert "CXX=" in environment["MAKEFLAGS"]
        assert environment["VERILATOR_ROOT"] == str(toolchain.verilator().root)
    assert "jobserver" not in environment.get("MAKEFLAGS", "")
    assert (toolchain.verilator_include() / "verilated.h").is_file()


def _wait_until_ended(pid: int, seconds: float = 10) -> None:
    """A signal is sent at once; on a busy machine the process takes a while to end of it."""
    deadline = time.monotonic() + seconds
    while _running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def _running(pid: int) -> bool:
    # A zombie whose parent has not yet looked is not running ("Z", or "X" on its way out).
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the latter if it ends while we read
        return False
    return state.rpartition(")")[2].split()[0] not in "ZX"


def test_the_compilers_target(tools):
    tools("g++", "case $1 in -dumpmachine) echo riscv64-linux-gnu;; *) echo 12.2.0;; esac")
    found = toolchain.compiler()
    assert (found.version, found.target) == ("12.2.0", "riscv64-linux-gnu")
