"""A whole engine in Amaranth's own simulator, through its AXI ports.

Slow (some thousand cycles a second for the smallest engines), but independent of Yosys, of the
shared-cell emitter and of any Verilog simulator: what the compiled engine of :mod:`.native` gives,
cycle counts included, must be what comes out here::

    results = pysim.jobs(config, [job, ...])        # same type as native.Engine.job's

For tests that do more than jobs, :func:`simulate` runs an asynchronous script::

    async def script(driver):
        await driver.write(Register.M, 0)
        ...
    pysim.simulate(config, script)
"""

import random
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from matweave.hw.config import GemmConfig

from . import kinds, layout
from .driver import QUIET, Pause
from .jobs import Job
from .native import EngineError, Result
from .registers import Control, Register, Response

WATCHDOG = 2_000
"""Cycles without any handshake that count as a hang."""

T = TypeVar("T")


def simulate(config: GemmConfig, script: Callable[["Driver"], Awaitable[T]], *, seed: int = 1) -> T:
    """What ``script`` returns, run on the engine of ``config`` just out of reset.

    ``seed`` is for the pauses that :class:`~.driver.Pause` does not seed itself.
    """
    from matweave.hw.engine import build

    top = Module()
    top.domains.sync = domain = ClockDomain()
    top.submodules.engine = engine = build(config)
    returned = []

    async def testbench(ctx):
        returned.append(await script(Driver(ctx, config, engine, domain.rst, seed)))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    with warnings.catch_warnings():
        # A script that fails leaves parts of the simulator unused; its exception is enough.
        warnings.simplefilter("ignore", ResourceWarning)
        simulator.run()
    return returned[0]


def jobs(
    config: GemmConfig,
    work: Iterable[Job],
    *,
    pauses: Mapping[str, Pause] | None = None,
    fill: layout.Fill = None,
    seed: int = 1,
) -> list[Result]:
    """Results of jobs run one after another on one engine; arguments as of
    :meth:`.native.Engine.job`."""

    async def script(driver):
        return [await driver.job(job, pauses=pauses, fill=fill) for job in work]

    return simulate(config, script, seed=seed)


class _Pauses:
    """Cycles in which a stream pauses; see :class:`~.driver.Pause`."""

    def __init__(self, pause: Pause, seed: int):
        self._pause = pause
        self._random = random.Random(seed if pause.seed is None else pause.seed)
        self._left = 0

    def now(self) -> bool:
        if self._left:
            self._left -= 1
            return True
        if not self._pause.probability or self._random.random() >= self._pause.probability:
            return False
        self._left = self._random.randrange(max(1, self._pause.burst))
        return True


