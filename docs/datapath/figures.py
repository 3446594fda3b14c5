"""Which circuit is drawn for a PE, and for an array."""

import functools
import re
from dataclasses import dataclass

from matweave.hw import catalog, config, emit, engine
from matweave.hw.array.group_cell import GroupCell
from matweave.hw.array.os_grid import OsCell, OsGrid
from matweave.hw.array.serial import SerialCells
from matweave.hw.array.serial_cell import SerialCell
from matweave.hw.array.serial_drain import SerialDrain
from matweave.hw.array.skew import Delay, Skew
from matweave.hw.array.ws_grid import WeightColumn, WsGrid
from matweave.hw.cells import is_sequential
from matweave.hw.engine.digit_lists import DigitLists, DigitStore
from matweave.hw.engine.group_lists import GroupLists
from matweave.hw.engine.output import OutputStage
from matweave.hw.lut.array import LowBitTile
from matweave.hw.lut.drain import Correct
from matweave.hw.lut.precompute import HalfTable
from matweave.hw.lut.table import TableEdge
from matweave.hw.pe.base import Resolve
from matweave.hw.stream import HeldMemory, RowQueue

from .blocks import DRAIN, EDGE, OPERANDS, PE, Blocks
from .circuit import Circuit
from .graph import Graph
from .svg import picture
from .words import Words

CELLS = (OsCell, WeightColumn, SerialCell, GroupCell)
"""Components that are a PE (or a column of them) with what it keeps: drawn gate by gate."""

BOXES = (HeldMemory, RowQueue, OutputStage, SerialDrain, DigitLists, GroupLists)
"""Components that are a box in any figure, as recoders are."""

GRIDS = (OsGrid, WsGrid, SerialCells, WeightColumn)
"""Components whose insides are what an array has between its edges and its drain."""

MULTIPLIERS, TOP = 64, "engine"


@dataclass(frozen=True)
class Figure:
    """``svg``: the picture; ``preset``: whose sizes it has; ``settings`` and ``choice``: what is
    drawn; ``cycles``: registers on the way through each section that has no memories; ``ports``: of
    the PE, the width of each operand's and of the state."""

    svg: str
    preset: str
    settings: config.GemmConfig
    choice: engine.ArrayChoice
    cycles: dict[str, int]
    ports: dict[str, int]

    @property
    def pe(self):
        return dict(self.choice.parameters)["pe"]


def base_preset(kind: str) -> str:
    """The first preset with such an array, for int8 operands, of 64 multipliers."""
    for name in config.presets(config.GemmConfig):
        settings = config.load(name)
        formats = {str(settings.a), str(settings.b)}
        if (settings.array.kind, settings.geometry.macs, formats) == (kind, MULTIPLIERS, {"int8"}):
            return name
    raise ValueError(f"no preset has an array {kind} of {MULTIPLIERS} int8 multipliers")


def pe_figure(name: str, *overrides: str) -> Figure:
    """One PE in an array of one, with the array's edge and drain; ``overrides`` of the preset's
    configuration choose options, formats and limits."""
    facts = catalog.pes()[name]
    preset = base_preset(facts.arrays[0] if facts.arrays else next(iter(config.ARRAYS)))
    sizes = ["rows", "columns", "tile_rows", "tile_columns"]
    has = type(config.load(preset).array).model_fields
    single = [f"array.{size}=1" for size in sizes if size in has]
    settings = config.load(preset, [f"pe.kind={name}", *single, *overrides])
    component, choice, pe = _component(settings)
    circuit = Circuit(component, functools.partial(_is_box, pe, BOXES))
    inside = [path for path, part in circuit.components.items() if isinstance(part, CELLS)]
    title = f"Datapath of the PE {name}, from the array's edge to the drain."
    svg, cycles = _drawn(Blocks(circuit, inside, inside), pe, title, alike=False)
    cell = circuit.components[inside[0]]
    ports = {each: len(getattr(cell, each)) for each in (*OPERANDS, "o") if hasattr(cell, each)}
    return Figure(svg, preset, settings, choice, cycles, ports)


