"""Blocks that do the same side by side become one, and what a figure is drawn from."""

import re
from collections import defaultdict
from dataclasses import dataclass

from .blocks import Block, Blocks

DATA, SELECT = "data", "select"


@dataclass(frozen=True)
class Edge:
    """``bits`` different bits from one block to another."""

    source: Block
    target: Block
    role: str
    bits: int


class Graph:
    """Blocks, merged, and the edges between them. ``alike``: merge all of one kind and name, as in
    an array; otherwise only what works side by side."""

    def __init__(self, blocks: Blocks, alike: bool = False):
        self._alike = alike
        self.of = {block: block for block in blocks.blocks}  # each block's present whole
        self._blocks = blocks
        while self._merge_two():
            pass
        self.blocks = list(dict.fromkeys(self.of.values()))
        self.edges = list(self._edges())

    def feedback(self) -> list[Edge]:
        """Edges without which there is no circle: what makes registers keep their values first,
        then what comes out of registers."""
        back = []
        for test in (
            lambda edge: edge.target.kind == "register" and edge.role == SELECT,
            lambda edge: edge.source.kind == "register",
            lambda edge: True,
        ):
            for edge in self.edges:
                left = [each for each in self.edges if each not in back]
                if test(edge) and _reaches(left, edge.target, edge.source):
                    back.append(edge)
        return back

    def _edges(self):
        for block in self.blocks:
            found = defaultdict(dict)  # (source, role) -> nets
            parts = [part for part, whole in self.of.items() if whole is block]
            for part in parts:
                for role, nets in part.inputs.items():
                    for net in nets:
                        source = self.of.get(self._blocks.block_of(net))
                        if source is not None and source is not block:
                            found[source, role][net] = 0
            for (source, role), nets in found.items():
                if role == DATA or (source, DATA) not in found:
                    nets = nets | found.get((source, SELECT), {})
                    yield Edge(source, block, role, len(nets))

    def _merge_two(self) -> bool:
        sources, targets = defaultdict(dict), defaultdict(dict)
        for part, before in self._blocks.sources.items():
            for each in before:
                one, other = self.of[each], self.of[part]
                if one is not other:
                    sources[other][one] = targets[one][other] = 0
        alike = defaultdict(list)
        for block in dict.fromkeys(self.of.values()):
            alike[_key(block, self._alike)].append(block)
        for group in alike.values():
            for index, one in enumerate(group):
                for other in group[index + 1 :]:
                    if self._may_merge(one, other, sources, targets):
                        self._merge(one, other)
                        return True
        return False

    def _may_merge(self, one, other, sources, targets):
        if self._alike and (one.kind, one.name) != ("multiplexer", "elaborate"):
            return True
        return (
            self._side_by_side(one, other, sources, targets)
            and not _leads(one, other, targets)
            and not _leads(other, one, targets)
        )

    def _side_by_side(self, one, other, sources, targets) -> bool:
        before = sources[one].keys() & sources[other].keys()
        behind = targets[one].keys() & targets[other].keys()
        if one.kind in ("logic", "box"):
            return bool(before or behind)
        if one.kind == "register":
            names = [{base(name) for name in block.name.split(", ")} for block in (one, other)]
            return bool(behind) and (bool(before) or names[0] == names[1])
        if one.kind == "multiplexer":
            same = sources[one].keys() == sources[other].keys() and self._same_lines(one, other)
            return bool(before and (behind or same))
        return bool(behind) or (one.kind == "complement" and bool(before))

    def _same_lines(self, *blocks) -> bool:
        """Whether the same lines of code made them, in a loop."""
        cells = self._blocks.circuit.cells
        lines = [{cells[cell].src_loc for cell in block.cells} for block in blocks]
        return bool(set.intersection(*lines))

    def _merge(self, one, other):
        names = dict.fromkeys((*one.name.split(", "), *other.name.split(", ")))
        whole = Block(
            one.kind, one.path, one.copies + other.copies, ", ".join(names), {}, one.section
        )
        self.of = {p: whole if w in (one, other) else w for p, w in self.of.items()}


def base(name: str) -> str:
    """A name without its number."""
    return re.sub(r"_?\d+$", "", name)


def _key(block, alike):
    if block.kind in ("port", "result"):
        return block
    names = frozenset(map(base, block.name.split(", ")))
    return block.kind, block.section, None if block.kind == "register" and not alike else names


def _leads(one, other, targets) -> bool:
    """Whether there is a way from one block to another, through no register; between registers, a
    wire."""
    if one.kind == "register":
        return other in targets[one]
    seen, todo = set(), [one]
    while todo:
        for each in targets[todo.pop()]:
            if each is other:
                return True
            if each not in seen and each.kind != "register":
                seen.add(each)
                todo.append(each)
    return False


def _reaches(edges, start, end) -> bool:
    seen, todo = {start}, [start]
    while todo:
        block = todo.pop()
        for edge in edges:
            if edge.source is block and edge.target not in seen:
                seen.add(edge.target)
                todo.append(edge.target)
    return end in seen
