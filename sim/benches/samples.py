"""What every network's engine is tested on: samples, pauses, resets."""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles

from .. import network
from ..golden import network as golden
from ..stimuli import networks
from .plan import Plan
from .streams import StreamBench

LIMIT = 50_000_000  # ns of simulated time; the watchdog is what finds a hang
SAMPLES = 16
"""Per case."""
INPUT, OUTPUT = "x", "y"


class Bench(StreamBench):
    """A network's engine, in reset until ``start``."""

    def __init__(self, dut):
        plan = Plan()
        self.network = plan.config.network
        streams = plan.manifest["streams"]
        self.given, self.results = streams["input"], streams["output"]
        latency = plan.manifest["performance"]["latency"]
        super().__init__(
            dut, plan, {INPUT: self.given["prefix"]}, {OUTPUT: self.results["prefix"]},
            watchdog=5000 + latency,
        )  # fmt: skip

    def samples(self, seed: int, count: int) -> np.ndarray:
        """Raw inputs, (count, values)."""
        return networks.inputs(self.network, seed, count)

    def offer(self, raw: np.ndarray) -> None:
        """Queue the samples, with one ``tlast`` at their end."""
        beats = network.pack(raw, self.given)
        self.sources[INPUT].send_nowait(
            [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        )

    async def finish(self, raw: np.ndarray) -> None:
        """Take the results and compare them with the golden model's."""
        wanted = len(raw) * network.beats(self.results)
        size, beats = network.beat_bytes(self.results), []
        while len(beats) < wanted:
            frame = await self.sinks[OUTPUT].recv(compact=False)
            beats += frame.tdata
        assert len(beats) == wanted, f"{len(beats)} beats of results, not {wanted}"
        data = b"".join(beat.to_bytes(size, "little") for beat in beats)
        found = network.unpack(np.frombuffer(data, np.uint8).reshape(-1, size), self.results)
        exponents = [value["exponent"] for value in self.results["values"]]
        exponents = np.array(exponents * network.beats(self.results))
        fraction = self.network[self.network.output].result.fraction
        expected = golden.predict(self.network, raw) * 2.0**-fraction
        wrong = (found * 2.0**exponents != expected).any(axis=1)
        assert not wrong.any(), f"results of {wrong.sum()} of {len(raw)} samples differ"

    async def run(self, raw: np.ndarray) -> None:
        for channel in self.channels.values():
            channel.restart()
        self.offer(raw)
        await self.finish(raw)

    def cases(self, seed: int):
        """As many batches of samples as the plan asks for."""
        return (self.samples(seed + index, SAMPLES) for index in range(self.plan.cases))


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def samples(dut):
    """One sample per interval, each after the latency: no more and no fewer cycles."""
    bench = await Bench(dut).start()
    performance = bench.plan.manifest["performance"]
    for raw in bench.cases(bench.plan.seed):
        await bench.run(raw)
        cycles = bench.channels[OUTPUT].last - bench.channels[INPUT].first
        if network.beats(bench.given) == 1:
            interval = performance["initiation_interval"]
            expected = (len(raw) - 1) * interval + performance["latency"]
            assert cycles == expected, f"{cycles} cycles, not {expected}"
    bench.report("samples", jobs=bench.plan.cases)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def pauses(dut):
    """Random pauses on both streams, rare and frequent, short and long."""
    bench = await Bench(dut).start()
    patterns = [(0.1, 1), (0.5, 1), (0.9, 1), (0.05, 20), (0.3, 5)]
    for index, raw in enumerate(bench.cases(bench.plan.seed + 1)):
        bench.pause(*patterns[index % len(patterns)])
        await bench.run(raw)
    bench.report("pauses", jobs=bench.plan.cases)


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
async def hard_reset(dut):
    """A reset at a random cycle; what comes next is right."""
    bench = await Bench(dut).start()
    for raw in bench.cases(bench.plan.seed + 2):
        bench.pause(*bench.random.choice([(0, 1), (0.2, 3)]))
        for channel in bench.channels.values():
            channel.restart()
        bench.offer(raw)
        await ClockCycles(dut.clk, bench.random.randint(1, 60))
        await bench.hard_reset()
        await bench.run(raw[::-1])
    bench.report("hard_reset", jobs=bench.plan.cases)