def array_figure(kind: str) -> Figure:
    """A whole array, its PEs as boxes, with the PE that has most at the edge and at the drain."""
    preset = base_preset(kind)
    pes = catalog.pes()
    most = max(catalog.fitting(kind), key=lambda n: pes[n].edge_latency + pes[n].resolve_latency)
    settings = config.load(preset, [f"pe.kind={most}"])
    component, choice, pe = _component(settings)
    parts = (*BOXES, *CELLS, DigitStore, Delay, Skew, Resolve)
    circuit = Circuit(component, functools.partial(_is_box, pe, parts))
    inside = [path for path, part in circuit.components.items() if isinstance(part, GRIDS)]
    title = f"The array {kind}, from its edges to its drain."
    svg, cycles = _drawn(Blocks(circuit, inside), pe, title, alike=True)
    return Figure(svg, preset, settings, choice, cycles, {})


def lookup_figure(preset: str = "tiny_lut") -> Figure:
    """The array of a lookup engine, whose PEs, tables and what makes products of sums are boxes."""
    settings = config.load(preset)
    choice = engine.array_choice(settings)
    pe = dict(choice.parameters)["pe"]
    parts = (*BOXES, *CELLS, HalfTable, TableEdge, Correct)
    circuit = Circuit(choice.cls(**dict(choice.parameters)), lambda part: isinstance(part, parts))
    inside = [path for path, part in circuit.components.items() if isinstance(part, LowBitTile)]
    title = "The array lookup, from its edges to its drain."
    svg, cycles = _drawn(Blocks(circuit, inside), pe, title, alike=True)
    return Figure(svg, preset, settings, choice, cycles, {})


def _component(settings):
    """What is drawn of a configuration, its array's choice and its PE. It is the array, or the core
    around it, where PEs are made for one kind of array and the core prepares what they add."""
    choice = engine.array_choice(settings)
    pe = dict(choice.parameters)["pe"]
    if not catalog.pes()[settings.pe.kind].arrays:
        return choice.cls(**dict(choice.parameters)), choice, pe
    whole = engine.build(settings)
    whole._MustUse__silence = True  # Amaranth warns of components that nobody elaborates
    return whole.core_class(shape=whole.shape, array=whole.array), choice, pe


def _is_box(pe, parts, component) -> bool:
    return isinstance(component, (*parts, *_recoder(pe)))


def _recoder(pe) -> tuple[type, ...]:
    return (pe.recoding.recoder_class,) if pe.recoding else ()


def _drawn(blocks, pe, title, *, alike) -> tuple[str, dict[str, int]]:
    graph, words = Graph(blocks, alike), Words(blocks, _recoder(pe))
    return picture(graph, words, title), _cycles(graph, blocks.circuit)


def _cycles(graph, circuit) -> dict[str, int]:
    """The most registers on a way through each section that has no memories or the like."""
    found = {}
    for section in (EDGE, PE, DRAIN):
        mine = [block for block in graph.blocks if block.section == section]
        boxes = [circuit.box_path(b.cells[0]) for b in mine if b.kind == "box"]
        if not mine or any(is_sequential(circuit.components[path]) for path in boxes):
            continue
        reach = {block: int(block.kind == "register") for block in mine}
        back = graph.feedback()
        for _ in mine:
            for edge in graph.edges:
                if edge.source in reach and edge.target in reach and edge not in back:
                    own = int(edge.target.kind == "register")
                    reach[edge.target] = max(reach[edge.target], reach[edge.source] + own)
        found[section] = max(reach.values())
    return found


def recoders(preset: str, pe: str) -> dict[tuple[str, str], int]:
    """How many recoders the engine of a preset has with a PE, counted in what is emitted:
    ``{(component they are in, recoder): number}``."""
    text = emit.rtlil_text(engine.build(config.load(preset, [f"pe.kind={pe}"])), TOP)
    parts = {}
    for module, body in re.findall(r"^module \\(\S+)$(.*?)^end$", text, re.M | re.S):
        parts[module] = re.findall(rf"^  cell \\({TOP}\S*) ", body, re.M)
    found = {}

    def count(module, times):
        for part in parts.get(module, ()):
            if "_recoder_" in part:
                key = _words(module), _words(part)
                found[key] = found.get(key, 0) + times
            else:
                count(part, times)

    count(TOP, 1)
    return found


def _words(module: str) -> str:
    """What a module's name says: ``top__some_cell_0`` is a some cell."""
    return re.sub(r"_\d+$", "", module.removeprefix(f"{TOP}__")).replace("_", " ")
