"""``requires_tool``: what is missing skips a test, or fails it where the run must be complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).with_name("conftest.py")

TESTS = """
import pytest

@pytest.mark.requires_tool("{missing}", "json")
def test_of_the_tool():
    raise AssertionError("ran without it")

@pytest.mark.requires_tool("json", "sh")
def test_of_what_is_there():
    pass
"""


def summary(folder, missing, require):
    (folder / "conftest.py").write_text(CONFTEST.read_text())
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = requires_tool\n")
    (folder / "test_it.py").write_text(TESTS.format(missing=missing))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider", "."],
        cwd=folder,
        env=os.environ | {"MATWEAVE_REQUIRE_TOOLS": require},
        capture_output=True,
        text=True,
    )
    return ended.returncode, ended.stdout


@pytest.mark.parametrize("missing", ["no-such-program", "no_such_package"])
def test_a_missing_tool_is_a_skip_that_says_so(tmp_path, missing):
    status, out = summary(tmp_path, missing, "0")
    assert status == 0
    assert "1 passed, 1 skipped" in out
    assert f"{missing} was not found" in out


@pytest.mark.parametrize("missing", ["no-such-program", "no_such_package"])
def test_a_missing_tool_fails_where_tools_are_required(tmp_path, missing):
    status, out = summary(tmp_path, missing, "1")
    assert status == 1
    assert "1 passed, 1 error" in out
    assert f"{missing} was not found (MATWEAVE_REQUIRE_TOOLS is set)" in out


def test_there_is_no_other_way_to_skip():
    """Each would be a tool that nobody misses."""
    others = [
        f"{path.name}: {word}"
        for path in CONFTEST.parent.rglob("*.py")
        if path not in (CONFTEST, Path(__file__))
        for word in ("importorskip", "pytest.skip", "mark.skip", "REQUIRE_TOOLS")
        if word in path.read_text(encoding="utf-8")
    ]
    assert not others
