"""From a core to a bitstream, and what can go wrong on the way; small cores on small devices."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import pytest

from matweave.fpga import boards, build, flow, report
from matweave.fpga.targets import ecp5, nextpnr, nexus, pll_ecp5, runner, tools
from matweave.fpga.targets.family import family
from matweave.hw.errors import UserError
from matweave.sim import toolchain

from .small import ENGINE, slow, small

ICE40 = pytest.mark.requires_tool("amaranth_boards", "ice40")
ECP5 = pytest.mark.requires_tool("yosys", "amaranth_boards", "nextpnr-ecp5")
GOWIN = pytest.mark.requires_tool("amaranth_boards", "gowin")
NEXUS = pytest.mark.requires_tool("amaranth_boards", "nexus")
UNPACK_ECP5 = (ecp5.ECPUNPACK, "--input", "top.bit", "--textcfg", "top.txt")
PACK_ECP5 = (ecp5.ECPPACK, "--input", "top.txt", "--bit", "again.bit")


def quiet(*_):
    pass


def request(board="icebreaker", **parameters):
    return build.Request(config=ENGINE, board=board, **parameters)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "out"
    return folder, build.build(request(seeds=2), folder, quiet, small)


@ICE40
def test_a_bitstream(built):
    folder, result = built
    image = (folder / "little.bin").read_bytes()
    assert len(image) > 10_000
    assert b"\x7e\xaa\x99\x7e" in image  # an iCE40's preamble
    assert json.loads((folder / "build.json").read_text()) == result
    made_of_them = {"build.json", "report.html", "figures.json"}
    assert {*result["files"], *made_of_them} == {each.name for each in folder.iterdir()}
    assert "set_io clk12_0__io 35" in (folder / "top.pcf").read_text()


@ICE40
def test_its_page_is_that_of_build_json(built):
    folder, _ = built
    pages = report.files(report.read(folder / "build.json"))
    assert {name: (folder / name).read_text() for name in pages} == pages


@ICE40
def test_build_json(built):
    folder, result = built
    assert result["met"]
    (clock,) = result["clocks"]
    assert clock["constraint_mhz"] == pytest.approx(16.5, rel=2e-3)  # nextpnr counts in ps
    assert clock["achieved_mhz"] >= clock["constraint_mhz"]
    assert list(result["resources"]) == ["LUT", "FF", "BRAM", "DSP", "IO"]
    assert result["resources"]["BRAM"] == {"used": 2, "available": 30}
    assert result["resources"]["DSP"] == {"used": 1, "available": 8}
    assert result["resources"]["FF"]["used"] >= 9 + 16
    reached = {each["seed"]: each["achieved_mhz"] for each in result["seeds"]}
    assert reached[result["seed"]] == max(reached.values()) == clock["achieved_mhz"]
    assert sorted(reached) == [1, 2]
    path = result["critical_path"]
    assert path["ns"] == pytest.approx(sum(each["ns"] for each in path["segments"]), abs=0.01)
    assert path["ns"] == pytest.approx(1e3 / clock["achieved_mhz"], rel=0.02)
    cells = json.loads((folder / result["placement"]).read_text())
    assert sum(cell["type"] == "ICESTORM_RAM" for cell in cells) == 2
    assert {"x", "y", "type", "part"} == set(cells[0])
    assert result["tools"]["amaranth-boards"]
    assert [command[0] for command in result["commands"]] == list(result["tools"])[:3]


@ICE40
def test_again_it_is_the_same_and_nothing_is_run(built, tmp_path, monkeypatch):
    _, result = built

    def run(*arguments, what, **_):
        pytest.fail(f"{what} was run again")

    monkeypatch.setattr(runner, "run", run)
    again = build.build(request(seeds=2), tmp_path / "out", quiet, small)
    assert again == result
    assert again["files"] == result["files"]


@ICE40
def test_placement_is_deterministic(built, tmp_path, monkeypatch):
    """The same seed anew, in another cache, gives the same bits."""
    monkeypatch.setenv("MATWEAVE_CACHE_DIR", str(Path.home() / ".cache" / "matweave-test"))
    folder, result = built
    plan = build.make_plan(request(), small)
    synthesis, _ = flow.synthesise(plan.design)
    step = flow.place(plan.design, synthesis.folder / flow.NETLIST, result["seed"], quiet)
    try:
        assert (step.folder / "top.asc").read_bytes() == (folder / "top.asc").read_bytes()
    finally:
        shutil.rmtree(Path.home() / ".cache" / "matweave-test")


@ICE40
def test_timing_that_is_not_met(tmp_path):
    with pytest.raises(build.TimingError) as caught:
        build.build(request(clock=100), tmp_path / "out", quiet, slow)
    message = str(caught.value)
    assert "little on icebreaker reaches" in message
    assert "100" in message
    assert "the worst path takes" in message
    assert "lower --clock" in message
    assert not (tmp_path / "out").exists()


@ECP5
@pytest.mark.slow
def test_ecp5(tmp_path):
    folder = tmp_path / "out"
    result = build.build(request("ulx3s_12f"), folder, quiet, small)
    assert result["met"]
    assert result["resources"]["DSP"]["used"] == 1
    assert result["resources"]["BRAM"]["used"] == 1
    text = unpacked(folder / "little.bit")
    found, wanted = settings(text), settings((folder / "top.config").read_text())
    # Every connection and every table of the logic that nextpnr wrote is in the bits, and none
    # beside them. What is not compared configures nothing, or has more than one name.
    wires, tables = logic(wanted)
    found_wires, found_tables = logic(found)
    assert wires == found_wires
    assert len(wires) > 400
    assert tables <= found_tables  # what is not there is one that is not used
    assert len(tables) > 20
    # The PLL's dividers, less one, as they were chosen.
    for name, value in pll_ecp5.choose(Fraction(25), Fraction(50)).parameters.items():
        assert any(each.endswith(f"{name} {value - 1:07b}") for _, each in found) or value == 1


def logic(settings: set) -> tuple[set, set]:
    """Connections in the tiles of logic, and tables that are not all ones, which is none."""
    tiles = {each for each in settings if ":PLC2" in each[0]}
    wires = {each for each in tiles if each[1].startswith("arc") and "_SLICE" not in each[1]}
    words = {each for each in tiles if each[1].startswith("word")}
    return wires, {each for each in words if not each[1].endswith("1" * 16)}


def unpacked(bitstream: Path, unpack=UNPACK_ECP5, pack=PACK_ECP5) -> str:
    """The configuration in a bitstream; packed again it is the same bitstream.

    ``unpack`` and ``pack``: a program and its arguments, from ``top.bit`` to ``top.txt`` and from
    there to ``again.bit``."""
    work = Path.home() / ".cache" / f"matweave-unpack-{os.getpid()}"  # WebAssembly has its own /tmp
    work.mkdir(parents=True)
    try:
        (work / "top.bit").write_bytes(bitstream.read_bytes())
        for program, *arguments in (unpack, pack):
            runner.run([tools.find(program).path, *arguments], cwd=work, what="unpacking")
        assert (work / "again.bit").read_bytes() == bitstream.read_bytes()
        return (work / "top.txt").read_text()
    finally:
        shutil.rmtree(work)


def settings(text: str) -> set:
    """(tile, setting) of every line that configures something."""
    found, tile = set(), ""
    for line in text.splitlines():
        if line.startswith("."):
            tile = line
        elif line and tile.startswith(".tile "):
            found.add((tile, line))
    return found


@NEXUS
def test_nexus(tmp_path):
    folder = tmp_path / "out"
    result = build.build(request("crosslink_nx_evn"), folder, quiet, small)
    assert result["met"]
    assert [each["constraint_mhz"] for each in result["clocks"]] == [12]
    assert result["resources"]["DSP"] == {"used": 1, "available": 112}
    assert result["resources"]["BRAM"] == {"used": 1, "available": 84}
    pack = nexus.Nexus.packer
    text = unpacked(
        folder / "little.bit",
        (pack, "unpack", "top.bit", "top.txt"),
        (pack, "pack", "top.txt", "again.bit"),
    )
    assert '{ oxide.device="LIFCL-40" }' in text
    # As of an ECP5: every connection and every table of the logic, and none beside them.
    wires, tables = fabric((folder / "top.fasm").read_text())
    assert (wires, tables) == fabric(text)
    assert len(wires) > 300
    assert len(tables) > 20


def fabric(fasm: str) -> tuple[set, set]:
    """Connections in the tiles of logic but those in a slice, and tables that are not all ones."""
    lines = {line for line in fasm.splitlines() if "__PLC." in line}
    wires = {line for line in lines if ".PIP." in line and not re.search("_SLICE|MUX", line)}
    return wires, {line for line in lines if ".INIT[" in line and not line.endswith("1" * 16)}


@NEXUS
def test_a_nexus_board_has_the_clock_of_its_crystal():
    with pytest.raises(UserError, match=r"--clock 24: is not the clock of .*allowed is 12 MHz"):
        build.make_plan(request("crosslink_nx_evn", clock=24), small)


@GOWIN
@pytest.mark.slow
@pytest.mark.parametrize(("board", "mhz"), [("tang_nano_9k", 27), ("tang_primer_20k", 54)])
def test_gowin(tmp_path, board, mhz):
    result = build.build(request(board), tmp_path / "out", quiet, small)
    assert result["met"]
    (clock,) = [each for each in result["clocks"] if each["constraint_mhz"] > 26]
    assert clock["constraint_mhz"] == mhz
    assert result["resources"]["DSP"]["used"] == 1
    assert (tmp_path / "out" / "little.fs").read_text().count("\n") > 100


@ICE40
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"board": "icebraker"}, "is not a board; allowed are .*; did you mean 'icebreaker'"),
        ({"clock": float("nan")}, "--clock nan: is not a clock"),
        ({"clock": float("-inf")}, "--clock -inf: is not a clock"),
        ({"clock": 300}, "--clock 300: is not a clock .* allowed are 16 to 275 MHz"),
        ({"baud": 9600}, "--baud 9600: allowed at a clock of 16.5 MHz are 115,200 to 2,062,500"),
        ({"baud": 3_000_000}, "--baud 3000000: allowed"),
        ({"seeds": 0}, "--seeds 0: allowed are 1 to 64"),
    ],
)
def test_what_cannot_be_built(tmp_path, parameters, message):
    with pytest.raises(UserError, match=message):
        build.build(request(**parameters), tmp_path / "out", quiet, small)
    assert not (tmp_path / "out").exists()


def test_too_large_says_what_by_how_much_and_what_to_lower():
    log = (
        "Info: Device utilisation:\nInfo: \t         ICESTORM_LC:    9000/   5280   170%\n"
        "Info: \t          ICESTORM_DSP:      12/      8   150%\nInfo: \t SB_IO:  4/ 96  4%\n"
    )
    assert nextpnr.overflowing(log) == {"ICESTORM_LC": (9000, 5280), "ICESTORM_DSP": (12, 8)}


@ICE40
def test_too_large(tmp_path):
    """Sixteen multipliers for eight DSP blocks."""

    def many(settings, clock_frequency, baud):
        rows = "".join(
            f"  always @(posedge clk) p{i} <= {{s[{i} +: 8]}} * {{s[{i + 8} +: 8]}};\n"
            f"  reg [15:0] p{i};\n"
            for i in range(16)
        )
        total = " ^ ".join(f"^p{i}" for i in range(16))
        return (
            f"module {settings.name}_linked(input clk, rst, rx, output tx, busy);\n"
            "  reg [31:0] s;\n  always @(posedge clk) s <= {s, rx};\n"
            f"{rows}  assign tx = {total};\n  assign busy = rx;\nendmodule\n"
        )

    with pytest.raises(UserError) as caught:
        build.build(request(), tmp_path / "out", quiet, many)
    message = str(caught.value)
    assert "little does not fit icebreaker: DSP: 16 needed, 8 there, 8 too many" in message
    assert "lower array.rows or array.columns, or build with --no-dsp" in message
    result = build.build(request(dsp=False), tmp_path / "out", quiet, many)
    assert result["resources"]["DSP"]["used"] == 0


def test_of_all_that_fail_the_first_is_told(monkeypatch):
    def place(design, netlist, seed, tell, stop):
        raise toolchain.ToolError(f"seed {seed}")

    monkeypatch.setattr(flow, "place", place)
    with pytest.raises(toolchain.ToolError, match=r"seed 1$"):
        flow.place_all(None, None, list(range(1, 33)), 4, quiet)


def test_a_file_system_without_hard_links(monkeypatch, tmp_path):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "one").write_bytes(b"netlist")
    flow._link(tmp_path / "one", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == b"netlist"


@pytest.mark.parametrize(
    ("clocks", "message"),
    [
        (
            [("engine", 50.0, 61.0), ("crystal", 25.0, 24.0)],
            r"little on icebreaker: clock crystal reaches 24 MHz, 25 MHz are wanted; "
            r"try more --seeds$",
        ),
        (
            [("engine", 50.0, 40.0), ("crystal", 25.0, 24.0)],
            r"little on icebreaker reaches 40 MHz, 50 MHz are wanted; lower --clock",
        ),
    ],
)
def test_the_clock_that_misses_most_is_told(clocks, message):
    board = boards.load("icebreaker")
    plan = build.Plan(request(), board, family("ice40"), Fraction(50), 1_000_000, None)
    report = nextpnr.Report(tuple(clocks), {}, ())
    assert not report.met
    steps = build.Steps(None, None, {}, {1: report}, 1, None)
    assert re.search(message, build._unmet(plan, steps))


SMALL = """
import sys
from matweave import cli
from matweave.fpga import build
from tests.fpga.small import small
build.linked = lambda: small
sys.exit(cli.main(sys.argv[1:]))
"""
"""The command line, with a small core in the place of the engine."""
SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name
)
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture
def cache():
    """A folder for results that no other test makes; outside of /tmp, which WebAssembly lacks."""
    folder = Path.home() / ".cache" / f"matweave-interrupted-{os.getpid()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def start(cache: Path, out: Path, *, until: str, seeds: int = 40) -> subprocess.Popen:
    """A build that has told ``until`` last."""
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL, "build", "tiny_os", "--board", "icebreaker",
         "--seeds", str(seeds), "-o", str(out)],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"MATWEAVE_CACHE_DIR": str(cache)},
    )  # fmt: skip
    for line in process.stderr:
        if re.search(until, line):
            return process
    raise AssertionError(process.communicate())


def running_in(cache: Path) -> list:
    return [
        each for each in Path("/proc").glob("[0-9]*/cwd")
        if os.path.lexists(each) and str(cache) in _target(each)
    ]  # fmt: skip


@ICE40
@pytest.mark.parametrize(("times", "seeds"), [(1, 40), (2, 40), (2, 1)])
@SIGNALS
def test_ctrl_c_during_place_and_route(tmp_path, cache, number, times, seeds):
    """Earlier results stay whole, and no program stays behind; pressed twice neither."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "build.json").write_text("earlier")
    process = start(cache, out, until="placing and routing.*: placing$", seeds=seeds)
    try:
        assert running_in(cache)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.05)
        out_text, err = process.communicate(timeout=60)
        # A second signal that comes when Python is already leaving kills it: the same to a shell.
        assert process.returncode in (STATUS[number], *[-number] * (times > 1)), err
        assert out_text == ""
        assert "Traceback" not in err
        assert (out / "build.json").read_text() == "earlier"
        assert list(out.iterdir()) == [out / "build.json"]
        assert running_in(cache) == []
        assert [each for each in (cache / "place").glob(".*-*") if each.is_dir()] == []
    finally:
        process.kill()


@ICE40
@SIGNALS
def test_ctrl_c_while_another_process_makes_the_same(tmp_path, cache, number):
    first = start(cache, tmp_path / "first", until="placing and routing.*: placing$")
    try:
        first.send_signal(signal.SIGSTOP)  # it holds what it has locked
        second = start(cache, tmp_path / "second", until="placing and routing")
        try:
            time.sleep(1)
            assert second.poll() is None
            second.send_signal(number)
            _, err = second.communicate(timeout=60)
            assert second.returncode == STATUS[number], err
        finally:
            second.kill()
    finally:
        first.send_signal(signal.SIGCONT)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    assert running_in(cache) == []


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""
