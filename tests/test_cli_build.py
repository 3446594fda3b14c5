"""The command ``matweave build``: what it is told, and one line for what cannot be."""

import subprocess
import sys

import pytest

from matweave import building
from matweave.fpga import demos


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["digitz", "--board", "ulx3s_85f"], "digitz: is neither a demo, a preset nor a file; "
         "`matweave list` names them; did you mean 'digits'?"),
        (["digits", "--board", "ulx3s"], "error: --board ulx3s: is not a board; allowed are "),
        (["none.toml", "--board", "hx8k"], "none.toml: does not exist"),
        (["digits", "--board", "hx8k", "--set", "array.rows=0"], "array.rows: "),
        (["digits", "--board", "ulx3s_85f", "--clock", "500"], "--clock 500: is not a clock"),
        (["digits", "--board", "ulx3s_85f", "--clock", "inf"], "--clock inf: is not a clock"),
        (["digits"], "--board"),
    ],
)  # fmt: skip
@pytest.mark.requires_tool("amaranth_boards", "ice40", "nextpnr-ecp5")
def test_refusals(matweave, tmp_path, arguments, message):
    ended = matweave("build", *arguments, "-o", tmp_path / "out")
    assert ended.status == 2
    assert message in ended.error
    assert not (tmp_path / "out").exists()


def test_a_demo_and_what_the_user_says_before_it():
    wanted = building.request("digits", "icebreaker", [], None, None, 1, None)
    variant = demos.load("digits").on("icebreaker")
    assert wanted.demo == "digits"
    assert wanted.config.array.rows == 4
    assert wanted.clock == variant.clock
    wanted = building.request("digits", "icebreaker", ["array.rows=2"], 20.0, 115_200, 3, False)
    assert wanted.config.array.rows == 2
    assert (wanted.clock, wanted.baud, wanted.seeds, wanted.dsp) == (20.0, 115_200, 3, False)
    wanted = building.request("tiny_os", "icebreaker", [], None, None, 1, None)
    assert wanted.demo is None
    assert wanted.dsp


WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from matweave import cli
sys.exit(cli.main(sys.argv[2:]))
"""


@pytest.mark.parametrize(
    ("package", "title", "arguments"),
    [
        ("jinja2", "jinja2", ["build", "tiny_os", "--board", "icebreaker"]),
        ("jinja2", "jinja2", ["report", "build.json"]),
        ("amaranth_boards", "amaranth-boards", ["build", "tiny_os", "--board", "icebreaker"]),
        ("amaranth_boards", "amaranth-boards",
         ["package", "tiny_os", "--vendor", "vivado", "--board", "arty_a7"]),
    ],
    ids=["build-jinja2", "report-jinja2", "build-amaranth_boards", "package-amaranth_boards"],
)  # fmt: skip
@pytest.mark.requires_tool("ice40")
def test_a_missing_package(tmp_path, package, title, arguments):
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT, package, *arguments, "-o", "out"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    last = ended.stderr.splitlines()[-1]
    install = "install it with: pip install 'matweave[fpga]'"
    assert last == f"matweave: error: {title} was not found: {install}"
    assert ended.returncode == 2
    assert "placing" not in ended.stderr
    assert not (tmp_path / "out").exists()
