"""Whole matrices on a GEMM engine at the other end of a serial line."""

import time

import numpy as np

from matweave.hw.config import GemmConfig
from matweave.hw.geometry import Stationary
from matweave.sim import layout
from matweave.sim.jobs import Job, TakesJobs
from matweave.sim.native import EngineError, Result, stream_bytes
from matweave.sim.registers import COUNTERS, Register

from .device import Device
from .errors import DeviceReset, NotOurs
from .protocol import IDENTITY_BYTES

INPUTS = ("a", "b", "c0")
"""The engine's input streams in the order of their numbers; stream 0 of the others is c."""
RESTARTS = 3
"""Jobs begun anew, because the device was reset, before that is given up."""
STALLED = 10.0
"""Seconds without a beat in any direction after which an engine counts as hanging."""


class GemmDevice(TakesJobs):
    """The engine of ``config`` at ``device``.

    Raises :class:`.NotOurs` where the device holds an engine of another configuration.
    """

    def __init__(self, device: Device, config: GemmConfig, *, stalled: float = STALLED):
        self.device, self.config, self.stalled = device, config, stalled
        self.restarts = 0
        """Jobs that were begun anew because the device was reset."""
        self._idle = False
        self._check()

    def job(self, job: Job) -> Result:
        """Run one job; from its beginning again where the device was reset meanwhile.

        The result's ``cycles`` are those of the engine's own counter, in most of which it waited
        for the line. Raises :class:`ValueError` where the job does not fit the engine.
        """
        job = job.checked(self.config)
        for attempt in range(RESTARTS + 1):
            try:
                return self._attempt(job)
            except DeviceReset:
                if attempt == RESTARTS:
                    raise
                self.restarts += 1
                self.device.hello()
                self._check()
        raise AssertionError("unreachable")

    def _check(self) -> None:
        facts, config = self.device.facts, self.config
        inputs, outputs = stream_bytes(config)
        if (facts.sinks, facts.sources) != (tuple(inputs.values()), tuple(outputs.values())) or (
            facts.identity != bytes.fromhex(config.hash)[:IDENTITY_BYTES]
        ):
            raise NotOurs(
                f"{self.device.port}: the board holds another engine (configuration "
                f"{facts.identity.hex()}...) than {config.name} ({config.hash[:32]}...): build and "
                "program that one, or name the one that is there"
            )

    def _attempt(self, job: Job) -> Result:
        device, config = self.device, self.config
        if not self._idle:
            device.reset()
        self._idle = False
        m, n, k = job.shape
        device.write(job.registers(config))
        beats = self._stream(job.pack(config), config.geometry.beats(m, n, k)["c"])
        c = layout.unpack_c(beats, m, n, config.geometry, job.lane(config))
        counters = self.counters()
        self._idle = True
        cycles = max(1, counters["cycles"])
        return Result(c, cycles, m * n * k / (config.geometry.macs * cycles), counters)

    def counters(self) -> dict[str, int]:
        """The engine's counter registers."""
        words = self.device.read(int(Register[name]) for name in COUNTERS)
        return {name.lower(): word for name, word in zip(COUNTERS, words, strict=True)}

    def _stream(self, beats: dict[str, np.ndarray], expected: int) -> np.ndarray:
        """Offer all ``beats`` and take the ``expected`` ones of C.

        No order can deadlock: what an engine does not take now is offered again after everything
        else has been tried. The operand that it buffers whole goes first, to save attempts.
        """
        device = self.device
        first = "a" if self.config.geometry.stationary is Stationary.WEIGHT else "b"
        left = {name: beats[name] for name in sorted(beats, key=lambda name: name != first)}
        given, missing = [], expected
        moved = time.monotonic()
        while missing or left:
            progress = 0
            for name in list(left):
                taken = self._push(INPUTS.index(name), left[name])
                progress += taken
                left[name] = left[name][taken:]
                if not len(left[name]):
                    del left[name]
            ended = False
            while missing and not ended:
                part, last = device.pull(0, missing)
                progress += len(part)
                missing -= len(part)
                given.append(part)
                if last != (len(part) > 0 and not missing):
                    raise EngineError(f"tlast {missing} beats before the last of {expected} of C")
                ended = len(part) < min(device.pull_limit(0), missing + len(part))
            if progress:
                moved = time.monotonic()
            elif time.monotonic() - moved > self.stalled:
                waiting = ", ".join(f"{len(part)} of {name}" for name, part in left.items())
                raise EngineError(
                    f"{device.port}: no beat crossed in {self.stalled:g} s; missing {missing} of "
                    f"{expected} beats of C, not taken {waiting or 'none'}"
                )
        return np.concatenate(given) if given else np.empty((0, device.facts.sources[0]), np.uint8)

    def _push(self, stream: int, beats: np.ndarray) -> int:
        """Offer beats until one request is not taken whole; how many were taken."""
        total = 0
        while total < len(beats):
            offered = min(len(beats) - total, self.device.push_limit(stream))
            taken = self.device.push(stream, beats[total : total + offered])
            total += taken
            if taken < offered:
                break
        return total
