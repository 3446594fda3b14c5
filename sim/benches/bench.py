"""Bus models, checkers and a watchdog around one engine with registers, of any kind."""

import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from .. import kinds
from ..registers import Control, Register, Response, Status
from .plan import Plan
from .protocol import REGISTER_CHANNELS
from .streams import StreamBench


class Bench(StreamBench):
    """An engine with its ports connected, in reset until :meth:`start`."""

    def __init__(self, dut, plan: Plan | None = None, *, watchdog: int = 5000):
        plan = plan or Plan()
        self.config = plan.config
        self.kind = kinds.of(self.config)
        watchdog += self.kind.silence(self.config)
        super().__init__(dut, plan, self.kind.inputs, self.kind.outputs, watchdog)
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        (self.output,) = self.kind.outputs
        for name, payload in REGISTER_CHANNELS.items():
            self._channel(f"axil_{name}", "s_axil_", f"{name}valid", f"{name}ready", payload)

    @property
    def output_stalls(self) -> int:
        """Address of the counter of cycles in which a result waited."""
        return self.kind.counters[f"STALL_{self.output.upper()}"]

    def case(self, seed: int, index: int):
        """A job that is drawn from ``seed``."""
        return self.kind.case(self.config, seed, index, self.plan.largest)

    def cases(self, seed: int):
        """As many as the plan asks for, to be done one after another."""
        return self.kind.cases(self.config, seed, self.plan.cases, self.plan.largest)

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
