"""How fast this simulator is: one kind of job again and again, bus models only, nothing checked
but the result."""

import time

import cocotb
import numpy as np
from cocotb.utils import get_sim_time

from matweave.sim.jobs import Job
from matweave.sim.registers import Control, Register

from .bench import PERIOD, Bench


@cocotb.test()
async def speed(dut):
    bench = await Bench(dut).start(checkers=False)
    plan = bench.plan
    config, size = plan.config, plan.largest
    rng = np.random.default_rng(plan.seed)
    a = rng.integers(config.a.min, config.a.max, (size, size), endpoint=True)
    b = rng.integers(config.b.min, config.b.max, (size, size), endpoint=True)
    job = Job(a, b).checked(config)
    for _ in range(plan.cases):
        start, began = time.process_time(), get_sim_time("ns")
        await bench.program(job)
        bench.offer(job)
        await bench.write(Register.CONTROL, Control.START)
        frame = await bench.sinks["c"].recv(compact=False)
        seconds, cycles = time.process_time() - start, (get_sim_time("ns") - began) / PERIOD
        bench.compare(job, frame.tdata)
        plan.record(seconds=seconds, cycles=cycles)
