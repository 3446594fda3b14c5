"""An engine's Verilog as a compiled library that takes whole matrices.

:class:`Engine` drives the same AXI ports as any other test bench, but the loop over the clock
cycles is C++ (``native.cpp``)::

    with Engine(config) as engine:
        result = engine.gemm(a, b, bias=bias)
        result.c, result.cycles, result.utilisation

Nothing here compares with the golden model: the caller does.
"""

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig

from . import driver, layout, verilate
from .driver import QUIET, Pause
from .jobs import Job, TakesJobs
from .registers import COUNTERS, Control, Register, Response

WATCHDOG = 100_000
"""Cycles without any handshake that count as a hang."""

CHUNK = 1 << 20
"""Cycles per call of the library; between two calls Python sees Ctrl-C."""


class EngineError(RuntimeError):
    """The engine hung, broke the stream protocol or refused a register access."""


@dataclass(frozen=True)
class Result:
    """What one job gave, and what it cost."""

    c: np.ndarray
    cycles: int
    """From the first operand accepted to the last result given, both included."""
    utilisation: float
    """Useful multiply-accumulates over those that the array could do in ``cycles``."""
    counters: dict[str, int]
    """The engine's own counter registers."""


@dataclass(frozen=True)
class Outcome:
    """What :meth:`Engine.run` saw at the ports."""

    cycles: int
    first_in: int | None
    last_out: int
    outputs: dict[str, np.ndarray]
    taken: dict[str, int]
    """Beats per stream that crossed."""
    stalls: dict[str, int]
    """Cycles per stream with valid and not ready."""
    idles: dict[str, int]
    """Cycles per stream with ready and not valid."""
    operations: list[driver.Access]


