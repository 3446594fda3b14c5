"""How fast a network's pipeline is on an ECP5: placed by itself, several times."""

import statistics
from dataclasses import dataclass

from ...hw import emit
from ...hw.network.design import Design
from .out_of_context import Registered, Usage, implement

DEVICE = "LFE5U-85F"


@dataclass(frozen=True)
class Placed:
    """One :class:`.Usage` per seed, from 1 on. Registers at the inputs are in it: they stand for
    whatever feeds the pipeline, so that all its paths count."""

    usages: tuple[Usage, ...]
    cycles: int

    @property
    def reached(self) -> list[float]:
        """MHz, the slowest first."""
        return sorted(each.fmax for each in self.usages)

    @property
    def fmax(self) -> float:
        """The median, in MHz."""
        return statistics.median(self.reached)

    @property
    def latency_ns(self) -> float:
        """At the median."""
        return self.cycles * 1e3 / self.fmax


def place(design: Design, seeds: int) -> Placed:
    """The pipeline on a ``DEVICE`` of speed grade 6, placed and routed ``seeds`` times.

    Raises :class:`.toolchain.ToolError` as :func:`.out_of_context.implement` does."""
    name = f"{design.name}_registered"
    verilog = emit.verilog(Registered(design.pipeline()), name)
    usages = (
        implement(verilog, name, dsp=design.multiplies, seed=seed) for seed in range(1, seeds + 1)
    )
    return Placed(tuple(usages), design.stages.count)
