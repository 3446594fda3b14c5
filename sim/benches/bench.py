"""Bus models, checkers and a watchdog around one engine with registers, of any kind."""

import logging
import random
import warnings

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

from .. import kinds
from ..registers import Control, Register, Response, Status
from .plan import Plan
from .protocol import REGISTER_CHANNELS, STREAM, Channel, Violation

PERIOD = 2
"""Nanoseconds of a clock cycle."""

# cocotbext-axi 0.1.28 uses names that cocotb 2.1 renamed.
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Bench:
    """An engine with its ports connected, in reset until :meth:`start`."""

    def __init__(self, dut, plan: Plan | None = None, *, watchdog: int = 5000):
        self.dut = dut
        self.plan = plan or Plan()
        self.config = self.plan.config
        self.kind = kinds.of(self.config)
        self.random = random.Random(f"{self.plan.seed}")
        self.numpy_random = np.random.default_rng(self.plan.seed)
        self.watchdog = watchdog
        self.violations: list[Violation] = []
        self.forgive = False
        """Collect violations instead of failing at the first."""
        self.cycle = 0
        self.quiet = 0
        self.resets = 0
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)
        clock, reset = dut.clk, dut.rst
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), clock, reset)
        # One lane of the whole width: a frame is a list of beats, each one integer.
        self.sources = {
            name: AxiStreamSource(AxiStreamBus.from_prefix(dut, port), clock, reset, byte_lanes=1)
            for name, port in self.kind.inputs.items()
        }
        self.sinks = {
            name: AxiStreamSink(AxiStreamBus.from_prefix(dut, port), clock, reset, byte_lanes=1)
            for name, port in self.kind.outputs.items()
        }
        self.streams = {**self.kind.inputs, **self.kind.outputs}
        (self.output,) = self.kind.outputs
        self.channels = {}
        for name, port in self.streams.items():
            self._channel(name, f"{port}_", "tvalid", "tready", STREAM)
        for name, payload in REGISTER_CHANNELS.items():
            self._channel(f"axil_{name}", "s_axil_", f"{name}valid", f"{name}ready", payload)

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

    @property
    def output_stalls(self) -> int:
        """Address of the counter of cycles in which a result waited."""
        return self.kind.counters[f"STALL_{self.output.upper()}"]

    def case(self, seed: int, index: int):
        """A job that is drawn from ``seed``."""
        return self.kind.case(self.config, seed, index, self.plan.largest)

    def cases(self, seed: int):
        """As many as the plan asks for."""
        return (self.case(seed, index) for index in range(self.plan.cases))

    async def start(self, *, checkers: bool = True) -> "Bench":
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

    async def soft_reset(self) -> None:
        self.resets += 1
        streams = [self.channels[name] for name in self.streams]
        for channel in streams:
            channel.vanishing = True
        await self.write(Register.CONTROL, Control.SOFT_RESET)
        self._withdraw()
        await ClockCycles(self.dut.clk, 2)
        for channel in streams:
            channel.vanishing = False

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

    async def write(self, address: int, data: int, response=Response.OKAY) -> None:
        word = (int(data) & 0xFFFF_FFFF).to_bytes(4, "little")
        answer = await self.registers.write(int(address), word)
        assert answer.resp == response, f"write to {address:#x}: {answer.resp!r}, not {response!r}"

    async def read(self, address: int, response=Response.OKAY) -> int:
        answer = await self.registers.read(int(address), 4)
        assert answer.resp == response, f"read of {address:#x}: {answer.resp!r}, not {response!r}"
        return int.from_bytes(answer.data, "little")

    async def program(self, job) -> None:
        """Everything but the start."""
        for address, data in job.registers(self.config)[:-1]:
            await self.write(address, data)

    def offer(self, job) -> None:
        """Queue the operands, with random padding."""
        for name, beats in job.pack(self.config, self.numpy_random).items():
            self.sources[name].send_nowait([int.from_bytes(beat, "little") for beat in beats])

    async def begin(self, job) -> None:
        for name in self.streams:
            self.channels[name].restart()
        await self.program(job)
        self.offer(job)
        await self.write(Register.CONTROL, Control.START)

    async def finish(self, job) -> int:
        """Take the result, compare it with the golden model, and return the job's cycles."""
        frame = await self.sinks[self.output].recv(compact=False)
        self.compare(job, frame.tdata)
        assert self.sinks[self.output].empty(), "a beat beyond tlast"
        for _ in range(20):
            status = Status(await self.read(Register.STATUS))
            if not status & Status.BUSY:
                break
        assert status == Status.DONE, f"status is {status!r} after the last beat"
        wanted = {name: len(beats) for name, beats in job.pack(self.config).items()}
        inputs = [self.channels[name] for name in self.kind.inputs]
        for channel in inputs:
            beats = wanted.get(channel.name, 0)
            assert channel.beats == beats, (
                f"{channel.beats} beats of {channel.name} were taken, not {beats}"
            )
        first = min(channel.first for channel in inputs if channel.first is not None)
        return self.channels[self.output].last - first + 1

    def compare(self, job, beats: list[int]) -> None:
        size = self.kind.stream_bytes(self.config)[1][self.kind.outputs[self.output]]
        data = b"".join(beat.to_bytes(size, "little") for beat in beats)
        packed = np.frombuffer(data, np.uint8).reshape(-1, size)
        found = job.unpack(self.config, packed)
        golden = job.expected(self.config)
        if not np.array_equal(found, golden):
            where = tuple(np.argwhere(found != golden)[0])
            raise AssertionError(
                f"{(found != golden).sum()} of {found.size} elements differ, the first at "
                f"{list(map(int, where))}: {found[where]}, not {golden[where]}"
            )

    async def run(self, job) -> int:
        await self.begin(job)
        return await self.finish(job)

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
