"""Vendor packages for a board: its pins, clock and top."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from matweave.fpga.host import Device, GemmDevice
from matweave.fpga.targets import vendor
from matweave.fpga.targets.vendor import mmcm
from matweave.hw import config
from matweave.hw.errors import UserError
from matweave.sim.serial_board import Pins, SerialBoard

from .vendor_tools import BOARDS, MODELS, run_tcl, yosys_cells

CLOCKS = {"arty_a7": "clk100_0__io", "rfsoc4x2": "clk_0__p", "de10_nano": "clk50_0__io"}


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize("board", BOARDS)
def test_a_boards_project(on_board, board):
    folder, files = on_board(board)
    ended, calls = run_tcl(folder, "project.tcl")
    assert ended.returncode == 0, ended.stderr
    named = [call[-1].split() for call in calls if call[0] == "add_files"]
    named += [
        [call[3]] for call in calls if call[0] == "set_global_assignment" and "_FILE" in call[2]
    ]
    found = {Path(folder, file) for names in named for file in names}
    expected = {"top.v", "tiny_os_linked.v"}
    expected |= {"top.xdc", "exceptions.tcl"} if BOARDS[board] == "vivado" else {"tiny_os.sdc"}
    assert found == {folder / name for name in expected}
    assert expected < set(files)


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize("board", BOARDS)
def test_every_pin_of_the_top_has_a_place(on_board, board):
    folder, files = on_board(board)
    vivado = BOARDS[board] == "vivado"
    _, calls = run_tcl(folder, "top.xdc" if vivado else "project.tcl")
    ports = re.search(r"module top\((.*?)\);", files["top.v"], re.DOTALL)[1]
    ports = {word.strip() for word in ports.split(",")}
    assert len(ports) == (5 if board == "rfsoc4x2" else 4)  # clock or pair, rx, tx, LED
    if vivado:
        placed = [call[3] for call in calls if call[:2] == ["set_property", "LOC"]]
    else:
        placed = [call[2] for call in calls if call[0] == "set_location_assignment"]
    assert sorted(placed) == sorted(ports)


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize(
    ("board", "file", "period"),
    [("arty_a7", "top.xdc", 10), ("rfsoc4x2", "top.xdc", 10), ("de10_nano", "tiny_os.sdc", 20)],
)
def test_the_boards_crystal_is_constrained(on_board, board, file, period):
    folder, _ = on_board(board)
    ended, calls = run_tcl(folder, file)
    assert ended.returncode == 0, ended.stderr
    (clock,) = (call for call in calls if call[0] == "create_clock")
    assert float(clock[clock.index("-period") + 1]) == period


@pytest.mark.requires_tool("tclsh")
def test_vivado_writes_a_bitstream_only_if_timing_is_met(on_board):
    folder, _ = on_board("arty_a7")
    ended, calls = run_tcl(folder, "build.tcl")
    assert ended.returncode == 0, ended.stderr
    assert calls[-1] == ["write_bitstream", "-force", f"{folder}/build/tiny_os.bit"]
    assert ["set_false_path", "-to", "pin"] in calls
    for slacks in ({"slack": "-0.001"}, {"hold": "-0.001"}):
        late, calls = run_tcl(folder, "build.tcl", **slacks)
        assert late.returncode == 1
        assert not [call for call in calls if call[0] == "write_bitstream"]


@pytest.mark.parametrize(
    ("board", "mhz", "vco"), [("arty_a7", 80, (600, 1200)), ("rfsoc4x2", 125, (800, 1600))]
)
def test_the_mmcm_makes_the_clock_that_the_link_counts_on(on_board, board, mhz, vco):
    """From the parameters in the Verilog: 100 MHz times M over D and O."""
    _, files = on_board(board)
    values = dict(re.findall(r"\.(CLKFBOUT_MULT_F|DIVCLK_DIVIDE|CLKOUT0_DIVIDE_F)\((.*?)\)",
                             files["top.v"]))  # fmt: skip
    multiply, divide, output = (
        float(values[key].split("d")[-1])
        for key in ("CLKFBOUT_MULT_F", "DIVCLK_DIVIDE", "CLKOUT0_DIVIDE_F")
    )
    assert 100 * multiply / divide / output == vendor.target("vivado", board=board).clock == mhz
    assert vco[0] <= 100 * multiply / divide <= vco[1]


@pytest.mark.parametrize("mhz", [5, 33.3, 66.6667, 75, 99.5, 100.25, 123.456, 250, 464, 650])
@pytest.mark.parametrize(("device", "vco", "multiplier"), [
    ("xc7a35ti", (600, 1200), 64), ("xczu48dr", (800, 1600), 128),
])  # fmt: skip
def test_mmcm_settings_are_within_the_data_sheet(device, vco, multiplier, mhz):
    kind, wanted = mmcm.kind(device), Fraction(str(mhz))
    least, most = kind.limits.output
    if not least <= mhz <= most:
        with pytest.raises(UserError, match=f"allowed are {least:g} to {most:g} MHz"):
            mmcm.choose(kind, Fraction(100), wanted)
        return
    setting = mmcm.choose(kind, Fraction(100), wanted)
    dividers = setting.parameters
    assert float(setting.mhz) == pytest.approx(mhz, rel=0.005)
    assert setting.mhz == Fraction(100 * dividers["M"], dividers["D"] * dividers["O"])
    assert 10 <= setting.pfd == Fraction(100, dividers["D"]) <= 450
    assert vco[0] <= setting.vco <= vco[1]
    assert dividers["M"] in range(16, 8 * multiplier + 1)
    assert dividers["O"] == 8 or dividers["O"] in range(16, 1025)


def test_a_device_whose_mmcm_is_not_known():
    with pytest.raises(UserError, match=r"^--clock: the PLL of xcku040 is not known; those of xc7"):
        mmcm.kind("xcku040")


@pytest.mark.parametrize(
    ("board", "part"),
    [
        ("arty_a7", "xc7a35ticsg324-1L"),
        ("rfsoc4x2", "xczu48dr-ffvg1517-2-e"),
        ("de10_nano", "5CSEBA6U23I7"),
    ],
)
def test_parts_are_called_as_their_vendor_does(board, part):
    assert vendor.target(BOARDS[board], board=board).part == part


@pytest.mark.requires_tool("verilator")
@pytest.mark.parametrize("board", BOARDS)
def test_the_boards_top_answers_its_host(on_board, board, seed):
    """The whole top, pins and reset included, with the host's program at the other end."""
    _, files = on_board(board)
    target = vendor.target(BOARDS[board], board=board, baud=115_200)
    verilog = files["top.v"] + files["tiny_os_linked.v"] + MODELS.read_text()
    line = "link" if board == "rfsoc4x2" else "uart"
    pins = Pins(clk=CLOCKS[board], rst=None, rx=f"{line}_0__rx__io", tx=f"{line}_0__tx__io")
    settings, generator = config.load("tiny_os"), np.random.default_rng(seed)
    a, b = generator.integers(-128, 128, (5, 7)), generator.integers(-128, 128, (7, 4))
    bits = target.clock * 1e6 / target.baud
    with (
        SerialBoard(verilog, "top", cycles_per_bit=bits, pins=pins) as running,
        Device(running.port, baud=target.baud) as device,
    ):
        assert np.array_equal(GemmDevice(device, settings).gemm(a, b).c, a @ b)


@pytest.mark.slow
@pytest.mark.requires_tool("yosys")
@pytest.mark.parametrize(
    ("board", "command", "mapped"),
    [
        ("arty_a7", "synth_xilinx -family xc7 -flatten -top top", "MMCME2_BASE FDPE DSP48E1 LUT6"),
        (
            "rfsoc4x2",
            "synth_xilinx -family xcup -flatten -top top",
            "MMCME4_BASE IBUFDS FDPE DSP48E2 LUT6",
        ),
        ("de10_nano", "synth_intel_alm -family cyclonev -top top", "MISTRAL_FF MISTRAL_ALUT6"),
    ],
)
def test_yosys_maps_a_boards_top(on_board, board, command, mapped):
    _, files = on_board(board)
    sources = {name: files[name] for name in ("top.v", "tiny_os_linked.v")}
    # A port of altiobuf_out that Yosys' list of the library does not know.
    sources["top.v"] = sources["top.v"].replace(",\n    .oe(1'h1)", "")
    assert {*mapped.split()} <= yosys_cells(sources, command)
