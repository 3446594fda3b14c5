"""How long nodes take, and how many of their bits are needed: what pipelining goes by.

The delays are a simple model, not a promise: one LUT and its wires, and a carry chain per bit. They
were set so that a stage's sum is near what nextpnr or a vendor's report says of such stages, and
serve to put registers where paths are long.
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from ..errors import ConfigError, nearest, shown
from .graph import Graph


@dataclass(frozen=True)
class Family:
    """Nanoseconds of one LUT with the wires to it, and of one bit of carry chain; ``register``:
    clock to output and set-up."""

    lut: float
    carry: float
    register: float


FAMILIES = {
    "xcup": Family(lut=0.45, carry=0.015, register=0.25),
    "ecp5": Family(lut=1.5, carry=0.045, register=0.7),
    "ice40": Family(lut=1.9, carry=0.13, register=1.2),
}
"""By name: UltraScale+, ECP5, iCE40 HX."""


def family(name: str) -> Family:
    if name not in FAMILIES:
        raise ConfigError(
            f"family: {shown(name)} is none; allowed are {', '.join(FAMILIES)}"
            f"{nearest(name, FAMILIES)}"
        )
    return FAMILIES[name]


def check(stages, period, stages_as: str = "stages", period_as: str = "period") -> None:
    """Raise :class:`ConfigError` for what can be no number of stages, or no period in ns, by these
    names."""
    if stages is not None and (isinstance(stages, bool) or not isinstance(stages, Integral)):
        raise ConfigError(f"{stages_as}: must be a whole number, not {shown(stages)}")
    if period is not None and (
        isinstance(period, bool) or not isinstance(period, Real) or not 0 < period < math.inf
    ):
        raise ConfigError(f"{period_as}: must be a number of ns above 0, not {shown(period)}")


def is_wiring(graph: Graph, index: int) -> bool:
    """Whether the node is but a choice of its argument's bits."""
    node = graph[index]
    if node.op in ("input", "constant", "wrap"):
        return True
    if node.op == "round":
        return node.parameters[1].value == "TRN"
    return node.op == "add" and graph.is_zero(node.args[0]) and not node.parameters[2]


def delay(graph: Graph, index: int, of: Family) -> float:
    """Nanoseconds through a node."""
    if is_wiring(graph, index):
        return 0.0
    node = graph[index]
    if node.op in ("add", "negate", "round"):
        return of.lut + of.carry * node.width
    if node.op == "relu":
        return 0.5 * of.lut  # often the register's synchronous reset
    if node.op == "select":
        return of.lut
    if node.op == "table":  # a LUT of six inputs, then selectors of four
        return of.lut * (1 + max(0, graph[node.args[0]].width - 5) // 2)
    if node.op == "multiply":  # a row per bit of the narrower, added in pairs
        rows = min(graph[each].width for each in node.args)
        return of.lut * (1 + (rows - 1).bit_length()) + of.carry * node.width
    return 2 * of.lut + of.carry * graph[node.args[0]].width  # compare, then choose


def needed(graph: Graph) -> dict[int, int]:
    """How many of the lowest bits of each live node are read by anybody, at most its width."""
    bits = dict.fromkeys(graph.live(), 0)
    for index in graph.outputs:
        bits[index] = graph[index].width
    for index in reversed(list(bits)):
        node = graph[index]
        bits[index] = min(bits[index], node.width)
        for place, argument in enumerate(node.args):
            wanted = _wanted(node, place, bits[index], graph[argument].width)
            bits[argument] = max(bits[argument], wanted)
    return bits


def _wanted(node, place, bits, width):
    """Bits of argument ``place`` (of ``width`` bits) for ``bits`` of the node."""
    if not bits:
        return 0
    if node.op == "add":
        return max(bits - node.parameters[place], 0)
    if node.op in ("negate", "wrap", "multiply") or (node.op == "select" and place):
        return bits
    if node.op == "round" and node.parameters[1].value == "TRN":
        return bits + node.parameters[0]
    return width
