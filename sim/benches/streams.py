"""Bus models, checkers and a watchdog around whatever has AXI4-Stream ports."""

import logging
import random
import warnings
from collections.abc import Mapping

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from .plan import Plan
from .protocol import STREAM, Channel, Violation

PERIOD = 2
"""Nanoseconds of a clock cycle."""

# cocotbext-axi 0.1.28 uses names that cocotb 2.1 renamed.
warnings.filterwarnings("ignore", category=DeprecationWarning)


class StreamBench:
    """A design with its streams connected, in reset until :meth:`start`. ``inputs`` and
    ``outputs``: port prefix by stream; ``watchdog``: cycles without a handshake that are a hang."""

    def __init__(
        self,
        dut,
        plan: Plan,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        watchdog: int = 5000,
    ):
        self.dut, self.plan, self.watchdog = dut, plan, watchdog
        self.random = random.Random(f"{plan.seed}")
        self.numpy_random = np.random.default_rng(plan.seed)
        self.violations: list[Violation] = []
        self.forgive = False
        """Collect violations instead of failing at the first."""
        self.cycle = 0
        self.quiet = 0
        self.resets = 0
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)
        # One lane of the whole width: a frame is a list of beats, each one integer.
        self.sources, self.sinks = (
            {
                name: model(AxiStreamBus.from_prefix(dut, port), dut.clk, dut.rst, byte_lanes=1)
                for name, port in ports.items()
            }
            for model, ports in ((AxiStreamSource, inputs), (AxiStreamSink, outputs))
        )
        self.streams = {**inputs, **outputs}
        self.channels = {}
        for name, port in self.streams.items():
            self._channel(name, f"{port}_", "tvalid", "tready", STREAM)

    def _channel(self, name, prefix, valid, ready, payload):
        handles = {
            signal: getattr(self.dut, prefix + signal) for signal in (valid, ready, *payload)
        }
        self.channels[name] = Channel(
            name, valid, ready, payload, lambda signal: str(handles[signal].value), self._violated
        )

    def _violated(self, violation: Violation) -> None:
        self.violations.append(violation)
        if not self.forgive:
            raise AssertionError(f"protocol violation: {violation}")

    async def start(self, *, checkers: bool = True) -> "StreamBench":
        """Reset (unless the plan leaves that out) and start clock, checkers and watchdog."""
        self.dut.rst.value = 0
        await Timer(PERIOD, "ns")
        if self.plan.reset:
            self.dut.rst.value = 1
        await Timer(PERIOD, "ns")
        Clock(self.dut.clk, PERIOD, "ns").start()
        await ClockCycles(self.dut.clk, 2)
        self.dut.rst.value = 0
        if checkers:
            self._watcher = cocotb.start_soon(self._watch())
        await ClockCycles(self.dut.clk, 2)
        return self

    async def _watch(self):
        """Every clock edge: step the checkers; fail when a job makes no progress."""
        edge = RisingEdge(self.dut.clk)
        reset = self.dut.rst
        channels = list(self.channels.values())
        while True:
            await edge
            self.cycle += 1
            resetting = str(reset.value) == "1"
            moved = False
            for channel in channels:
                moved |= channel.step(self.cycle, resetting)
            self.quiet = 0 if moved else self.quiet + 1
            assert self.quiet < self.watchdog, (
                f"hang: no handshake in {self.watchdog} cycles; beats "
                + ", ".join(f"{c.name} {c.beats}" for c in channels[:4])
            )

    async def hard_reset(self, cycles: int = 2) -> None:
        """A pulse on ``rst``; everything that was under way is forgotten."""
        self.resets += 1
        self.dut.rst.value = 1
        await ClockCycles(self.dut.clk, cycles)
        self._withdraw()
        self.dut.rst.value = 0
        await ClockCycles(self.dut.clk, 2)

    def _withdraw(self):
        """The bus models drop what they were sending or receiving."""
        for model in (*self.sources.values(), *self.sinks.values()):
            model.clear()
            model.assert_reset()
        for name in self.streams:
            self.channels[name].forget()

    def pause(self, probability: float, burst: int = 1) -> None:
        """Random pauses on every stream; 0 ends them."""
        for model in (*self.sources.values(), *self.sinks.values()):
            if probability:
                generator = pauses(random.Random(self.random.random()), probability, burst)
                model.set_pause_generator(generator)
            else:
                model.clear_pause_generator()
                model.pause = False

    def report(self, test: str, **figures) -> None:
        """Record what this test did."""
        streams = [self.channels[name] for name in self.streams]
        self.plan.record(
            test=test,
            cycles=self.cycle,
            resets=self.resets,
            stalls=sum(stream.stalls for stream in streams),
            idles=sum(stream.idles for stream in streams),
            **figures,
        )


def pauses(rng: random.Random, probability: float, burst: int):
    """Endless pattern: pauses of 1 to ``burst`` cycles start with ``probability``."""
    while True:
        if rng.random() < probability:
            for _ in range(rng.randint(1, burst)):
                yield True
        else:
            yield False
