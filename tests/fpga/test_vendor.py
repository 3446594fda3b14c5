"""Vendor packages: what can be known of them without the vendors' tools."""

import json
import os
import re
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from matweave.fpga.host import Device, GemmDevice
from matweave.fpga.targets import vendor
from matweave.fpga.targets.vendor import mmcm
from matweave.hw import config
from matweave.hw.errors import UserError
from matweave.sim import cache, toolchain
from matweave.sim.serial_board import Pins, SerialBoard

MODELS = Path(__file__).with_name("vendor_models.v")
STUBS = Path(__file__).with_name("vendor_commands.tcl")
BOARDS = {"arty_a7": "vivado", "rfsoc4x2": "vivado", "de10_nano": "quartus"}


def run_tcl(folder: Path, script: str, slack: str = "0.5", hold: str = "0.1"):
    """Status, calls and standard error of ``script`` with stub commands, from another folder."""
    calls = folder.with_suffix(".calls")
    ended = subprocess.run(
        ["tclsh"],
        input=f"if {{[catch {{source {{{STUBS}}}; source {{{folder / script}}}}} message]}} "
        "{puts stderr $message; exit 1}\n",
        env=os.environ | {"CALLS": str(calls), "SLACK": slack, "HOLD_SLACK": hold},
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )
    # Tcl takes its own lists apart.
    words = subprocess.run(
        ["tclsh"],
        input=f"foreach line [split [string trim [read [open {{{calls}}}]]] \\n] "
        "{puts [join $line \\t]}\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return ended, [line.split("\t") for line in words.splitlines()]


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize(
    ("tool", "script"),
    [
        ("vivado", "project.tcl"),
        ("vivado", "build.tcl"),
        ("quartus", "project.tcl"),
        ("quartus", "build.tcl"),
        ("quartus", "timing.tcl"),
    ],
)
def test_every_file_that_a_script_names_is_there(packed, tool, script):
    folder, files = packed(tool, "tiny_os")
    ended, calls = run_tcl(folder, script)
    assert ended.returncode == 0, ended.stderr
    named = set()
    for call in calls:
        reads = call[0] in ("add_files", "read_verilog", "read_xdc", "read_sdc")
        reads |= call[:3:2] == ["set_global_assignment", "VERILOG_FILE"]
        reads |= call[:3:2] == ["set_global_assignment", "SDC_FILE"]
        named |= {Path(folder, call[-1])} if reads else set()
    assert named or script in ("build.tcl", "timing.tcl")
    for path in named:
        assert path.parent == folder
        assert path.name in files
    assert not any(str(folder) in text for text in files.values())


@pytest.mark.requires_tool("tclsh")
def test_vivado_project(packed):
    folder, _ = packed("vivado", "tiny_os")
    _, calls = run_tcl(folder, "project.tcl")
    assert calls == [
        ["create_project", "-force", "tiny_os", f"{folder}/project", "-part", "xc7a100tcsg324-1"],
        ["add_files", "-norecurse", f"{folder}/tiny_os.v"],
        ["add_files", "-fileset", "constrs_1", "-norecurse", f"{folder}/tiny_os.xdc"],
        ["get_filesets", "sources_1"],
        ["set_property", "top", "tiny_os", "sources_1"],
        ["get_runs", "synth_1"],
        [
            "set_property", "-name", "STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS",
            "-value", "-mode out_of_context", "-objects", "synth_1",
        ],
        ["update_compile_order", "-fileset", "sources_1"],
    ]  # fmt: skip


@pytest.mark.requires_tool("tclsh")
def test_vivado_build(packed):
    folder, _ = packed("vivado", "tiny_os")
    ended, calls = run_tcl(folder, "build.tcl")
    assert [call[0] for call in calls] == [
        "read_verilog", "read_xdc", "synth_design", "opt_design", "place_design",
        "phys_opt_design", "route_design", "write_checkpoint", "report_utilization",
        "report_timing_summary", "get_timing_paths", "get_property",
    ]  # fmt: skip
    assert "setup slack 0.5 ns at a period of 10.000 ns" in ended.stdout
    late, _ = run_tcl(folder, "build.tcl", slack="-0.001")
    assert late.returncode == 1
    assert "setup timing is not met" in late.stderr


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize(("board", "tool"), [(None, "vivado"), (None, "quartus"), *BOARDS.items()])
def test_packages_promise_no_more_than_their_scripts_check(packed, on_board, tool, board):
    """A late hold path fails the build, or the README says that nobody looks."""
    folder, files = on_board(board) if board else packed(tool, "tiny_os")
    readme = " ".join(files["README.md"].split())
    script = "timing.tcl" if tool == "quartus" else "build.tcl"
    early, _ = run_tcl(folder, script, hold="-0.001")
    assert (early.returncode == 1) == ("if setup or hold timing is not met" in readme)
    assert (early.returncode == 0) == ("Hold it does not check" in readme)
    assert (early.returncode == 0) == ((tool, board) == ("vivado", None))


@pytest.mark.requires_tool("tclsh")
def test_quartus_project(packed):
    folder, files = packed("quartus", "tiny_os")
    _, calls = run_tcl(folder, "project.tcl")
    assignments = {call[2]: call[3] for call in calls if call[0] == "set_global_assignment"}
    assert assignments == {
        "FAMILY": "Cyclone V",
        "DEVICE": "5CSEBA6U23I7",
        "TOP_LEVEL_ENTITY": "tiny_os",
        "VERILOG_FILE": "tiny_os.v",
        "SDC_FILE": "tiny_os.sdc",
        "PROJECT_OUTPUT_DIRECTORY": "output_files",
    }
    virtual = [call[-1] for call in calls if call[0] == "set_instance_assignment"]
    text = files["tiny_os.v"].split("module tiny_os(")[1].split(");")[0]
    ports = {word.strip() for word in text.split(",")}
    assert {each.removesuffix("[*]") for each in virtual} == ports - {"clk"}
    assert {"s_axis_a_tdata[*]", "rst"} < set(virtual)


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize("script", ["build.tcl", "timing.tcl"])
def test_quartus_build_fails_where_timing_is_not_met(packed, script):
    folder, _ = packed("quartus", "tiny_os")
    met, calls = run_tcl(folder, script)
    assert met.returncode == 0
    assert (["execute_flow", "-compile"] in calls) == (script == "build.tcl")
    assert run_tcl(folder, script, slack="-0.001")[0].returncode == 1
    assert run_tcl(folder, script, hold="-0.001")[0].returncode == 1


@pytest.mark.requires_tool("tclsh")
@pytest.mark.parametrize(("tool", "file"), [("vivado", "tiny_os.xdc"), ("quartus", "tiny_os.sdc")])
def test_constraints_are_tcl(packed, tool, file):
    folder, _ = packed(tool, "tiny_os")
    ended, calls = run_tcl(folder, file)
    assert ended.returncode == 0, ended.stderr
    assert ["create_clock", "-name", "clk", "-period", "10.000", "clk"] in calls


@pytest.mark.requires_tool("tclsh")
def test_the_stubs_refuse_what_the_tools_would(tmp_path):
    """A test of the tests: a wrong command, or option, is not let through."""
    for line in ("synth_desing -top x", "synth_design -topp x"):
        (tmp_path / "wrong.tcl").write_text(line)
        assert run_tcl(tmp_path, "wrong.tcl")[0].returncode == 1


# On a board


CLOCKS = {"arty_a7": "clk100_0__io", "rfsoc4x2": "clk_0__p", "de10_nano": "clk50_0__io"}


@pytest.fixture(scope="module")
def on_board(tmp_path_factory):
    """Folder and files of a package for a board: ``on_board("arty_a7")``."""
    made = {}

    def pack(board: str):
        if board not in made:
            target = vendor.target(BOARDS[board], board=board, baud=115_200)
            files = vendor.files(config.load("tiny_os"), target)
            folder = tmp_path_factory.mktemp("package")
            for file, text in files.items():
                (folder / file).write_text(text)
            made[board] = folder, files
        return made[board]

    return pack


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


# RTL


def yosys_cells(sources: dict[str, str], command: str) -> set[str]:
    """Types of the cells that ``command`` maps ``sources`` to; none is Yosys' own."""
    # Not in /tmp, which Yosys in WebAssembly does not see: in the cache, as the product does.
    cache.root().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.root()) as name:
        work = Path(name)
        for file, text in sources.items():
            (work / file).write_text(text)
        script = [f"read_verilog {file}" for file in sources] + [command, "tee -o stat.txt stat"]
        (work / "script.ys").write_text("\n".join(script) + "\n")
        toolchain.run(
            [toolchain.yosys().path, "-q", "-s", "script.ys"],
            cwd=work, timeout=600, what=f"Yosys {command}",
        )  # fmt: skip
        told = (work / "stat.txt").read_text()
    cells = set(re.findall(r"^\s+\d+ (?:[\d.]+ )?\s*(\S+)$", told, re.MULTILINE))
    assert not [name for name in cells - {"$scopeinfo"} if name.startswith("$")], told
    return cells


