"""The serial line: rates, clocks that do not agree, and bytes that are none."""

import itertools
import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from matweave.hw.emit import verilog
from matweave.hw.link.uart import LEAST_CYCLES, MOST_ERROR, BitRate, UartReceiver, UartSender
from matweave.sim.serial_board import SerialModule

CLOCKS = (12e6, 16e6, 25e6, 27e6, 48e6, 50e6, 80e6, 100e6, 125e6)
BAUDS = (115_200, 230_400, 460_800, 921_600, 1e6, 2e6, 3e6)
PAIRS = [pair for pair in itertools.product(CLOCKS, BAUDS) if pair[0] >= LEAST_CYCLES * pair[1]]


class Echo(wiring.Component):
    """What is received is sent again; up to a clock's difference in 64 bytes may wait."""

    def __init__(self, cycles_per_bit):
        self.line = {"clock_frequency": cycles_per_bit, "baud": 1}
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver(**self.line)
        m.submodules.sender = sender = UartSender(**self.line)
        m.submodules.queue = queue = SyncFIFO(width=8, depth=64)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(sender.tx),
            queue.w_data.eq(receiver.data),
            queue.w_en.eq(receiver.valid),
            sender.data.eq(queue.r_data),
            sender.valid.eq(queue.r_rdy),
            queue.r_en.eq(sender.ready),
        ]
        return m


@pytest.mark.parametrize(("clock", "baud"), PAIRS)
def test_every_usual_rate_is_met(clock, baud):
    rate = BitRate.of(clock_frequency=clock, baud=baud)
    assert abs(clock * rate.step / 2**rate.width / baud - 1) <= MOST_ERROR
    assert rate.width <= 22
    narrower = baud / clock * 2 ** (rate.width - 1)
    assert rate.width == 3 or abs(round(narrower) / narrower - 1) > MOST_ERROR


@pytest.mark.parametrize("baud", [0, -1, 1.51e6, float("nan")])
def test_rates_that_the_clock_cannot_give_are_refused(baud):
    with pytest.raises(ValueError, match=r"baud must be at most 1/8 of the clock"):
        BitRate.of(clock_frequency=12e6, baud=baud)


@pytest.mark.requires_tool("verilator", "g++", "perl")
@pytest.mark.parametrize("cycles", [8, 25 / 3, 12, 27 / 2, 12e6 / 115_200])
@pytest.mark.parametrize("skew", [-0.035, -0.02, 0, 0.02, 0.035])
def test_clocks_may_differ_by_two_percent(cycles, skew, seed):
    """And 1.5 more, in both directions of the line, without pauses between bytes."""
    rng = random.Random(f"{seed} {cycles} {skew}")
    text = verilog(Echo(cycles), "echo")
    data = bytes(range(256)) + rng.randbytes(256) + bytes(64) + b"\xff" * 64
    with SerialModule(text, "echo", cycles_per_bit=cycles * (1 + skew)) as module:
        module.send(data)
        while module.unsent or module.quiet < 12 * cycles:
            module.run(200)
        assert module.receive() == data
        assert module.framing_errors == 0


def test_pulses_and_breaks_are_no_bytes():
    """Shorter than half a bit: no start bit. Without stop bit: none until the line rests."""
    cycles = 16
    dut = UartReceiver(clock_frequency=cycles, baud=1)
    found = []

    async def collect(ctx):
        async for _, _, valid, data in ctx.tick().sample(dut.valid, dut.data):
            if valid:
                found.append(data)

    async def drive(ctx):
        async def line(level, n):
            ctx.set(dut.rx, level)
            await ctx.tick().repeat(n)

        async def byte(value, stop=1):
            for bit in [0, *(value >> i & 1 for i in range(8)), stop]:
                await line(bit, cycles)

        await line(1, 50)
        for width in range(1, cycles // 2 - 1):
            await line(0, width)
            await line(1, 12 * cycles)
        assert found == []
        await byte(0x5A)
        await byte(0xC3, stop=0)
        await line(0, 100)  # a break: the line stays low
        await line(1, 1)
        await line(1, cycles)
        await byte(0x00)
        await byte(0xFF)
        await line(1, 2 * cycles)
        assert found == [0x5A, 0x00, 0xFF]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(collect, background=True)
    simulator.add_testbench(drive)
    simulator.run()


def test_the_sender_gives_the_line_its_times(seed):
    """Every bit takes its cycles to within one, and bytes follow each other."""
    cycles = 12.5
    dut = UartSender(clock_frequency=cycles, baud=1)
    data = [0x55, 0x00, 0xFF, 0xA3, *random.Random(seed).randbytes(8)]
    levels = []

    async def feed(ctx):
        for value in data:
            ctx.set(dut.data, value)
            ctx.set(dut.valid, 1)
            await ctx.tick().until(dut.ready)
            ctx.set(dut.valid, 0)
            ctx.set(dut.data, 0)
        await ctx.tick().until(dut.ready)
        await ctx.tick().repeat(100)

    async def watch(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            levels.append(level)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(feed)
    simulator.add_testbench(watch, background=True)
    simulator.run()
    at = 0
    for value in data:
        at = levels.index(0, at)
        for number, bit in enumerate([0, *(value >> i & 1 for i in range(8)), 1]):
            first, last = at + number * cycles + 1, at + (number + 1) * cycles - 2
            assert set(levels[int(first) : int(last) + 1]) == {bit}
        at += int(10 * cycles) - 2
    assert set(levels[at + 4 :]) == {1}
    assert len(levels) > len(data) * 10 * cycles
