"""Skid buffer, row queue and buffer memory against plain Python models, under random stalls."""

import random

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from matweave.hw.stream import (
    BufferMemory,
    RowQueue,
    SkidBuffer,
    axi_lite_ports,
    sink_ports,
    source_ports,
)

CYCLES = 1500


def run(dut, process):
    """``process(ctx, rst)`` on ``dut`` with a clock."""
    top = Module()
    top.domains.sync = domain = ClockDomain()
    top.submodules.dut = dut

    async def testbench(ctx):
        await process(ctx, domain.rst)

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


class Stalls:
    """Bits that come in runs, so that full, empty and everything between is visited."""

    def __init__(self, rng, probability):
        self.rng, self.probability, self.value, self.left = rng, probability, 0, 0

    def __call__(self) -> int:
        if not self.left:
            self.left = self.rng.randrange(1, 6)
            self.value = int(self.rng.random() >= self.probability)
        self.left -= 1
        return self.value


@pytest.mark.parametrize("stall_in", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("stall_out", [0.0, 0.3, 0.7])
def test_skid_buffer(stall_in, stall_out, seed):
    """Nothing is dropped, doubled or reordered; output held; ready registered; no bubble."""
    rng = random.Random(f"{seed} {stall_in} {stall_out}")
    dut = SkidBuffer(width=16)
    sent, received = [], []

    async def process(ctx, rst):
        offers, accepts = Stalls(rng, stall_in), Stalls(rng, stall_out)
        offered = held = None
        for cycle in range(CYCLES):
            if offered is None and offers():
                offered = rng.getrandbits(16)
            ctx.set(dut.i_valid, offered is not None)
            ctx.set(dut.i_data, rng.getrandbits(16) if offered is None else offered)
            accept = accepts()
            ctx.set(dut.o_ready, 1 - accept)
            before = ctx.get(dut.i_ready)
            ctx.set(dut.o_ready, accept)
            # No combinational path from o_ready to i_ready, nor from i_valid to o_valid.
            assert ctx.get(dut.i_ready) == before
            assert ctx.get(dut.o_valid) == (len(sent) > len(received))
            _, _, ready, valid, data = await ctx.tick().sample(dut.i_ready, dut.o_valid, dut.o_data)
            if held is not None:
                assert valid and data == held
            held = data if valid and not accept else None
            if valid and accept:
                received.append(data)
                assert received[-1] == sent[len(received) - 1], cycle
            if ready and offered is not None:
                sent.append(offered)
                offered = None
            assert len(sent) - len(received) <= 2

    run(dut, process)
    assert len(received) >= len(sent) - 2 and len(sent) > CYCLES * 0.1
    if not stall_in and not stall_out:
        assert len(received) == CYCLES - 1  # latency 1, then one every cycle


def test_skid_buffer_reset(seed):
    """Reset empties it, whatever it held."""
    rng = random.Random(seed)
    dut = SkidBuffer(width=8)

    async def process(ctx, rst):
        for filled in range(4):
            ctx.set(dut.i_valid, 1)
            ctx.set(dut.o_ready, 0)
            for _ in range(filled):
                ctx.set(dut.i_data, rng.getrandbits(8))
                await ctx.tick()
            ctx.set(rst, 1)
            await ctx.tick()
            ctx.set(rst, 0)
            ctx.set(dut.i_valid, 0)
            assert not ctx.get(dut.o_valid) and ctx.get(dut.i_ready)
            await ctx.tick()
            assert not ctx.get(dut.o_valid)

    run(dut, process)


@pytest.mark.parametrize("depth", [2, 4, 16])
@pytest.mark.parametrize("stall_out", [0.0, 0.4, 0.8])
def test_row_queue(depth, stall_out, seed):
    """Order kept to the last free row; an empty queue passes its input on in the same cycle."""
    rng = random.Random(f"{seed} {depth} {stall_out}")
    dut = RowQueue(width=12, depth=depth)
    visited = set()

    async def process(ctx, rst):
        offers, accepts = Stalls(rng, 0.3), Stalls(rng, stall_out)
        queue = []
        for cycle in range(CYCLES):
            if cycle and cycle % 500 == 0:
                ctx.set(rst, 1)
                ctx.set(dut.i_valid, 0)
                await ctx.tick()
                ctx.set(rst, 0)
                queue.clear()
            accept = accepts()
            visited.add(len(queue))
            # The producer's promise: never more than depth rows, this cycle's included.
            push = offers() and len(queue) < depth
            row = rng.getrandbits(12)
            ctx.set(dut.i_valid, push)
            ctx.set(dut.i_data, row)
            ctx.set(dut.o_ready, accept)
            if push:
                queue.append(row)
            _, _, valid, data = await ctx.tick().sample(dut.o_valid, dut.o_data)
            assert valid == bool(queue), cycle
            if valid:
                assert data == queue[0], cycle
                if accept:
                    queue.pop(0)

    run(dut, process)
    if stall_out:
        assert visited == set(range(depth + 1))


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
def test_buffer_memory(depth, seed):
    """Read data are a cycle late; a word that is written while it is read is the new one."""
    rng = random.Random(seed + depth)
    dut = BufferMemory(width=9, depth=depth)

    async def process(ctx, rst):
        words = {}
        expected = None
        for _ in range(400):
            if expected is not None:
                assert ctx.get(dut.r_data) == expected
            write, address, data = rng.getrandbits(1), rng.randrange(depth), rng.getrandbits(9)
            read = address if rng.random() < 0.5 else rng.randrange(depth)
            ctx.set(dut.w_en, write)
            ctx.set(dut.w_addr, address)
            ctx.set(dut.w_data, data)
            ctx.set(dut.r_addr, read)
            if write:
                words[address] = data
            expected = words.get(read)
            await ctx.tick()

    run(dut, process)


@pytest.mark.parametrize("depth", [0, 1, 3, 6, -4])
def test_row_queue_refuses(depth):
    with pytest.raises(ValueError, match=f"depth must be a power of two .*, not {depth}$"):
        RowQueue(width=8, depth=depth)


def test_port_names_are_the_standards():
    """AXI4-Stream and AXI4-Lite names (AMBA IHI 0051 and 0022), directions as seen by a slave."""
    stream = sink_ports("s_axis_a", 24)
    assert list(stream) == [f"s_axis_a_t{name}" for name in ("data", "valid", "ready", "last")]
    flows = {name: member.flow for name, member in stream.items()}
    assert [name for name, flow in flows.items() if flow.name == "Out"] == ["s_axis_a_tready"]
    turned = source_ports("m", 24)
    assert [name for name, m in turned.items() if m.flow.name == "In"] == ["m_tready"]
    lite = axi_lite_ports("s", 12)
    assert {name for name, member in lite.items() if member.flow.name == "Out"} == {
        f"s_{name}"
        for name in ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")
    }
    assert len(lite) == 19
