"""The programs of a flow: finding them, running them, and what can go wrong with that."""

import os
import threading
import time
from pathlib import Path

import pytest

from matweave.fpga.targets import runner, tools
from matweave.hw.errors import OutputError
from matweave.sim import toolchain


def test_a_missing_tool(monkeypatch, tmp_path):
    missing = tools.Program("nextpnr-none", "yowasp-nextpnr-none", "yowasp-nextpnr-none", (0, 7))
    with pytest.raises(toolchain.ToolError, match="nextpnr-none was not found: install it with"):
        tools.find(missing)


def test_a_native_program_that_is_too_old(monkeypatch, tmp_path):
    program = tmp_path / "nextpnr-old"
    program.write_text("#!/bin/sh\necho 'nextpnr-old (Version 0.3)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    old = tools.Program("nextpnr-old", "yowasp-nextpnr-old", "yowasp-nextpnr-old", (0, 7))
    with pytest.raises(toolchain.ToolError, match=r"not found \(.* is too old\)"):
        tools.find(old)
    new = tools.Program("nextpnr-old", "yowasp-nextpnr-old", "yowasp-nextpnr-old", (0, 2))
    assert tools.find(new).version == "0.3"


def shell(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def test_a_full_disk_is_told(tmp_path):
    with pytest.raises(OutputError, match="no space left on device"):
        runner.run(shell("echo 'write: No space left on device'; exit 1"), cwd=tmp_path, what="x")


def test_a_result_that_is_not_written(tmp_path):
    with pytest.raises(toolchain.ToolFailed, match=r"x: did not write out\.json"):
        runner.run(shell("true"), cwd=tmp_path, what="x", outputs=["out.json"])


def test_an_error_that_stands_only_in_the_log(tmp_path):
    script = "echo mapping; echo 'ERROR: no such cell' > x.log; exit 1"
    with pytest.raises(toolchain.ToolFailed, match=r"x: .*: ERROR: no such cell"):
        runner.run(shell(script), cwd=tmp_path, what="x", outputs=["x.v", "x.log"])


def test_the_time_limit_and_a_stop_end_all_children(tmp_path):
    script = f"sleep 97 & echo $! >> {tmp_path}/pid; sleep 98"
    with pytest.raises(toolchain.ToolError, match=r"gave no result in 0\.5 s"):
        runner.run(shell(script), cwd=tmp_path, what="x", timeout=0.5)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(runner.Cancelled):
        runner.run(shell(script), cwd=tmp_path, what="x", stop=stop)
    deadline = time.monotonic() + 10
    while any(map(alive, (tmp_path / "pid").read_text().split())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_phases_are_told(tmp_path):
    told = []
    runner.run(
        shell("echo 'Info: Packing IOs..'; echo 'Info: Routing..'"),
        cwd=tmp_path, what="x", tell=told.append,
    )  # fmt: skip
    assert told == ["packing", "routing"]