class Engine(TakesJobs):
    """One instance of a GEMM engine, out of reset.

    ``seed`` is for the pauses that :class:`Pause` does not seed itself.
    """

    def __init__(self, config: GemmConfig, *, seed: int = 1):
        from matweave.hw.emit import generate

        self._open(generate(config).verilog, config, seed)

    @classmethod
    def from_verilog(cls, verilog: str, config: GemmConfig, *, seed: int = 1) -> "Engine":
        """An engine from Verilog text with the ports that ``config`` implies."""
        engine = cls.__new__(cls)
        engine._open(verilog, config, seed)
        return engine

    @classmethod
    def from_generated(cls, verilog: str, manifest: dict, *, seed: int = 1) -> "Engine":
        """An engine from what ``matweave generate`` wrote: the Verilog, and the manifest's JSON."""
        tables = manifest["configuration"]
        return cls.from_verilog(verilog, configuration.from_tables(tables), seed=seed)

    def _open(self, verilog: str, config: GemmConfig, seed: int) -> None:
        self.config = config
        self.seed = seed
        self._inputs, self._outputs = stream_bytes(config)
        path = verilate.library(verilog, config.name, self._inputs, self._outputs)
        self._job_type = driver.job_type(len(self._inputs), len(self._outputs))
        self._library = driver.load(path, self._job_type)
        self._handle = self._library.matweave_new(seed)
        self.hard_reset()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        if self._handle:
            self._library.matweave_delete(self._handle)
            self._handle = None

    @property
    def total_cycles(self) -> int:
        """Clock cycles since the engine was made."""
        return self._library.matweave_cycles(self._handle)

    def hard_reset(self, cycles: int = 2) -> None:
        """Hold ``rst`` for ``cycles``."""
        self._library.matweave_idle(self._handle, 1, cycles)

    def reset(self) -> None:
        """Soft reset: abort the job, keep the registers."""
        self.write(Register.CONTROL, Control.SOFT_RESET)

    def idle(self, cycles: int) -> None:
        """Let ``cycles`` pass with nothing offered and nothing taken."""
        self._library.matweave_idle(self._handle, 0, cycles)

    def access(self, operations: Iterable[driver.Access]) -> list[driver.Access]:
        """Do register ``operations`` one after another, whatever they are answered."""
        return self.run({}, {}, operations).operations

    def write(self, address: int, data: int) -> None:
        (done,) = self.access([driver.write(address, data)])
        if done.response != Response.OKAY:
            raise EngineError(
                f"write of {data:#x} to {address:#x} was answered {Response(done.response).name}"
            )

    def read(self, address: int) -> int:
        (done,) = self.access([driver.read(address)])
        if done.response != Response.OKAY:
            raise EngineError(f"read of {address:#x} was answered {Response(done.response).name}")
        return done.data

    def counters(self) -> dict[str, int]:
        reads = self.access([driver.read(Register[name]) for name in COUNTERS])
        return {name.lower(): read.data for name, read in zip(COUNTERS, reads, strict=True)}

    def job(
        self,
        job: Job,
        *,
        pauses: Mapping[str, Pause] | None = None,
        fill: layout.Fill = None,
        watchdog: int = WATCHDOG,
    ) -> Result:
        """Run one job; ``pauses`` by stream (``a``, ``b``, ``c0``, ``c``), ``fill`` as in
        :mod:`matweave.sim.layout`."""
        config = self.config
        job = job.checked(config)
        beats = job.pack(config, fill)
        m, n, k = job.shape
        expected = config.geometry.beats(m, n, k)["c"]
        outcome = self.run(
            beats,
            {"c": expected},
            [driver.write(address, data) for address, data in job.registers(config)],
            pauses=pauses,
            start_last=True,
            watchdog=watchdog,
        )
        for access in outcome.operations:
            if access.response != Response.OKAY:
                raise EngineError(
                    f"write of {access.data:#x} to {access.address:#x} was answered "
                    f"{Response(access.response).name}"
                )
        for stream, packed in beats.items():
            if outcome.taken[stream] != len(packed):
                raise EngineError(
                    f"{outcome.taken[stream]} of {len(packed)} beats of {stream} were taken"
                )
        c = layout.unpack_c(outcome.outputs["c"], m, n, config.geometry, job.lane(config))
        cycles = outcome.last_out - (outcome.first_in or 0) + 1
        utilisation = m * n * k / (config.geometry.macs * cycles)
        return Result(c, cycles, utilisation, self.counters())

    def run(
        self,
        inputs: Mapping[str, np.ndarray],
        outputs: Mapping[str, int],
        operations: Iterable[driver.Access] = (),
        *,
        pauses: Mapping[str, Pause] | None = None,
        start_last: bool = False,
        stop_at: int = 0,
        hard_reset: tuple[int, int] = (0, 0),
        watchdog: int = WATCHDOG,
        drain: int = 0,
    ) -> Outcome:
        """The lowest level: offer ``inputs`` (beats by stream), take ``outputs`` (number of
        beats by stream) and do register ``operations``, all at the same time, until all outputs
        have come and all operations are done, and ``drain`` cycles more.

        ``start_last``: streams are quiet until only one operation is left. ``stop_at``: leave
        everything as it stands after that cycle. ``hard_reset``: (cycle, duration) of a pulse on
        ``rst``, with which the run ends.
        """
        job = self._job_type()
        accesses = list(operations)
        job.set_operations(accesses)
        job.start_at = max(0, len(accesses) - 1) if start_last else 0
        job.watchdog, job.drain, job.stop_at = watchdog, drain, stop_at
        job.reset_at, job.reset_for = hard_reset
        pauses = pauses or {}
        offered, given = {}, {}
        for index, (port, size) in enumerate(self._inputs.items()):
            name = stream_name(port)
            beats = inputs.get(name, np.empty((0, size), np.uint8))
            assert beats.shape[1:] == (size,), (name, beats.shape, size)
            offered[name] = np.ascontiguousarray(beats, np.uint8)
            job.inputs[index].set(offered[name], pauses.get(name, QUIET), self._seed(index))
        for index, (port, size) in enumerate(self._outputs.items()):
            name = stream_name(port)
            given[name] = np.zeros((outputs.get(name, 0), size), np.uint8)
            job.outputs[index].set(given[name], pauses.get(name, QUIET), self._seed(8 + index))
        status = driver.RUNNING
        while status == driver.RUNNING:
            status = self._library.matweave_run(self._handle, ctypes.byref(job), CHUNK)
        streams = dict(zip(map(stream_name, (*self._inputs, *self._outputs)), job.streams(),
                           strict=True))  # fmt: skip
        if status == driver.HANG:
            state = ", ".join(f"{name} {s.done}/{s.beats}" for name, s in streams.items())
            raise EngineError(
                f"no handshake in {watchdog} cycles at cycle {job.cycle}: beats {state}, "
                f"register operations {job.operation}/{len(accesses)}"
            )
        if status == driver.VIOLATION:
            name = stream_name(list(self._outputs)[job.violating])
            s = streams[name]
            raise EngineError(
                f"{driver.VIOLATIONS[job.violation]} on stream {name} at cycle {job.cycle - 1}, "
                f"beat {s.done} of {s.beats}"
            )
        return Outcome(
            cycles=job.cycle,
            first_in=job.first_in if job.any_in else None,
            last_out=job.last_out,
            outputs=given,
            taken={name: s.done for name, s in streams.items()},
            stalls={name: s.stalls for name, s in streams.items()},
            idles={name: s.idles for name, s in streams.items()},
            operations=job.results(),
        )

    def _seed(self, index: int) -> int:
        return self.seed * 16 + index + 1


def stream_bytes(config: GemmConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output port prefixes with their bytes per beat."""
    g = config.geometry
    raw = config.result_format
    lane = config.output.format if config.output.mode == "requantized" else raw
    inputs = {
        "s_axis_a": g.a_lanes * config.a.lane_width // 8,
        "s_axis_b": g.b_lanes * config.b.lane_width // 8,
        "s_axis_c0": g.c_lanes * raw.lane_width // 8,
    }
    return inputs, {"m_axis_c": g.c_lanes * lane.lane_width // 8}


def stream_name(port: str) -> str:
    return port.rpartition("_")[2]
