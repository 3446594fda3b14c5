"""An array cut into blocks that are synthesised once each, and which part of it everything is.

The emitter writes every distinct cell once. A block is flat inside: the largest cell with at most
``BLOCK`` PEs (at least one). What lies around the blocks (skew, bus,
de-skew, control) is flat as well; recoders and resolving adders stay apart, so that their area is
known. Registers or broadcast nets are at every such boundary.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ....hw.array.resolve import Resolver

BLOCK = 16
"""PEs that are synthesised together. Yosys shares the Booth recoders of a broadcast operand among
them: in a 4 x 4 x 4 cube cut into single PEs the plain multipliers came out 16 % too large."""

PARTS = ("recoders", "pes", "registers", "drain")
"""``registers``: operands and control on their way (skew, edge, between tiles, buffers of their
nets); ``drain``: column buses, resolving adders, de-skew. Accumulators, hold registers, stationary
weights and the partial sums' pipeline registers belong to the ``pes``."""

_MODULE = re.compile(r"^module (\w+)", re.MULTILINE)
_INSTANCE = re.compile(r"^  (\w+) (\\\S+ |\w+) \($", re.MULTILINE)
_DRAIN = re.compile(r"^(deskew|bus|resolve|drain_|o_|left|half|wait)")


@dataclass(frozen=True)
class Hierarchy:
    """Modules of one emitted array, each with its submodules (with repetitions)."""

    top: str
    children: dict[str, list[str]]

    @classmethod
    def of(cls, verilog: str, top: str) -> "Hierarchy":
        starts = [(match[1], match.start()) for match in _MODULE.finditer(verilog)]
        ends = [start for _, start in starts[1:]] + [len(verilog)]
        names = {name for name, _ in starts}
        children = {
            name: [m[1] for m in _INSTANCE.finditer(verilog[start:end]) if m[1] in names]
            for (name, start), end in zip(starts, ends, strict=True)
        }
        return cls(top, children)

    def kind(self, module: str) -> str:
        """The cell's class as the emitter writes it: ``os_cell`` of ``name__os_cell_0``."""
        return re.sub(r"_\d+$", "", module.removeprefix(f"{self.top}__"))

    def count(self, module: str, kind: str) -> int:
        """Cells of ``kind`` in ``module``, itself included."""
        own = int(self.kind(module) == kind)
        return own + sum(
            self.children[module].count(child) * self.count(child, kind)
            for child in dict.fromkeys(self.children[module])
        )


def snake(cls: type) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()


def without(verilog: str, hierarchy: Hierarchy, kinds: tuple[str, ...]) -> str:
    """The Verilog with the memories of these kinds replaced by one register of a word, so that
    paths begin and end there as they would."""
    for module in hierarchy.children:
        if hierarchy.kind(module) in kinds:
            body = re.search(rf"^module {module}\(.*?^endmodule", verilog, re.M | re.S)[0]
            head = "\n".join(
                line for line in body.splitlines() if re.match(r"module |  (input|output) ", line)
            )
            inputs = re.findall(r"^  input (?:\[\d+:0\] )?(\w+);", body, re.M)
            others = ", ".join(name for name in inputs if name not in ("clk", "rst", "w_data"))
            width = re.search(r"output (\[\d+:0\] )?r_data;", body)[1] or ""
            verilog = verilog.replace(
                body,
                f"{head}\n  reg {width}word;\n  assign r_data = word;\n"
                f"  always @(posedge clk) word <= w_data ^ {{{others}}};\nendmodule",
            )
    return verilog


def kept(
    hierarchy: Hierarchy, pe, cell: type, block: int, others: Mapping[type, str]
) -> dict[str, str]:
    """Modules to synthesise apart, and the part that they are. ``cell``: class of a PE's core;
    ``others``: further classes, with their parts."""
    found = {}
    dot = snake(cell)
    resolvers = (pe.resolve_class, Resolver) if pe.words > 1 or pe.resolve_latency else ()
    apart = {snake(each): "drain" for each in resolvers}
    apart |= {snake(each): part for each, part in others.items()}
    if pe.recoding is not None:
        apart[snake(pe.recoding.recoder_class)] = "recoders"

    def visit(module):
        kind = hierarchy.kind(module)
        if module in found:
            return
        if kind in apart:
            found[module] = apart[kind]
            return
        dots = hierarchy.count(module, dot)
        direct = any(hierarchy.kind(child) == dot for child in hierarchy.children[module])
        if module != hierarchy.top and dots and (dots <= block or direct):
            found[module] = "pes"
            return
        for child in dict.fromkeys(hierarchy.children[module]):
            visit(child)

    visit(hierarchy.top)
    return found


def part_of_register(block_part: str | None, name: str) -> str:
    """The part that a flip-flop with output net ``name`` is, inside a block or around them."""
    if block_part in ("recoders", "drain"):
        return block_part
    if block_part == "pes":
        own = name.rsplit(".", 1)[-1]
        return "registers" if re.match(r"(a|b|w|control)_(o|register)|token", own) else "pes"
    return "drain" if _DRAIN.match(name) else "registers"