class _Source:
    """One input stream: beats are held until accepted; between them the payload is garbage."""

    def __init__(self, ctx, engine, port: str):
        self._ctx = ctx
        self._data, self._valid, self.ready, self._last = (
            getattr(engine, f"{port}_t{name}") for name in ("data", "valid", "ready", "last")
        )
        self._garbage = int.from_bytes(b"\xa5" * (len(self._data) // 8), "little")
        self.offered = False
        self.load((), _Pauses(QUIET, 0))

    def load(self, beats, pauses: _Pauses) -> None:
        """Offer ``beats`` from now on, whatever was offered until now."""
        self.beats = [int.from_bytes(beat.tobytes(), "little") for beat in beats]
        self.taken, self.pauses = 0, pauses
        self._set(False)

    def _set(self, offered: bool) -> None:
        last = self.taken + 1 == len(self.beats)
        self.offered = self._high = offered
        self._ctx.set(self._data, self.beats[self.taken] if offered else self._garbage)
        self._ctx.set(self._last, last if offered else 1)
        self._ctx.set(self._valid, offered)

    def drive(self) -> None:
        if self.offered:
            return  # held until accepted
        offer = self.taken < len(self.beats) and not self.pauses.now()
        if offer or self._high:
            self._set(offer)

    def sample(self, ready: int) -> bool:
        moved = self.offered and bool(ready)
        if moved:
            self.taken += 1
            self.offered = False
        return moved


class _Sink:
    """The output stream, and what the protocol demands of it."""

    def __init__(self, ctx, engine, name: str, port: str):
        self._ctx, self.name = ctx, name
        data, valid, self._ready, last = (
            getattr(engine, f"{port}_t{name}") for name in ("data", "valid", "ready", "last")
        )
        self.signals = (valid, last, data)
        self._bytes = len(data) // 8
        self._held = None
        self.ignoring = False
        """A reset is under way: beats may vanish, and come, as they like."""
        self.expect(0, _Pauses(QUIET, 0))

    def expect(self, beats: int, pauses: _Pauses) -> None:
        """Take so many beats from now on; one more is an error."""
        self.expected, self.pauses, self.beats = beats, pauses, []
        self._accepting = None
        self.stalls = 0

    def forget(self) -> None:
        """What waits now may vanish: a reset."""
        self._held = None

    def drive(self) -> None:
        accepting = bool(self.expected) and not self.pauses.now()
        if accepting is not self._accepting:
            self._accepting = accepting
            self._ctx.set(self._ready, accepting)

    def sample(self, valid: int, last: int, data: int) -> bool:
        if self.ignoring:
            return False
        if self._held is not None and self._held != (valid, last, data):
            what = "payload changed while waiting" if valid else "tvalid fell before tready"
            raise EngineError(
                f"{what} on stream {self.name}, beat {len(self.beats)} of {self.expected}"
            )
        self._held = (valid, last, data) if valid and not self._accepting else None
        if not valid:
            return False
        if len(self.beats) >= self.expected:
            raise EngineError(f"a beat beyond the last of {self.expected} on stream {self.name}")
        if not self._accepting:
            self.stalls += 1
            return False
        self.beats.append(data.to_bytes(self._bytes, "little"))
        if bool(last) != (len(self.beats) == self.expected):
            raise EngineError(
                f"wrong tlast on beat {len(self.beats)} of {self.expected} of {self.name}"
            )
        return True

    def array(self) -> np.ndarray:
        return np.frombuffer(b"".join(self.beats), np.uint8).reshape(-1, self._bytes)


class Driver:
    """Both sides of every port of one engine, cycle by cycle."""

    def __init__(self, ctx, config: GemmConfig, engine, reset, seed: int):
        self._ctx, self.config, self._engine, self._reset = ctx, config, engine, reset
        self._seed = seed
        self.cycle = 0
        """Clock cycles since the start of the simulation."""
        self._quiet = 0
        self.kind = kinds.of(config)
        self.sources = {name: _Source(ctx, engine, port) for name, port in self.kind.inputs.items()}
        ((name, port),) = self.kind.outputs.items()
        self.sink = _Sink(ctx, engine, name, port)
        self.first_in = self.last_out = None

    async def step(self, *extra) -> tuple:
        """One cycle: drive, sample every handshake, clock. Returns the values of ``extra``."""
        for source in self.sources.values():
            source.drive()
        self.sink.drive()
        sources = list(self.sources.values())
        ready = [source.ready for source in sources]
        signals = (*ready, *self.sink.signals, *extra)
        _, _, *values = await self._ctx.tick().sample(*signals)
        moved = [source.sample(value) for source, value in zip(sources, values, strict=False)]
        given = self.sink.sample(*values[len(sources) : len(sources) + 3])
        if any(moved) and self.first_in is None:
            self.first_in = self.cycle
        if given:
            self.last_out = self.cycle
        self._quiet = 0 if given or any(moved) else self._quiet + 1
        self.cycle += 1
        return tuple(values[len(sources) + 3 :])

    async def idle(self, cycles: int) -> None:
        for _ in range(cycles):
            await self.step()

    async def hard_reset(self, cycles: int = 2) -> None:
        """Hold ``rst`` for ``cycles``; offers are withdrawn and results forgotten."""
        self._ctx.set(self._reset, 1)
        self.withdraw()
        for _ in range(cycles):
            await self._ctx.tick()
        self._ctx.set(self._reset, 0)

    def withdraw(self) -> None:
        """Offer nothing and expect nothing any more."""
        for source in self.sources.values():
            source.load((), source.pauses)
        self.sink.forget()
        self.sink.expect(0, self.sink.pauses)

    async def soft_reset(self) -> None:
        """Abort the job by register; offers stand until the write is answered."""
        self.sink.ignoring = True
        assert await self.write(Register.CONTROL, Control.SOFT_RESET) == Response.OKAY
        self.withdraw()
        self.sink.ignoring = False

    async def write(self, address: int, data: int, strobe: int = 0xF) -> Response:
        """The response to one register write."""
        engine, ctx = self._engine, self._ctx
        ctx.set(engine.s_axil_awaddr, int(address))
        ctx.set(engine.s_axil_wdata, int(data) & 0xFFFF_FFFF)
        ctx.set(engine.s_axil_wstrb, strobe)
        for name in ("awvalid", "wvalid", "bready"):
            ctx.set(getattr(engine, f"s_axil_{name}"), 1)
        watched = [
            getattr(engine, f"s_axil_{name}") for name in ("awready", "wready", "bvalid", "bresp")
        ]
        for _ in range(WATCHDOG):
            address_taken, data_taken, valid, response = await self.step(*watched)
            if address_taken:
                ctx.set(engine.s_axil_awvalid, 0)
            if data_taken:
                ctx.set(engine.s_axil_wvalid, 0)
            if valid:
                ctx.set(engine.s_axil_bready, 0)
                return Response(response)
        raise EngineError(f"write to {int(address):#x} was not answered")

    async def access(self, address: int) -> tuple[int, Response]:
        """Data and response of one register read."""
        engine, ctx = self._engine, self._ctx
        ctx.set(engine.s_axil_araddr, int(address))
        ctx.set(engine.s_axil_arvalid, 1)
        ctx.set(engine.s_axil_rready, 1)
        watched = [
            getattr(engine, f"s_axil_{name}") for name in ("arready", "rvalid", "rdata", "rresp")
        ]
        for _ in range(WATCHDOG):
            taken, valid, data, response = await self.step(*watched)
            if taken:
                ctx.set(engine.s_axil_arvalid, 0)
            if valid:
                ctx.set(engine.s_axil_rready, 0)
                return data, Response(response)
        raise EngineError(f"read of {int(address):#x} was not answered")

    async def read(self, address: int) -> int:
        data, response = await self.access(address)
        if response != Response.OKAY:
            raise EngineError(f"read of {int(address):#x} was answered {response.name}")
        return data

    async def counters(self) -> dict[str, int]:
        counters = self.kind.counters.items()
        return {name.lower(): await self.read(address) for name, address in counters}

    async def program(self, job: Job, *, start: bool = True) -> None:
        """Write all registers of ``job``, the start last (or not at all)."""
        writes = job.registers(self.config)
        for address, data in writes if start else writes[:-1]:
            response = await self.write(address, data)
            if response != Response.OKAY:
                raise EngineError(f"write to {address:#x} was answered {response.name}")

    def offer(
        self,
        job: Job,
        *,
        pauses: Mapping[str, Pause] | None = None,
        fill: layout.Fill = None,
    ) -> None:
        """Offer the operands of ``job`` and take its results, from the next cycle on."""
        pauses = pauses or {}
        packed = job.pack(self.config, fill)
        for index, (name, source) in enumerate(self.sources.items()):
            drawn = _Pauses(pauses.get(name, QUIET), 16 * self._seed + index)
            source.load(packed.get(name, ()), drawn)
        expected = job.beats(self.config)[self.sink.name]
        drawn = _Pauses(pauses.get(self.sink.name, QUIET), 16 * self._seed + 8)
        self.sink.expect(expected, drawn)
        self._seed += 1
        self.first_in, self._quiet = None, 0

    async def start(self, job: Job, **streams) -> None:
        """Program ``job``, offer its streams (see :meth:`offer`) and start it."""
        await self.program(job, start=False)
        self.offer(job, **streams)
        response = await self.write(Register.CONTROL, Control.START)
        if response != Response.OKAY:
            raise EngineError(f"the start was answered {response.name}")

    async def finish(self, job: Job) -> Result:
        """The result of the job that was started last."""
        while len(self.sink.beats) < self.sink.expected:
            await self.step()
            if self._quiet > WATCHDOG + self.kind.silence(self.config):
                taken = {name: f"{s.taken}/{len(s.beats)}" for name, s in self.sources.items()}
                raise EngineError(
                    f"no handshake in {self._quiet} cycles at cycle {self.cycle}: beats {taken}, "
                    f"{self.sink.name} {len(self.sink.beats)}/{self.sink.expected}"
                )
        for name, source in self.sources.items():
            if source.taken != len(source.beats):
                raise EngineError(f"{source.taken} of {len(source.beats)} beats of {name} taken")
        config = self.config
        c = job.unpack(config, self.sink.array())
        cycles = self.last_out - self.first_in + 1
        return Result(c, cycles, job.utilisation(config, cycles), await self.counters())

    async def job(
        self,
        job: Job,
        *,
        pauses: Mapping[str, Pause] | None = None,
        fill: layout.Fill = None,
    ) -> Result:
        """Run one job to its end; arguments as of :meth:`.native.Engine.job`."""
        job = job.checked(self.config)
        await self.start(job, pauses=pauses, fill=fill)
        return await self.finish(job)
