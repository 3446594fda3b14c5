"""The next job started in the cycle after the one before is done, with no register written between.

Rows of a short last tile that do not exist must not reach the next job.
"""

import numpy as np
import pytest
from amaranth.sim import Simulator

from matweave.hw import config
from matweave.hw.engine import build
from matweave.sim.registers import Register


def engine(kind: str, rows: int, mode: str):
    array = {"kind": kind, "columns": 1, "rows": rows}
    if kind in ("cube", "tree"):
        array["depth"] = 2
    if kind == "tree":
        del array["rows"]
    return config.from_tables(
        {
            "kind": "gemm",
            "name": "restart",
            "a": "int8",
            "b": "int8",
            "limits": {"m": 64, "n": 2, "k": 4},
            "array": array,
            "output": {"mode": mode},
        }
    )


@pytest.mark.parametrize("mode", ["raw", "both"])
@pytest.mark.parametrize(
    ("kind", "rows", "m"),
    [
        ("output_stationary", 16, 1),
        ("output_stationary", 8, 17),
        ("matrix", 16, 17),
        ("cube", 8, 9),
        ("weight_stationary", 4, 5),
        ("tree", 1, 5),
    ],
)
def test_start_right_after_done(kind, rows, m, mode, seed):
    settings = engine(kind, rows, mode)
    dut, g, rng = build(settings), settings.geometry, np.random.default_rng(seed)
    feeds, given = {"a": [], "b": []}, []

    async def write(ctx, address, data):
        for name, value in (("awaddr", address), ("wdata", data), ("wstrb", 15)):
            ctx.set(getattr(dut, f"s_axil_{name}"), value)
        for name in ("awvalid", "wvalid", "bready"):
            ctx.set(getattr(dut, f"s_axil_{name}"), 1)
        await ctx.tick()
        ctx.set(dut.s_axil_awvalid, 0)
        ctx.set(dut.s_axil_wvalid, 0)
        while not ctx.get(dut.s_axil_bvalid):
            await ctx.tick()
        await ctx.tick()

    async def jobs(ctx):
        ctx.set(dut.m_axis_c_tready, 1)
        for register, value in ((Register.M, m), (Register.N, 1), (Register.K, 1)):
            await write(ctx, register, value)
        for number in range(4):
            a = rng.integers(-128, 128, m)
            given.clear()
            panels = -(-m // g.m)
            lanes = np.zeros((panels * g.m, g.k), np.int64)
            lanes[:m, 0] = a
            beats = lanes.reshape(panels, g.m * g.k)
            feeds["a"] = [
                sum((int(x) & 255) << 8 * lane for lane, x in enumerate(beat)) for beat in beats
            ]
            feeds["b"] = [3]
            await write(ctx, Register.CONTROL, 1)
            # CONTROL again as soon as the last beat of C has gone: no poll in between.
            for _ in range(300):
                if len(given) == m:
                    break
                await ctx.tick()
            assert given == [3 * int(x) for x in a], f"job {number}"

    async def streams(ctx):
        while True:
            for name, beats in feeds.items():
                ctx.set(getattr(dut, f"s_axis_{name}_tvalid"), bool(beats))
                if beats:
                    ctx.set(getattr(dut, f"s_axis_{name}_tdata"), beats[0])
            ready = [getattr(dut, f"s_axis_{name}_tready") for name in feeds]
            offered = [bool(beats) for beats in feeds.values()]
            _, _, *taken, valid, data = await ctx.tick().sample(
                *ready, dut.m_axis_c_tvalid, dut.m_axis_c_tdata
            )
            for beats, was_offered, accepted in zip(feeds.values(), offered, taken, strict=True):
                if was_offered and accepted and beats:
                    beats.pop(0)
            if valid:
                given.append(data - (1 << 32) * (data >> 31))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(jobs)
    simulator.add_testbench(streams, background=True)
    simulator.run()
