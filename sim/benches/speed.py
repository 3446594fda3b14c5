"""How fast this simulator is: one job again and again, its result checked."""

import time

import cocotb
import numpy as np
from cocotb.utils import get_sim_time

from ..cases import values
from ..jobs import Job
from ..registers import Control, Register
from .bench import Bench
from .streams import PERIOD


@cocotb.test()
async def as_in_the_regression(dut):
    """With the protocol checkers and the watchdog, which watch every cycle."""
    await measure(dut, checkers=True)


@cocotb.test()
async def bus_models_only(dut):
    await measure(dut, checkers=False)


async def measure(dut, checkers: bool):
    bench = await Bench(dut).start(checkers=checkers)
    plan = bench.plan
    config, size = plan.config, plan.largest
    rng = np.random.default_rng(plan.seed)
    a = values(config.a, "random", (size, size), rng)
    b = values(config.b, "random", (size, size), rng)
    job = Job(a, b).checked(config)
    for _ in range(plan.cases):
        start, began = time.process_time(), get_sim_time("ns")
        await bench.program(job)
        bench.offer(job)
        await bench.write(Register.CONTROL, Control.START)
        frame = await bench.sinks["c"].recv(compact=False)
        seconds, cycles = time.process_time() - start, (get_sim_time("ns") - began) / PERIOD
        bench.compare(job, frame.tdata)
        plan.record(checkers=checkers, seconds=seconds, cycles=cycles)