@pytest.mark.requires_tool("yosys")
@pytest.mark.parametrize(
    ("tool", "command", "mapped"),
    [
        ("vivado", "synth_xilinx -family xc7 -flatten", "LUT6 CARRY4 FDRE DSP48E1"),
        (
            "quartus",
            "synth_intel_alm -family cyclonev",
            "MISTRAL_ALUT6 MISTRAL_FF MISTRAL_MUL27X27",
        ),
    ],
)
def test_yosys_maps_the_packed_rtl_to_the_vendors_cells(packed, tool, command, mapped):
    _, files = packed(tool, "tiny_os")
    cells = yosys_cells({"tiny_os.v": files["tiny_os.v"]}, f"{command} -top tiny_os")
    assert {*mapped.split()} <= cells


# What the command writes


def test_a_package_is_the_same_byte_for_byte(tmp_path):
    """Whatever the hash seed, folder and user."""
    found = set()
    tools = ["vivado", "quartus", "vivado --board arty_a7"]
    for number, tool in enumerate(tools * 2):
        out = tmp_path / f"{number}" / "package"
        command = [
            sys.executable,
            "-m",
            "matweave",
            "package",
            "tiny_os",
            "--vendor",
            *tool.split(),
        ]
        environment = os.environ | {"PYTHONHASHSEED": str(number + 1), "USER": f"user{number}"}
        subprocess.run([*command, "-o", out], check=True, env=environment, capture_output=True)
        found.add(tuple((path.name, path.read_bytes()) for path in sorted(out.iterdir())))
    assert len(found) == len(tools)


