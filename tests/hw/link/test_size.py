"""What the link takes of the smallest device that it is meant for, an iCE40 UP5K."""

import re

import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import verilog
from matweave.hw.link.linked import linked
from matweave.sim import cache, toolchain

pytestmark = pytest.mark.requires_tool("yosys")

SCRIPT = "read_verilog link.v; synth_ice40 -top link; tee -o link.txt stat"


def cells(name: str) -> dict[str, int]:
    """Cells by type of the link of a preset, without the engine."""
    link = linked(configuration.load(name), clock_frequency=12e6, baud=1e6).link
    text, yosys = verilog(link, "link"), toolchain.yosys()

    def make(folder):  # in the cache: Yosys in WebAssembly has a /tmp of its own
        (folder / "link.v").write_text(text)
        argv = [yosys.path, "-q", "-p", SCRIPT]
        toolchain.run(argv, cwd=folder, timeout=600, what="synthesis of the link")

    folder = cache.build("link", cache.digest(text, SCRIPT, yosys.version), make)
    report = (folder / "link.txt").read_text()
    return {kind: int(n) for n, kind in re.findall(r"^ +(\d+) +(SB_\w+)$", report, re.M)}


@pytest.mark.parametrize(("name", "most"), [("tiny_os", 950), ("gemm_os_8x8", 1100)])
def test_it_fits_beside_an_engine(name, most):
    """Of 5,280 LUTs and 30 block RAMs; wider beats take flip-flops and multiplexers."""
    found = cells(name)
    assert 500 < found["SB_LUT4"] <= most
    assert found["SB_RAM40_4K"] == 2
