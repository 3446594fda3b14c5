"""Whole matrices on a GEMM engine at the other end of a serial line."""

import dataclasses

from matweave.hw.config import GemmConfig
from matweave.hw.geometry import Stationary
from matweave.sim.jobs import Job, TakesJobs
from matweave.sim.native import Result, stream_bytes
from matweave.sim.registers import COUNTERS, Register

from .device import Device
from .engine import STALLED, EngineDevice

INPUTS = ("a", "b", "c0")
"""The engine's input streams in the order of their numbers; stream 0 of the others is c."""


class GemmDevice(TakesJobs, EngineDevice):
    """The engine of ``config`` at ``device``.

    Raises :class:`.NotOurs` where the device holds an engine of another configuration.
    """

    def __init__(self, device: Device, config: GemmConfig, *, stalled: float = STALLED):
        self.config = config
        inputs, outputs = stream_bytes(config)
        super().__init__(
            device,
            name=config.name,
            hash=config.hash,
            sinks=inputs.values(),
            sources=outputs.values(),
            stalled=stalled,
        )

    def job(self, job: Job) -> Result:
        """Run one job; from its beginning again where the device was reset meanwhile.

        The result's ``cycles`` are those of the engine's own counter, in most of which it waited
        for the line. Raises :class:`ValueError` where the job does not fit the engine.
        """
        job = job.checked(self.config)
        # After a reset the engine has lost the B that was to stay.
        whole = dataclasses.replace(job, keep_b=False)
        attempts = iter([job if self._idle else whole])
        return self.restarting(lambda: self._attempt(next(attempts, whole)))

    def _attempt(self, job: Job) -> Result:
        config = self.config
        self.device.write(job.registers(config))
        packed = job.pack(config)
        # The operand that the engine buffers whole goes first, to save attempts.
        first = "a" if config.geometry.stationary is Stationary.WEIGHT else "b"
        beats = {
            name: (INPUTS.index(name), packed[name])
            for name in sorted(packed, key=lambda name: name != first)
        }
        given = self.transfer(beats, job.beats(config)["c"], "C")
        c = job.unpack(config, given)
        counters = self.counters(Register, COUNTERS)
        cycles = max(1, counters["cycles"])
        return Result(c, cycles, job.utilisation(config, cycles), counters)
