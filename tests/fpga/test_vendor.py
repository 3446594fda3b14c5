"""Vendor packages: what can be known of them without the vendors' tools."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from matweave.fpga.targets import vendor

from .vendor_tools import BOARDS, run_tcl, yosys_cells


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


# RTL


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