@pytest.mark.parametrize("tool", vendor.VENDORS)
def test_the_readme_says_what_the_package_is(packed, tool):
    _, files = packed(tool, "tiny_os")
    readme = files["README.md"]
    assert "not a bitstream" in readme
    assert {line.split("`")[1] for line in readme.splitlines() if line.startswith("| `")} == {
        *files
    }
    for script in ("project.tcl", "build.tcl"):
        assert f" {script} " in readme


def test_the_command_tells_what_it_wrote(matweave, tmp_path):
    arguments = ["tiny_os", "--vendor", "vivado", "--part", "xczu7ev-ffvc1156-2-e"]
    ended = matweave("package", *arguments, "--clock", "250", "-o", tmp_path / "out", "--json")
    assert ended.status == 0
    told = json.loads(ended.out)
    written = {path.name: path.stat().st_size for path in (tmp_path / "out").iterdir()}
    assert told["files"] == written
    assert (told["part"], told["clock_mhz"]) == ("xczu7ev-ffvc1156-2-e", 250)
    assert "-period 4.000 " in (tmp_path / "out" / "tiny_os.xdc").read_text()
    assert "xczu7ev-ffvc1156-2-e" in (tmp_path / "out" / "build.tcl").read_text()
    ended = matweave("package", *arguments, "-o", tmp_path / "out")
    assert "not a bitstream" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vendor", "vivaldo"], "did you mean 'vivado'?"),
        (["--vendor", "quartus", "--part", "xc7a35t"], "is of no family that is known"),
        (["--vendor", "vivado", "--part", "5CSEBA6U23I7"], "is not an AMD part"),
        (["--vendor", "vivado", "--part", "xc7a[exec sh]"], "is not the name of a part"),
        (["--vendor", "vivado", "--part", "xc7a\nexit"], "is not the name of a part"),
        (["--vendor", "vivado", "--clock", "0"], "allowed are 1 to 1000 MHz"),
        (["--vendor", "vivado", "--clock", "nan"], "allowed are 1 to 1000 MHz"),
        (["--vendor", "vivado", "--board", "arti_a7"], "did you mean 'arty_a7'?"),
        (
            ["--vendor", "vivado", "--board", "ulx3s_12f"],
            "is not built by vivado",
        ),
        (["--vendor", "vivado", "--board", "arty_a7", "--part", "xc7a35t"], "exclude each other"),
        (["--vendor", "vivado", "--board", "arty_a7", "--clock", "900"], "is not a clock that"),
        (["--vendor", "vivado", "--board", "arty_a7", "--baud", "9600"], "--baud: 9600 is out of"),
        (["--vendor", "vivado", "--baud", "115200"], "only a board has a serial link"),
        (["--vendor", "quartus", "--board", "de10_nano", "--clock", "60"], "has no PLL"),
        ([], "Missing option '--vendor'"),
    ],
)
def test_a_bad_package_is_one_line(matweave, tmp_path, arguments, message):
    ended = matweave("package", "tiny_os", *arguments, "-o", tmp_path / "out")
    assert ended.status == 2
    assert message in ended.error
    assert not (tmp_path / "out").exists()
