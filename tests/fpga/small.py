"""A core with the ports of an engine with its link, small enough to be built in seconds."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from matweave.hw import config, emit

ENGINE = config.load("tiny_os", ["name='little'", "limits.m=4", "limits.n=4", "limits.k=4"])
"""What the core is said to be; only its name is used."""


class SmallCore(wiring.Component):
    """``tx`` is ``rx`` through a memory, a multiplier and ``stages`` of logic."""

    def __init__(self, stages: int = 1):
        self.stages = stages
        super().__init__({"rx": In(1), "tx": Out(1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(9)
        shift = Signal(16)
        product = Signal(16)
        m.submodules.memory = memory = Memory(shape=16, depth=512, init=[])
        write, read = memory.write_port(), memory.read_port()
        m.d.sync += [count.eq(count + 1), shift.eq((shift << 1) | self.rx)]
        m.d.comb += [write.addr.eq(count), write.data.eq(shift), write.en.eq(1),
                     read.addr.eq(~count), read.en.eq(1)]  # fmt: skip
        value = read.data[:8] * read.data[8:]
        for _ in range(self.stages - 1):
            value = (value * read.data)[:16]
        m.d.sync += product.eq(value)
        m.d.comb += [self.tx.eq(product.xor()), self.busy.eq(count[-1])]
        return m


def small(settings, clock_frequency, baud):
    return emit.verilog(SmallCore(), f"{settings.name}_linked")


def slow(settings, clock_frequency, baud):
    """One that misses any clock: three multipliers in a row."""
    return emit.verilog(SmallCore(3), f"{settings.name}_linked")
