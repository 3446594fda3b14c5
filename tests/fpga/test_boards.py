"""Boards and demos are found by their files, and their facts agree with the platforms'."""

import importlib
import re
from fractions import Fraction
from pathlib import Path

import pytest
from amaranth.build.plat import Platform

from matweave.fpga import boards, build, demos, engines
from matweave.fpga.boards import top
from matweave.fpga.targets import vendor
from matweave.fpga.targets.family import family
from matweave.hw.errors import ConfigError, UserError

from .small import ENGINE, small

NAMES = sorted(boards.boards())
pytestmark = pytest.mark.requires_tool("amaranth_boards")


def test_those_asked_for_are_there():
    names = """ulx3s_12f ulx3s_85f orangecrab icebreaker hx8k tang_nano_9k tang_primer_20k
        crosslink_nx_evn arty_a7 rfsoc4x2"""
    assert set(names.split()) <= set(NAMES)
    assert {"digits", "digits-ent", "jet-tagging"} <= set(demos.demos())


@pytest.mark.parametrize("name", NAMES)
def test_facts_agree_with_the_platform(name):
    board = boards.load(name)
    module, kind = board.platform.split(":")
    platform = getattr(importlib.import_module(module), kind)()
    assert isinstance(platform, Platform)
    assert platform.default_clk_frequency == board.crystal_mhz * 1e6
    assert board.device == getattr(platform, "part", None) or board.device == platform.device
    if board.family == "ecp5":
        package = platform._nextpnr_package_options[platform.package]
        assert (board.package, board.speed) == (package.upper(), platform.speed)
    if board.family == "ice40":
        assert board.options["flag"] == platform._nextpnr_device_options[platform.device]
        assert board.package == platform.package.lower()
    if board.family == "gowin":
        assert board.options["family"] == platform._chipdb_device
        assert platform.part.endswith(board.speed)
    if board.family == "nexus":
        assert (board.package, board.speed) == (platform.package, platform.speed)
        assert board.options["grade"] == platform.grade
    if board.family in vendor.VENDORS:
        assert (board.package, board.speed) == (platform.package, platform.speed)
    else:
        assert family(board.family).name == board.family


def test_an_unknown_board():
    with pytest.raises(UserError, match=r"--board ulx3s: is not a board; allowed are .*; did you"):
        boards.load("ulx3s")


@pytest.mark.parametrize("name", sorted(demos.demos()))
def test_demos_load_for_every_board_they_name(name):
    demo = demos.load(name)
    assert callable(demo.host.run) and callable(demo.host.rows)
    engines.load(demo.engine)
    for board, variant in demo.boards.items():
        boards.load(board)
        engines.load(demo.engine, variant.set)
        assert variant.clock is None or variant.clock > 0


def test_an_unknown_demo():
    with pytest.raises(UserError, match=r"digit: is not a demo; .*; did you mean 'digits'"):
        demos.load("digit")


def test_a_demo_with_an_unknown_key(tmp_path):
    (tmp_path / "demo.toml").write_text('titel = "x"\n')
    with pytest.raises(ConfigError, match="titel"):
        demos.read(tmp_path)


def test_a_board_is_found_by_its_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text((boards.Path(boards.__file__).parent / "hx8k.py").read_text())
    assert boards.read_facts(path).name == "mine"
    path.write_text("X = 1\n")
    assert boards.read_facts(path) is None


def test_the_example_of_the_page_is_a_board(tmp_path):
    page = (Path(__file__).parents[2] / "docs/how-to/add-a-board.md").read_text()
    example = page.split("```python\n")[1].split("```")[0]
    path = tmp_path / "orangecrab_85f.py"
    path.write_text(example)
    board = boards.read_facts(path)
    module, kind = board.platform.split(":")
    assert issubclass(getattr(importlib.import_module(module), kind), Platform)
    sister = boards.load("orangecrab")
    assert (board.name, board.device) == ("orangecrab_85f", "LFE5U-85F")
    assert (board.loader, board.uart, board.led) == (sister.loader, sister.uart, sister.led)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('FACTS = {"title": "x"}\n', "missing 9 required .* 'loader'"),
        ('FACTS = {"titel": "x"}\n', "titel"),
        ("FACTS = dict(title=1)\n", "malformed node"),
        ("FACTS = {1: 2}\n", "keywords must be strings"),
        ("FACTS = [1]\n", "mapping"),
        ("FACTS = {\n", "never closed"),
        ("FACTS = '\0'\n", "null bytes"),
    ],
)
def test_a_bad_file_is_the_users_mistake(tmp_path, text, message):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"mine\.py: .*{message}"):
        boards.read_facts(path)


@pytest.mark.parametrize(
    ("mhz", "cycles"),
    [
        (Fraction(12), top.LEAST_HOLD),
        (Fraction(85), top.LEAST_HOLD),
        (Fraction(256, 3), 256),
        (Fraction(200), 600),
        (Fraction(2801, 7), 1201),
    ],
)
def test_the_reset_is_held_for_3_us_at_any_clock(mhz, cycles):
    assert top.hold_cycles(mhz) == cycles
    assert cycles >= 3 * mhz


def test_the_top_holds_the_reset_for_as_many_cycles_as_its_clock_needs():
    for clock, width, cycles in ((50, 8, 0xFF), (200, 10, 600)):
        request = build.Request(config=ENGINE, board="ulx3s_85f", clock=clock)
        text = build.make_plan(request, small).design.files["top.v"]
        assert re.search(rf"reg \[{width - 1}:0\] hold = {width}'h0*{cycles:x};", text), text
