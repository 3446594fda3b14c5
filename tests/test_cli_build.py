"""The command ``matweave build``: what it is told, and one line for what cannot be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from matweave import building
from matweave.fpga import boards, demos


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


def test_programming_a_board_that_keeps_it_is_told(matweave):
    """openFPGALoader writes the flash of the boards that it calls ice40_generic."""
    generic = {each.family for each in boards.boards().values() if each.loader == "ice40_generic"}
    assert generic == {"ice40"}
    words = matweave("demo", "--help").out.replace("│", " ").split()
    assert "on iCE40 boards this writes the flash." in " ".join(words)


def test_a_part_that_became_two_things_is_told_whole():
    row = {"part": "host link", "wanted": "block RAM"}
    mapping = [
        row | {"got": "block RAM", "count": 2, "why": None},
        row | {"got": "LUT RAM", "count": 4, "why": "too small"},
    ]
    build = json.loads((Path(__file__).parent / "fpga/sample_build/build.json").read_text())
    text = building.text(build | {"mapping": mapping, "folder": "out"})
    assert "2 × block RAM; 4 × LUT RAM: too small" in text


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
