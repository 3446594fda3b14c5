"""Whole boards, and what synthesis made of them, with the host's client at the other end."""

import dataclasses

import numpy as np
import pytest

from matweave.fpga import build, flow, simulation
from matweave.fpga.host.device import Device
from matweave.fpga.host.gemm import GemmDevice
from matweave.fpga.targets import words
from matweave.hw import config
from matweave.sim.golden import gemm

BAUD = 1_500_000
"""The most at 12 MHz."""
JOBS = ((1, 1, 1), (3, 4, 5), (8, 8, 8), (16, 16, 16))
SIZE = ["array.rows=2", "array.columns=1", "array.tile_columns=1"]
BUILDS = pytest.mark.requires_tool("amaranth_boards", "verilator", "g++", "make", "perl")


def plan_for(board):
    settings = config.load("tiny_os", SIZE)
    return build.make_plan(build.Request(config=settings, board=board, baud=BAUD), build.linked())


def run_jobs(plan, simulated, seed):
    # A netlist on a busy machine is a slow board: patience beyond the usual second.
    settings = plan.request.config
    golden = gemm.for_config(settings)
    chance = np.random.default_rng(seed)
    with (
        simulated.open() as board,
        Device(board.port, baud=BAUD, timeout=60) as device,
    ):
        engine = GemmDevice(device, settings)
        for m, n, k in JOBS:
            a, b = chance.integers(-128, 128, (m, k)), chance.integers(-128, 128, (k, n))
            found = engine.gemm(a, b)
            assert (np.asarray(getattr(found, "c", found)) == a @ b).all()
            job = {
                "a": a, "b": b, "multiplier": 1 << 30, "shift": 38, "zero_point": 3,
                "requantize": True, "relu": True,
            }  # fmt: skip
            found = engine.gemm(**job)
            assert (np.asarray(getattr(found, "c", found)) == golden(**job)).all()


@BUILDS
@pytest.mark.parametrize(
    "board", ["ulx3s_85f", "icebreaker", "hx8k", "tang_nano_9k", "crosslink_nx_evn"]
)
def test_the_whole_top(board, seed):
    """Pins, PLL, reset, link and engine, as the synthesis reads them."""
    plan = plan_for(board)
    run_jobs(plan, simulation.board(plan), seed)


@BUILDS
@pytest.mark.slow
@pytest.mark.requires_tool("ice40", "nextpnr-ecp5", "nexus")
@pytest.mark.parametrize("board", ["ulx3s_85f", "icebreaker", "hx8k", "crosslink_nx_evn"])
def test_the_netlist(board, seed):
    """The vendor's cells that Yosys chose: block RAM, DSP blocks, carry chains, flip-flops."""
    plan = plan_for(board)
    step, cells = flow.synthesise(plan.design)
    assert sum(cells.cells.values()) > 1000
    netlist = (step.folder / "netlist.v").read_text()
    run_jobs(plan, simulation.netlist(plan, netlist), seed)


@BUILDS
def test_a_pll_that_never_locks_keeps_the_engine_in_reset(seed):
    """The reset waits for LOCK: without it nothing answers."""
    plan = plan_for("icebreaker")
    simulated = simulation.board(plan)
    broken = simulated.verilog.replace("assign LOCK = &locking & RESETB;", "assign LOCK = 0;")
    assert broken != simulated.verilog
    with dataclasses.replace(simulated, verilog=broken).open() as board:
        with pytest.raises(Exception, match="no answer"):
            Device(board.port, baud=BAUD)
        assert board.failure is None


@pytest.mark.parametrize(
    ("name", "part", "phrase"),
    [
        (
            "core.engine.core.array.grid.block_0_0.block_4_4.tile.part_0_3.state_TRELLIS_FF_Q_3",
            "array", "PE 4,7's accumulator",
        ),
        ("core.engine.core.array.grid.block_0_0.tile.part_2_1.dot.$1_MULT18X18D_P9", "array",
         "PE 2,1's multiplier"),
        ("core.engine.core.a_buffer.memory.0.0", "operand buffer A", "operand buffer A"),
        ("core.d_linked__engine.registers.slave.w_word_DFFE_Q_3", "register file", "register file"),
        ("core.d_linked__link.requests.memory.0.0", "host link", "host link"),
        ("core.engine.core.output.lane_3.requantizer.floor_Q", "requantiser",
         "requantiser of column 3"),
        ("core.engine.engine.pipeline.n12_3_TRELLIS_FF_Q", "network", "network"),
        ("core.jets_linked__engine.registers.timer_TRELLIS_FF_Q", "register file",
         "register file"),
        ("core.engine.core.output.bias_table.memory.0.1", "bias table", "bias table"),
        ("core.engine.core.a_base_TRELLIS_FF_Q", "sequencer", "sequencer"),
        ("clock.pll", "PLL and reset", "PLL and reset"),
        ("$nextpnr_ICESTORM_LC_18", "unnamed", "unnamed"),
    ],
)  # fmt: skip
def test_names_in_words(name, part, phrase):
    assert words.part(name) == part
    assert words.phrase(name) == phrase
