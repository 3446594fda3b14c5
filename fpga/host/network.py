"""Samples through a network's engine at the other end of a serial line."""

from dataclasses import dataclass

import numpy as np

from matweave.hw.network.config import NetworkConfig
from matweave.sim.network import TakesSamples, beat_bytes
from matweave.sim.registers import NETWORK_ID_VALUE, NETWORK_VERSION_VALUE
from matweave.sim.registers import NetworkRegister as Register

from .device import Device
from .engine import STALLED, EngineDevice
from .errors import NotOurs


@dataclass(frozen=True)
class Latency:
    """What the engine counted: ``cycles`` from a sample accepted to its result offered, at the
    clock that the board gives it."""

    cycles: int
    clock_hz: int

    @property
    def period(self) -> float:
        """Of the clock, in ns."""
        return 1e9 / self.clock_hz

    @property
    def ns(self) -> float:
        return self.cycles * self.period


class NetworkDevice(TakesSamples, EngineDevice):
    """The engine of ``config`` at ``device``; how it is pipelined does not matter.

    Raises :class:`.NotOurs` where the device holds another network, or none.
    """

    def __init__(self, device: Device, config: NetworkConfig, *, stalled: float = STALLED):
        self.config, self.manifest = config, config.design.manifest
        super().__init__(
            device,
            name=config.name,
            hash=config.identity,
            sinks=[beat_bytes(self.inputs)],
            sources=[beat_bytes(self.outputs)],
            stalled=stalled,
        )
        found = device.read([int(Register.ID), int(Register.VERSION)])
        if found != [NETWORK_ID_VALUE, NETWORK_VERSION_VALUE]:
            raise NotOurs(
                f"{device.port}: the board's registers are of version {found[1]}, and this host "
                f"knows version {NETWORK_VERSION_VALUE}: build and program it again"
            )

    def run_samples(self, beats: np.ndarray) -> np.ndarray:
        """The results' beats; from the first sample again where the device was reset meanwhile."""
        return self.restarting(
            lambda: self.transfer({"x": (0, beats)}, len(beats), "y", mark_last=True)
        )

    def latency(self) -> Latency:
        """As measured by the engine itself, of the first sample of the last call with any."""
        cycles, clock = self.device.read([int(Register.LATENCY), int(Register.CLOCK_HZ)])
        return Latency(cycles, clock)
