"""Boards and demos are found by their files, and their facts agree with the platforms'."""

import importlib

import pytest
from amaranth.build.plat import Platform

from matweave.fpga import boards, demos
from matweave.fpga.targets import vendor
from matweave.fpga.targets.family import family
from matweave.hw import config
from matweave.hw.errors import ConfigError, UserError

NAMES = sorted(boards.boards())
pytestmark = pytest.mark.requires_tool("amaranth_boards")


def test_those_asked_for_are_there():
    assert {"ulx3s_12f", "ulx3s_85f", "orangecrab", "icebreaker", "hx8k", "tang_nano_9k"} <= set(
        NAMES
    )
    assert {"digits", "digits-ent"} <= set(demos.demos())


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
    importlib.import_module(demo.package)
    config.load(demo.engine)
    for board, variant in demo.boards.items():
        boards.load(board)
        config.load(demo.engine, variant.set)
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
