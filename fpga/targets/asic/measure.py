"""Area, critical path and throughput of a configuration's array, and of a single PE."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ....hw import emit
from ....hw.array.group_cell import cell_class
from ....hw.cells import shared
from ....hw.engine import array_choice
from . import blocks, fanout, opensta, timing
from .flow import Flow, Mapped, synthesise
from .library import Library
from .power import Power
from .throughput import cycles_per_mac

SCRIPTS = ("if", "amap")
"""ABC scripts that every design is tried with: the first wins where there is a carry-propagate
adder, the second in carry-save logic."""

GENERIC_SCRIPTS = ("amap-if", "amap")
"""With the generic library, on which ABC's ``map`` ends in a trap."""

PLAIN = ("mac", "mac_edge")
"""Kinds of PE that leave the multiplier to Yosys."""

BASELINES = (Flow(), Flow(booth=True), Flow(adder_tree=True))
"""How the plain multiplier is synthesised: Yosys's default, Booth, and sums in carry-save."""


class OnePe(wiring.Component):
    """A PE's arithmetic with its accumulator: operands or codes in, state out. No recoder, and no
    enable: as in the arrays, operands are zero where there are none."""

    def __init__(self, *, pe, depth: int = 1, width: int = 32):
        self.pe = pe = pe.summing(depth)
        self.depth, self.width = depth, width
        super().__init__(
            {
                "a": In(depth * pe.inner_width("a")),
                "b": In(depth * pe.inner_width("b")),
                "first": In(1),
                "o": Out(pe.state_bits(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        state = Signal(len(self.o), reset_less=True)
        m.submodules.dot = dot = shared(
            self.pe.dot_class, pe=self.pe, depth=self.depth, width=self.width
        )
        m.d.comb += [dot.a.eq(self.a), dot.b.eq(self.b), dot.c.eq(Mux(self.first, 0, state))]
        m.d.sync += state.eq(dot.o)
        m.d.comb += self.o.eq(state)
        return m


@dataclass
class Result:
    """One design by one flow. ``area`` in the library's unit (µm²), ``critical`` in ns, by the
    program ``timing``; ``own_critical`` by :mod:`.timing` in any case."""

    flow: str
    multiplier: str
    period: int | None
    area: float
    critical: float
    macs: float
    parts: dict[str, float] = field(default_factory=dict)
    startpoint: str = ""
    endpoint: str = ""
    cells: int = 0
    mapped: Mapped | None = field(default=None, repr=False)
    config: object = field(default=None, repr=False)
    timing: str = "matweave"
    own_critical: float | None = None
    owners: dict[str, str] = field(default_factory=dict, repr=False)
    """Part of every cell of the flat netlist, by its name."""
    power: Power | None = None

    @property
    def gmacs(self) -> float:
        """10⁹ multiply-accumulates per second."""
        return self.macs / self.critical

    @property
    def density(self) -> float:
        """GMAC/s per mm²."""
        return self.gmacs / self.area * 1e6

    def table(self) -> dict:
        return {
            "flow": self.flow,
            "target_ps": self.period,
            "area_um2": round(self.area, 1),
            "parts_um2": {part: round(area, 1) for part, area in self.parts.items()},
            "critical_ns": round(self.critical, 3),
            "timing": self.timing,
            "own_critical_ns": round(self.own_critical or self.critical, 3),
            "fmax_mhz": round(1e3 / self.critical, 1),
            "gmac_s": round(self.gmacs, 3),
            "gmac_s_mm2": round(self.density, 2),
            "cells": self.cells,
            "from": self.startpoint,
            "to": self.endpoint,
            **({"power": self.power.table(self.critical)} if self.power else {}),
        }


def flows(pe_kind: str, scripts: Iterable[str] = SCRIPTS) -> list[Flow]:
    """What a PE is tried with: the plain multiplier with all of Yosys's multipliers."""
    bases = BASELINES if pe_kind in PLAIN else BASELINES[:1]
    return [replace(base, script=script) for base in bases for script in scripts]


def sweep(measure, flow: Flow, points: int) -> list[Result]:
    """``measure(flow)`` without a target, then at ``points`` periods from 1 to 0.6 of that."""
    results = [measure(flow)]
    for index in range(points):
        factor = 1.0 * 0.6 ** (index / max(points - 1, 1))
        results.append(measure(flow.at(int(results[0].critical * factor * 1e3))))
    return results


def best(results: Iterable[Result]) -> Result:
    """The one with the highest throughput per area."""
    return max(results, key=lambda result: result.density)


def confirm(results: Iterable[Result], library: Library) -> None:
    """Where OpenSTA is installed, its critical paths in the place of ours, which chose them."""
    program = opensta.tool()
    if program is None:
        return
    for result in results:
        if result.own_critical is None:
            result.own_critical = result.critical
            result.critical = opensta.critical(result.mapped.flat, library)
            result.timing = f"OpenSTA {program.version}"


def component(verilog: str, top: str, library: Library, flow: Flow, *, macs: float) -> Result:
    """Any component's Verilog, flat."""
    mapped = synthesise(verilog, top, library, flow)
    found = timing.analyse(mapped.flat, library)
    return Result(
        flow.label, flow.multiplier, flow.period, mapped.area(library), found.critical, macs,
        startpoint=found.startpoint, endpoint=found.endpoint, cells=len(mapped.flat.instances),
        mapped=mapped,
    )  # fmt: skip


def one_serial_pe(pe, library: Library, flow: Flow, *, terms: int, cycles_per_mac: float) -> Result:
    """One PE of the array digit_serial for sums of ``terms`` products in up to 32 bits: its
    multiples, the accumulator that shifts, its place on the column bus."""
    verilog = emit.verilog(cell_class(pe)(pe=pe, width=pe.state_width(terms, 32)), "one_pe")
    return component(verilog, "one_pe", library, flow, macs=1 / cycles_per_mac)


def one_pe(pe, library: Library, flow: Flow, *, depth: int = 1, width: int = 32) -> Result:
    """One PE with its state register."""
    verilog = emit.verilog(OnePe(pe=pe, depth=depth, width=width), "one_pe")
    return component(verilog, "one_pe", library, flow, macs=depth)


class Design:
    """A component made of PEs, emitted once and synthesised by any flow.

    ``cell``: class of a PE's core. ``macs`` per cycle. ``block``: PEs that are synthesised together
    (``flat``: all). ``apart``: classes of further cells that stay apart, and the part that each is.
    ``queues``: memories that count as a register (:func:`.blocks.without`).
    """

    def __init__(
        self,
        component,
        pe,
        cell: type,
        *,
        macs: float,
        block: int = blocks.BLOCK,
        flat: bool = False,
        apart: Mapping[type, str] = MappingProxyType({}),
        queues: tuple[str, ...] = (),
    ):
        self.pe, self.macs = pe, macs
        self.verilog = emit.verilog(component, "array")
        hierarchy = blocks.Hierarchy.of(self.verilog, "array")
        self.kept = {} if flat else blocks.kept(hierarchy, pe, cell, block, apart)
        self.parts = dict.fromkeys((*blocks.PARTS, *apart.values()), 0.0)
        self.verilog = blocks.without(self.verilog, hierarchy, queues)

    def measure(self, library: Library, flow: Flow) -> Result:
        mapped = synthesise(self.verilog, "array", library, flow, keep=tuple(self.kept))
        parts, owners = self._parts(mapped, library)
        netlist = mapped.flat
        parts["registers"] += fanout.repair(netlist, library)
        found = timing.analyse(netlist, library)
        return Result(
            flow.label, flow.multiplier, flow.period, sum(parts.values()), found.critical,
            self.macs, parts, found.startpoint, found.endpoint, len(netlist.instances), mapped,
            owners=owners,
        )  # fmt: skip

    def _parts(self, mapped: Mapped, library: Library) -> tuple[dict[str, float], dict[str, str]]:
        """Area by part, and the part of every cell."""
        parts, owners = dict(self.parts), {}
        modules = mapped.modules

        def visit(name, prefix, part):
            module = modules[name]
            names = {}
            for label, item in module["netnames"].items():
                for bit in item["bits"]:
                    if not item.get("hide_name") or bit not in names:
                        names[bit] = label
            for label, cell in module["cells"].items():
                kind = cell["type"]
                if kind in modules:
                    visit(kind, f"{prefix}{label}.", self.kept.get(kind, part))
                    continue
                found = library.cells[kind]
                own = part or "drain"
                if found.sequential:
                    outputs = [cell["connections"][q] for q in found.outputs]
                    net = next((bits[0] for bits in outputs if bits), None)
                    own = blocks.part_of_register(part, names.get(net, ""))
                parts[own] += found.area
                owners[prefix + label] = own

        visit(mapped.top, "", None if self.kept else "pes")
        return parts, owners


class Array(Design):
    """The array of a configuration."""

    def __init__(self, config, *, block: int = blocks.BLOCK, flat: bool = False):
        choice = array_choice(config)
        described = choice.describe()
        pe = described.pe
        self.cycles_per_mac = cycles_per_mac(config)
        super().__init__(
            choice.cls(**dict(choice.parameters)),
            pe,
            getattr(described, "cell_class", pe.dot_class),
            macs=config.geometry.macs / self.cycles_per_mac,
            block=block,
            flat=flat,
            apart=getattr(choice.cls, "apart", {}),
            queues=getattr(choice.cls, "queues", ()),
        )
