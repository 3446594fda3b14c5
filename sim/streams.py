"""Any module with AXI4-Stream ports, compiled: whole streams in, whole streams out.

The loop over the clock cycles is C++ (``native.cpp``); it also watches the protocol.
"""

import ctypes
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from . import driver, verilate
from .driver import QUIET, Pause

WATCHDOG = 100_000
"""Cycles without any handshake that count as a hang."""

CHUNK = 1 << 20
"""Cycles per call of the library; between two calls Python sees Ctrl-C."""


class EngineError(RuntimeError):
    """The engine hung, broke the stream protocol or refused a register access."""


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


class StreamDriver:
    """A module with AXI4-Stream ports as a library that takes and gives whole streams."""

    gates = False
    """Whether the Verilog is a netlist of single bits (:mod:`.verilate`)."""

    def load(
        self,
        verilog: str,
        top: str,
        inputs: Mapping[str, int],
        outputs: Mapping[str, int],
        *,
        seed: int,
        registers: bool = True,
    ) -> None:
        """Compile ``top`` and reset it; ``inputs`` and ``outputs``: bytes per beat by port prefix.
        ``registers``: whether it has an AXI4-Lite port. ``seed`` is for the pauses that
        :class:`Pause` does not seed itself."""
        self.seed = seed
        self._inputs, self._outputs = dict(inputs), dict(outputs)
        self.path = verilate.library(
            verilog, top, inputs, outputs, registers=registers, long=self.gates
        )
        self._job_type = driver.job_type(len(self._inputs), len(self._outputs))
        self._library = driver.load(self.path, self._job_type)
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

    def idle(self, cycles: int) -> None:
        """Let ``cycles`` pass with nothing offered and nothing taken."""
        self._library.matweave_idle(self._handle, 0, cycles)

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


def stream_name(port: str) -> str:
    return port.rpartition("_")[2]
