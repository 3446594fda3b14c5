"""An engine's Verilog as a compiled library that takes whole matrices.

:class:`Engine` drives the same AXI ports as any other test bench, but the loop over the clock
cycles is C++ (``native.cpp``)::

    with Engine(config) as engine:
        result = engine.gemm(a, b, bias=bias)
        result.c, result.cycles, result.utilisation

Nothing here compares with the golden model: the caller does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.config import GemmConfig

from . import driver, kinds, layout
from .driver import Pause
from .jobs import Job, TakesJobs
from .registers import Control, Register, Response
from .streams import WATCHDOG, EngineError, Outcome, StreamDriver

__all__ = ["Engine", "EngineError", "Outcome", "Result", "stream_bytes"]


@dataclass(frozen=True)
class Result:
    """What one job gave, and what it cost."""

    c: np.ndarray
    """C; of attention, the outputs of all heads."""
    cycles: int
    """From the first operand accepted to the last result given, both included."""
    utilisation: float
    """Useful multiply-accumulates over those that the array could do in ``cycles``."""
    counters: dict[str, int]
    """The engine's own counter registers."""


class Engine(TakesJobs, StreamDriver):
    """One instance of an engine with registers, out of reset.

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
        self.kind = kinds.of(config)
        self.load(verilog, config.name, *self.kind.stream_bytes(config), seed=seed)

    def reset(self) -> None:
        """Soft reset: abort the job, keep the registers."""
        self.write(Register.CONTROL, Control.SOFT_RESET)

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
        counters = self.kind.counters
        reads = self.access([driver.read(address) for address in counters.values()])
        return {name.lower(): read.data for name, read in zip(counters, reads, strict=True)}

    def job(
        self,
        job: Job,
        *,
        pauses: Mapping[str, Pause] | None = None,
        fill: layout.Fill = None,
        watchdog: int = WATCHDOG,
    ) -> Result:
        """Run one job, of the engine's kind (:mod:`.kinds`); ``pauses`` by stream (``a``, ``b``,
        ``c0``, ``c``), ``fill`` as in :mod:`matweave.sim.layout`."""
        config = self.config
        job = job.checked(config)
        beats = job.pack(config, fill)
        (output,) = self.kind.outputs
        outcome = self.run(
            beats,
            {output: job.beats(config)[output]},
            [driver.write(address, data) for address, data in job.registers(config)],
            pauses=pauses,
            start_last=True,
            watchdog=watchdog + self.kind.silence(config),
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
        c = job.unpack(config, outcome.outputs[output])
        cycles = outcome.last_out - (outcome.first_in or 0) + 1
        utilisation = job.utilisation(config, cycles)
        return Result(c, cycles, utilisation, self.counters())


def stream_bytes(config: GemmConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Input and output port prefixes with their bytes per beat."""
    g = config.geometry
    raw = config.result_format
    lane = config.output.format if config.output.mode == "requantized" else raw
    inputs = {
        "s_axis_a": g.a_lanes * config.a.lane_width // 8,
        "s_axis_b": g.b_lanes * config.b_lane_width // 8,
        "s_axis_c0": g.c_lanes * raw.lane_width // 8,
    }
    return inputs, {"m_axis_c": g.c_lanes * lane.lane_width // 8}
