"""What every engine is tested on: jobs, pauses, resets."""

import cocotb
from cocotb.triggers import ClockCycles

from ..golden import operands
from ..registers import Control, Register, Status
from .bench import Bench

LIMIT = 50_000_000  # ns of simulated time; the watchdog is what finds a hang


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def jobs(dut):
    """Corner cases and random ones, the streams never stalling."""
    bench = await Bench(dut).start()
    plan = bench.plan
    for index, item in enumerate(bench.cases(plan.seed)):
        cycles = await bench.run(item.job)
        assert await bench.read(bench.output_stalls) == 0
        digest = operands.digest(item.job.expected(plan.config))
        plan.record(index=index, case=item.name, cycles=cycles, c=digest)
    bench.report("jobs", jobs=plan.cases)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def pauses(dut):
    """Random pauses on every stream, rare and frequent, short and long."""
    bench = await Bench(dut).start()
    plan = bench.plan
    patterns = [(0.1, 1), (0.5, 1), (0.9, 1), (0.05, 20), (0.3, 5)]
    for index, item in enumerate(bench.cases(plan.seed + 1)):
        bench.pause(*patterns[index % len(patterns)])
        await bench.run(item.job)
    bench.report("pauses", jobs=plan.cases)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def back_to_back(dut):
    """The operands of the next job wait at the ports while the present one runs."""
    bench = await Bench(dut).start()
    plan = bench.plan
    queue = [item.job for item in bench.cases(plan.seed + 2)]
    for job in queue:
        bench.offer(job)
    for job in queue:
        for channel in bench.channels.values():
            channel.restart()
        await bench.program(job)
        await bench.write(Register.CONTROL, Control.START)
        await bench.finish(job)
    bench.report("back_to_back", jobs=len(queue))


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def restart(dut):
    """The same job again, started as soon as its last beat has been taken."""
    bench = await Bench(dut).start()
    plan = bench.plan
    for index in range(0, plan.cases, 2):
        job = bench.case(plan.seed + 5, index).job
        await bench.program(job)
        for _ in range(3):
            bench.offer(job)
            await bench.write(Register.CONTROL, Control.START)
            frame = await bench.sinks[bench.output].recv(compact=False)
            bench.compare(job, frame.tdata)
        assert await bench.read(Register.ERROR) == 0
    bench.report("restart", jobs=3 * plan.cases // 2)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def soft_reset(dut):
    """A soft reset at a random cycle of a job; the next job is right."""
    await interrupted(dut, "soft_reset")


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def hard_reset(dut):
    """The same with ``rst``."""
    await interrupted(dut, "hard_reset")


async def interrupted(dut, how: str):
    bench = await Bench(dut).start()
    plan = bench.plan
    for index in range(plan.cases):
        job = bench.case(plan.seed + 3, index).job
        bench.pause(*bench.random.choice([(0, 1), (0.2, 3)]))
        await bench.begin(job)
        length = sum(job.beats(plan.config).values()) + 30
        await ClockCycles(dut.clk, bench.random.randint(1, length))
        await getattr(bench, how)()
        assert not await bench.read(Register.STATUS) & Status.BUSY, "busy after reset"
        await bench.run(bench.case(plan.seed + 4, index).job)
    bench.report(how, jobs=plan.cases)
