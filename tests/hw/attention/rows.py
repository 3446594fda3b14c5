"""Rows through a block with streams ``i`` and ``o``, in Amaranth's simulator."""

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator


def beats_of(row, counts, lanes: int, garbage: int):
    """(elements, which count, last) of each beat; the last one is filled up with garbage."""
    padding = -len(row) % lanes
    row = np.concatenate([row, np.full(padding, garbage)]).reshape(-1, lanes)
    counts = np.concatenate([counts, np.zeros(padding, bool)]).reshape(-1, lanes)
    return [(x, keep, n == len(row) - 1) for n, (x, keep) in enumerate(zip(row, counts,
            strict=True))]  # fmt: skip


def run(dut, rows, counts, *, lanes: int, bits: tuple[int, int], rng):
    """Results by row, unsigned, and the cycles of the first beat taken and of the first given.

    ``bits``: of an element that goes in, and that comes out. The receiver is willing for the first
    row, so that the latency shows, and then every other cycle or so.
    """
    i_bits, o_bits = bits
    garbage = (1 << (i_bits - 1)) - 1
    waiting = [b for row, seen in zip(rows, counts, strict=True) for b in
               beats_of(row, seen, lanes, garbage)]  # fmt: skip
    top = Module()
    top.domains.sync = ClockDomain()
    top.submodules.dut = dut
    given, taken_at, given_at = [[]], [], []

    async def bench(ctx):
        cycle = 0
        while len(given) <= len(rows):
            if waiting:
                x, keep, last = waiting[0]
                mask = (1 << i_bits) - 1
                ctx.set(dut.i_data, sum((int(v) & mask) << i_bits * n for n, v in enumerate(x)))
                if hasattr(dut, "i_keep"):
                    ctx.set(dut.i_keep, sum(int(k) << n for n, k in enumerate(keep)))
                    ctx.set(dut.i_last, int(last))
            ctx.set(dut.i_valid, bool(waiting))
            willing = len(given) == 1 or bool(rng.integers(2))
            ctx.set(dut.o_ready, willing)
            _, _, ready, valid, data, last = await ctx.tick().sample(
                dut.i_ready, dut.o_valid, dut.o_data, dut.o_last
            )
            if waiting and ready:
                taken_at.append(cycle)
                waiting.pop(0)
            if valid and willing:
                given_at.append(cycle)
                mask = (1 << o_bits) - 1
                given[-1] += [data >> o_bits * n & mask for n in range(lanes)]
                if last:
                    given.append([])
            cycle += 1
            assert cycle < 5000, "no result"

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return given[:-1], taken_at[0], given_at[0]
