"""Bus models, checkers and a watchdog around one GEMM engine."""

import logging
import random
import warnings

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

from ..golden.gemm import for_config
from ..jobs import Job
from ..registers import Control, Register, Response, Status
from .plan import Plan
from .protocol import REGISTER_CHANNELS, STREAM, Channel, Violation

PERIOD = 2
"""Nanoseconds of a clock cycle."""

INPUTS = {"a": "s_axis_a", "b": "s_axis_b", "c0": "s_axis_c0"}
OUTPUTS = {"c": "m_axis_c"}

# cocotbext-axi 0.1.28 uses names that cocotb 2.1 renamed.
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Bench:
    """An engine with its ports connected, in reset until :meth:`start`."""

    def __init__(self, dut, plan: Plan | None = None, *, watchdog: int = 5000):
        self.dut = dut
        self.plan = plan or Plan()
        self.config = self.plan.config
        self.golden = for_config(self.config)
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
            for name, port in INPUTS.items()
        }
        self.sinks = {
            name: AxiStreamSink(AxiStreamBus.from_prefix(dut, port), clock, reset, byte_lanes=1)
            for name, port in OUTPUTS.items()
        }
        self.channels = {}
        for name, port in (INPUTS | OUTPUTS).items():
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
        streams = [self.channels[name] for name in INPUTS | OUTPUTS]
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
        for name in INPUTS | OUTPUTS:
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

    async def program(self, job: Job) -> None:
        """Everything but the start."""
        for address, data in job.registers(self.config)[:-1]:
            await self.write(address, data)

    def offer(self, job: Job) -> None:
        """Queue the operands, with random padding."""
        for name, beats in job.pack(self.config, self.numpy_random).items():
            self.sources[name].send_nowait([int.from_bytes(beat, "little") for beat in beats])

    async def begin(self, job: Job) -> None:
        for name in INPUTS | OUTPUTS:
            self.channels[name].restart()
        await self.program(job)
        self.offer(job)
        await self.write(Register.CONTROL, Control.START)

    async def finish(self, job: Job) -> int:
        """Take C, compare it with the golden model, and return the job's cycles."""
        frame = await self.sinks["c"].recv(compact=False)
        self.compare(job, frame.tdata)
        assert self.sinks["c"].empty(), "a beat beyond tlast"
        for _ in range(20):
            status = Status(await self.read(Register.STATUS))
            if not status & Status.BUSY:
                break
        assert status == Status.DONE, f"status is {status!r} after the last beat"
        beats = job.beats(self.config)
        for name in INPUTS:
            wanted = beats[name] if name in beats else beats["c"] * (job.c0 is not None)
            taken = self.channels[name].beats
            assert taken == wanted, f"{taken} beats of {name} were taken, not {wanted}"
        return self.channels["c"].last - min(
            channel.first for channel in self.channels.values() if channel.name in ("a", "b", "c0")
            and channel.first is not None
        ) + 1  # fmt: skip

    def compare(self, job: Job, beats: list[int]) -> None:
        lane = job.lane(self.config)
        size = self.config.geometry.c_lanes * lane.lane_width // 8
        data = b"".join(beat.to_bytes(size, "little") for beat in beats)
        packed = np.frombuffer(data, np.uint8).reshape(-1, size)
        c = job.unpack(self.config, packed)
        golden = self.golden(**job.arguments())
        if not np.array_equal(c, golden):
            place = tuple(map(int, np.argwhere(c != golden)[0]))
            raise AssertionError(
                f"{(c != golden).sum()} of {c.size} elements differ, the first at "
                f"{list(place)}: {c[place]}, not {golden[place]}"
            )

    async def run(self, job: Job) -> int:
        await self.begin(job)
        return await self.finish(job)

    def report(self, test: str, **figures) -> None:
        """Record what this test did."""
        streams = [self.channels[name] for name in INPUTS | OUTPUTS]
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
