"""OpenSTA beside our own timing: the same critical path, and errors of one line."""

import os
import re
from pathlib import Path

import pytest

from matweave.fpga.targets.asic import fanout, generic, liberty, measure, opensta, timing
from matweave.fpga.targets.asic.flow import Flow
from matweave.fpga.targets.asic.netlist import Instance, Netlist
from matweave.hw import config
from matweave.hw.formats import Format
from matweave.hw.pe import REGISTRY

SKY130 = Path(__file__).parents[3] / "shared" / "liberty" / "sky130hd_tt.lib.gz"

AGREE = 1e-3
"""Relative; measured are some 1e-5: OpenSTA has single precision."""


@pytest.fixture
def sta(tmp_path, monkeypatch):
    """Puts a program ``sta`` of the given shell script first on PATH."""

    def put(script):
        path = tmp_path / "sta"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        opensta.tool.cache_clear()

    yield put
    opensta.tool.cache_clear()


def pipeline() -> Netlist:
    """in -> nand -> xor -> register -> inverter -> out; a constant at the nand."""
    return Netlist(
        [
            Instance("g", "nand2", {"A": 2, "B": -2, "Y": 3}),
            Instance("h", "xor2", {"A": 3, "B": 2, "Y": 4}),
            Instance("r", "dff", {"CK": 1, "D": 4, "Q": 5}),
            Instance("i", "inv", {"A": 5, "Y": 6}),
        ],
        inputs={"clk": [1], "i": [2]},
        outputs={"o": [6], "zero": [-1]},
    )


def test_the_netlist_with_plain_names():
    verilog = opensta.plain_verilog(pipeline(), generic.library())
    assert "nand2 u0 (.A(n2), .B(1'b1), .Y(n3));" in verilog
    assert len(re.findall(r"^  dff ", verilog, re.M)) == 1 + 1 + 2
    assert verilog.startswith("module top (clk, i2, o0, o1);")


@pytest.mark.requires_tool("sta")
def test_a_small_netlist():
    library = generic.library()
    ours = timing.analyse(pipeline(), library).critical
    assert opensta.critical(pipeline(), library) == pytest.approx(ours, rel=AGREE)


@pytest.mark.requires_tool("sta", "sky130")
@pytest.mark.parametrize(("pe", "script"), [("mac", "if"), ("ent", "if"), ("opt1", "amap")])
def test_one_pe_in_sky130(pe, script):
    library, int8 = liberty.load(SKY130), Format(8)
    found = measure.one_pe(REGISTRY[pe](int8, int8), library, Flow(script=script))
    theirs = opensta.critical(found.mapped.flat, library)
    assert theirs == pytest.approx(found.critical, rel=AGREE)


@pytest.mark.requires_tool("sta")
def test_an_array_whose_fanout_was_repaired():
    library = generic.library()
    array = measure.Array(config.load("tiny_os", ["pe.kind=booth"]), block=1)
    found = array.measure(library, Flow(script="amap"))
    assert fanout.repair(found.mapped.flat, library) == 0.0  # it was already
    theirs = opensta.critical(found.mapped.flat, library)
    assert theirs == pytest.approx(found.critical, rel=AGREE)


@pytest.mark.requires_tool("sta")
def test_the_report_names_the_program(matweave):
    text = matweave("area", "tiny_os", "--set", "pe.kind=booth").out
    assert re.search(r"timing by OpenSTA \d+\.\d+\S*; matweave's own analysis: \d+\.\d+ ns", text)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('[ "$1" = -version ] && echo 2.0.17 && exit; echo Error: broken; exit 3', "broken"),
        ('[ "$1" = -version ] && echo 2.0.17 && exit; echo Error: no cells', "no cells"),
        ('[ "$1" = -version ] && echo 2.0.17; exit 0', "found no path but said: nothing"),
        ("echo hello", "did not tell its version but: 'hello'"),
        ("exit 9", "OpenSTA version: sta failed"),
        ("echo 1.9", "too old"),
    ],
)
def test_a_broken_program(sta, matweave, script, message):
    sta(script)
    ended = matweave("area", "tiny_os", "--set", "pe.kind=booth")
    assert ended.status
    assert message in ended.error


def test_without_the_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    opensta.tool.cache_clear()
    assert opensta.tool() is None
    opensta.tool.cache_clear()
