"""What the cores of a GEMM engine have in common: ports, and one array among them."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Mux, Signal, signed
from amaranth.lib.wiring import In, Out

from ..cells import describe, shared
from ..formats import Format, Overflow
from ..geometry import Geometry, Stationary
from ..pe.base import Pe
from ..stream import sink_ports, source_ports
from .walk import Steps


@dataclass(frozen=True)
class ArrayChoice:
    """An array class with its parameters, not yet built; hashable."""

    cls: type
    parameters: tuple

    @classmethod
    def of(cls, array_class, **parameters):
        return cls(array_class, tuple(parameters.items()))

    def describe(self):
        """An instance to read attributes from (``latency``, ``width``); nothing is elaborated."""
        return describe(self.cls, **dict(self.parameters))

    def shared(self):
        return shared(self.cls, **dict(self.parameters))


@dataclass(frozen=True)
class CoreShape:
    """The numbers of a core.

    ``geometry``: block per cycle; ``pe``: operand formats; ``max_m``, ``max_n``, ``max_k``: largest
    sizes; ``accumulator``: format of the sum of products, which saturates if ``saturate``;
    ``result``: of a raw result and of C0, which overflows as ``overflow`` says; ``output``: how
    results leave; ``serial``: B comes plane after plane, in the format that a job says;
    ``zero_points``: a job may subtract one per column from B; ``keep_b``: it may use the B that the
    job before has loaded; ``groups``: most of a job, each of at most ``max_k``, with sums of
    its own.
    """

    geometry: Geometry
    pe: Pe
    max_m: int
    max_n: int
    max_k: int
    accumulator: Format
    saturate: bool
    overflow: Overflow
    result: Format
    output: "OutputShape"
    serial: bool = False
    zero_points: bool = False
    keep_b: bool = False
    groups: int = 1

    @property
    def panels(self) -> int:
        """Column panels of the largest B."""
        return -(-self.max_n // self.geometry.n)

    @property
    def k_blocks(self) -> int:
        """Blocks along the largest K."""
        return -(-self.max_k // self.geometry.k)

    @property
    def tiles(self) -> int:
        """Tiles (blocks of B, where that stays) of the largest job."""
        if self.geometry.stationary is Stationary.WEIGHT:
            return self.panels * self.k_blocks
        return -(-self.max_m // self.geometry.m) * self.panels * self.groups

    @property
    def zeros(self) -> int:
        """Words of the table of zero points: a whole panel's for each panel of each group."""
        return self.panels * self.geometry.n * self.groups if self.zero_points else 0

    @property
    def a_width(self) -> int:
        return self.geometry.a_lanes * self.pe.a.lane_width

    @property
    def b_width(self) -> int:
        return self.geometry.b_lanes * (1 if self.serial else self.pe.b.lane_width)

    @property
    def zero_width(self) -> int:
        """Bits of a zero point: 0 to ``2**W``."""
        return self.pe.b.width + 1

    @property
    def c0_width(self) -> int:
        return self.geometry.c_lanes * self.result.width

    @property
    def c_width(self) -> int:
        return self.geometry.c_lanes * self.output.lane(self.result)


@dataclass(frozen=True)
class OutputShape:
    """How results leave: ``raw`` and/or requantised to ``format`` (None: never)."""

    raw: bool
    format: Format | None
    rounding: object = None
    per_channel: bool = False
    multiplier_stages: int = 1

    def lane(self, result: Format) -> int:
        """Bits per lane of the C stream."""
        return result.width if self.raw else self.format.lane_width


def job_ports(shape: CoreShape) -> dict:
    """A job's parameters, held while it runs, and its start."""
    return {
        "start": In(1),
        "m": In(range(shape.max_m + 1)),
        "n": In(range(shape.max_n + 1)),
        "k": In(range(shape.max_k + 1)),
        "add_c0": In(1),
        "add_bias": In(1),
        "requantize": In(1),
        "relu": In(1),
        "zero_point": In(signed(17)),
        "multiplier": In(31),
        "shift": In(6),
        **({"b_bits": In(4), "b_coding": In(2)} if shape.serial else {}),
        **({"subtract_zeros": In(1)} if shape.zero_points else {}),
        **({"keep_b": In(1)} if shape.keep_b else {}),
        **({"groups": In(range(shape.groups + 1))} if shape.groups > 1 else {}),
    }


def table_ports(shape: CoreShape) -> dict:
    """Writes to the channel tables: one-hot ``t_en`` {bias, multiplier, shift, zero}, the last
    where there are zero points."""
    return {
        "t_en": In(3 + shape.zero_points),
        "t_panel": In(range(max(shape.panels * (shape.groups if shape.zeros else 1), 2))),
        "t_lane": In(range(max(shape.geometry.n, 2))),
        "t_data": In(32),
    }


def core_ports(shape: CoreShape) -> dict:
    """All ports of a core; ``done`` and the ``stall``/``tile`` counters' events are pulses."""
    return {
        **job_ports(shape),
        **table_ports(shape),
        **sink_ports("a", shape.a_width),
        **sink_ports("b", shape.b_width),
        **sink_ports("c0", shape.c0_width),
        **source_ports("c", shape.c_width),
        "done": Out(1),
        **{f"stall_{name}": Out(1) for name in ("a", "b", "c0", "c")},
        "tile": Out(1),
    }


def group_loops(m, core, name: str, **options) -> tuple[Steps, ...]:
    """The loop over a job's groups, of a part with a job's ports; none where there is one."""
    groups = core.shape.groups
    return (Steps(m, name, core.groups, 1, groups, **options),) if groups > 1 else ()


def connect(m, target, source, names):
    """Drive the input ports ``names`` of ``target`` from the same names of ``source``."""
    m.d.comb += [getattr(target, name).eq(getattr(source, name)) for name in names]


def connect_output(m, core, queue, output):
    """The output stage behind a core's row queue, and its streams to the outside."""
    shape = core.shape
    connect(m, output, core, [*job_ports(shape), *table_ports(shape)])
    connect(m, output, core, ["c0_tdata", "c0_tvalid", "c0_tlast", "c_tready"])
    connect(m, core, output, ["c0_tready", "c_tdata", "c_tvalid", "c_tlast"])
    connect(m, core, output, ["done", "stall_c0", "stall_c"])
    m.d.comb += [
        output.i_data.eq(queue.o_data),
        output.i_valid.eq(queue.o_valid),
        queue.o_ready.eq(output.i_ready),
    ]


def elements(data, format: Format, count: int):
    """The ``count`` elements of a stream beat, without the unused bits of their lanes."""
    return [data.word_select(lane, format.lane_width)[: format.width] for lane in range(count)]


def mask_depth(m, a_data, geometry: Geometry, width: int, blocks, enable_name: str):
    """A's elements with those beyond K zeroed: lane ``row*k + d`` counts while ``blocks``, the loop
    along K, has an element ``d``, a cycle before the data arrive."""
    if geometry.k == 1:
        return a_data
    # A block has one element along K at least.
    keep = Signal(geometry.k - 1, name=enable_name, reset_less=True)
    m.d.sync += keep.eq(Cat(blocks.has(d) for d in range(1, geometry.k)))
    lanes = [a_data.word_select(lane, width) for lane in range(geometry.a_lanes)]
    return Cat(
        Mux(keep[lane % geometry.k - 1], value, 0) if lane % geometry.k else value
        for lane, value in enumerate(lanes)
    )
