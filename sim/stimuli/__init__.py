"""What is done to an engine to tell it from a broken one, as steps that can be repeated exactly.

A step is one call of :meth:`.native.Engine.run`; what it shows at the ports, cycle counts
included, is one tuple. The same steps on the same netlist give the same tuples.

The driver of :mod:`.native` writes whole words, one channel at a time; :mod:`.harness` puts logic
between it and the engine that does the rest, and selects a mutant. Short steps come first: those
at the end are played only to what survived all others.
"""

from collections.abc import Iterator

from matweave.hw.config import GemmConfig

from . import jobs, register_port, scales, weights
from .attention import AttentionStimuli
from .engines import Stimuli
from .steps import Step, hard_reset, observe

__all__ = ["Step", "observe", "stimuli"]


def stimuli(config: GemmConfig, seed: int) -> Iterator[Step]:
    """The steps for the engine of ``config``; some random ones from ``seed``."""
    if config.kind not in ("gemm", "lut"):
        of_kind = AttentionStimuli if config.kind == "attention" else Stimuli
        yield from of_kind(config, seed).steps()
        return
    scaled = config.output.mode != "raw"
    # Jobs first: they find most of what there is to find.
    yield hard_reset()
    yield from jobs.corners(config, seed)
    if scaled:
        yield from scales.sizes(config, seed)
    if config.kind == "lut":
        yield from weights.formats(config, seed)
        yield from weights.kept(config, seed)
        yield from weights.registers(config)
    yield jobs.offered(config, seed)
    yield register_port.look(config)
    yield from register_port.starts(config)
    yield from register_port.errors(config)
    yield from register_port.writes(config)
    yield from jobs.resets(config, seed)
    yield from jobs.last_panels(config, seed)
    yield from jobs.cut(config, seed)
    yield from jobs.beyond(config, seed)
    yield from jobs.busy(config, seed)
    yield from register_port.bounds(config)
    yield from register_port.late_data(config)
    yield from register_port.storms(config, seed)
    yield from register_port.raised(config)
    yield from register_port.changed(config)
    yield from jobs.watched(config, seed)
    yield from jobs.full(config, seed)
    yield from jobs.held(config, seed)
    yield from jobs.surplus(config, seed)
    if scaled:
        yield from scales.products(config, seed)
        yield from scales.totals(config, seed)
        yield from scales.extremes(config, seed)
        yield from scales.ties(config, seed)
        yield from scales.factors(config, seed)
    yield from jobs.long(config, seed)
    yield register_port.look(config)
