"""Rung 7: the synthesised netlist of one engine per kind, on the same vectors."""

import numpy as np
import pytest

from matweave.hw import config as configuration
from matweave.hw.emit import generate
from matweave.sim import kinds, netlist
from matweave.sim.driver import Pause
from matweave.sim.gates.common import ENCODER, PACKED
from matweave.sim.golden.operands import same
from matweave.sim.native import Engine

pytestmark = pytest.mark.requires_tool("verilator", "g++")

SMALL = ["limits={m=4,n=4,k=4}", "output.mode=raw"]
ATTENTION = [
    "q='int4'", "k='int4'", "v='int4'", "array.dimension=2", "output.format='int8'",
    "limits={queries=4,keys=12,kv_heads=2,group=2}", "softmax.reciprocal=9",
]  # fmt: skip
ENGINES = {
    **{name: (name, [*SMALL, "a=int4", "b=int4"], 60) for name in (
        "tiny_os", "tiny_ws", "tiny_matrix", "tiny_tree", "tiny_cube")},
    "tiny_lut": ("tiny_lut", [*SMALL, "a=int4"], 60),
    "tiny_lut_fp16": (
        "tiny_lut_fp16", [*SMALL, "array={rows=1,columns=2,k=2}", "b=uint2"], 60),
    "attention": ("tiny_attention", ATTENTION, 60),
    "packed attention": ("tiny_attention", [*ATTENTION, *PACKED], 60),
    "encoder": ("tiny_encoder", ENCODER, 20),
}  # fmt: skip
"""Presets, made small: memories become flip-flops."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.slow] * (each != "tiny_os")) for each in ENGINES]
)
def test_the_netlist_gives_what_the_golden_model_gives(name, seed):
    preset, overrides, count = ENGINES[name]
    config = configuration.load(preset, overrides)
    kind = kinds.of(config)
    text = generate(config).verilog
    found = netlist.cells(text, config.name)
    assert found and all(kind.startswith("$_") for kind in found)
    fill = np.random.default_rng(seed)
    pauses = {name: Pause(0.3, 3) for name in (*kind.inputs, *kind.outputs)}
    with (
        netlist.GateEngine(config) as gates,
        Engine.from_verilog(text, config) as engine,
    ):
        for index in range(count):
            case = kind.case(config, seed, index)
            options = {"pauses": pauses if index % 2 else None}
            result = gates.job(case.job, fill=fill, **options)
            assert same(result.c, case.job.expected(config)), case.name
            reference = engine.job(case.job, **options)
            assert result.cycles == reference.cycles, case.name
            assert result.counters == reference.counters, case.name
