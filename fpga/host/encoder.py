"""Sequences through an encoder or a decoder at the other end of a serial line."""

import dataclasses

from matweave.hw.transformer.config import EncoderConfig
from matweave.sim.native import Result
from matweave.sim.registers import EncoderRegister
from matweave.sim.transformer.jobs import COUNTERS, EncoderJob, stream_bytes

from .device import Device
from .engine import STALLED, EngineDevice

INPUTS = ("b", "p", "x")
"""The engine's input streams in the order of their numbers; stream 0 of the others is y."""


class EncoderDevice(EngineDevice):
    """The engine of ``config`` at ``device``.

    Raises :class:`.NotOurs` where the device holds an engine of another configuration.
    """

    def __init__(self, device: Device, config: EncoderConfig, *, stalled: float = STALLED):
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

    def job(self, job: EncoderJob) -> Result:
        """Run one job; from its beginning again where the device was reset meanwhile, with its
        model and its past, which that has lost.

        The result's ``cycles`` are those of the engine's own counter. Raises :class:`ValueError`
        where the job does not fit the engine.
        """
        job = job.checked(self.config)
        before = job.before(self.config)
        whole = [*before, job if before else dataclasses.replace(job, load=True)]
        attempts = iter([[job] if self._idle else whole])
        return self.restarting(lambda: self._attempts(next(attempts, whole)))

    def _attempts(self, jobs: list[EncoderJob]) -> Result:
        """All of them; the last one's result."""
        return [self._attempt(job) for job in jobs][-1]

    def _attempt(self, job: EncoderJob) -> Result:
        config = self.config
        self.device.write(job.registers(config))
        beats = {name: (INPUTS.index(name), rows) for name, rows in job.pack(config).items()}
        # In the order in which the engine takes them.
        order = [name for name in INPUTS if name in beats]
        given = self.transfer({name: beats[name] for name in order}, job.beats(config)["y"], "Y")
        counters = self.counters(EncoderRegister, COUNTERS)
        cycles = max(1, counters["cycles"])
        return Result(job.unpack(config, given), cycles, job.utilisation(config, cycles), counters)
