"""Rung 7: the synthesised netlist of one engine per array kind, on the same vectors."""

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import generate
from matweave.sim import netlist
from matweave.sim.cases import cases
from matweave.sim.driver import Pause
from matweave.sim.golden.gemm import for_config
from matweave.sim.golden.operands import same
from matweave.sim.native import Engine

pytestmark = pytest.mark.requires_tool("verilator", "g++")

SMALL = ["limits={m=4,n=4,k=4}", "output.mode=raw"]
PRESETS = {
    name: [*SMALL, "a=int4", "b=int4"]
    for name in ("tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube")
}
PRESETS["tiny_lut"] = [*SMALL, "a=int4"]
PRESETS["tiny_lut_fp16"] = [*SMALL, "array={rows=1,columns=2,k=2}", "b=uint2"]


@pytest.mark.parametrize(
    "preset",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "tiny_os")) for name in PRESETS],
)
def test_the_netlist_gives_what_the_golden_model_gives(preset, seed):
    config = configuration.load(preset, PRESETS[preset])
    golden = for_config(config)
    text = generate(config).verilog
    found = netlist.cells(text, config.name)
    assert found and all(kind.startswith("$_") for kind in found)
    fill = np.random.default_rng(seed)
    pauses = {name: Pause(0.3, 3) for name in ("a", "b", "c0", "c")}
    with (
        netlist.GateEngine(config) as gates,
        Engine.from_verilog(text, config) as engine,
    ):
        for index, case in enumerate(cases(config, seed, 60)):
            options = {"pauses": pauses if index % 2 else None}
            result = gates.job(case.job, fill=fill, **options)
            assert same(result.c, golden(**case.job.arguments())), case.name
            reference = engine.job(case.job, **options)
            assert result.cycles == reference.cycles, case.name
            assert result.counters == reference.counters, case.name
