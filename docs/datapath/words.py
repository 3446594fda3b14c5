"""What a block is called in a figure: a title and a line or two below it."""

import re

from amaranth.hdl import _nir as nir

from .blocks import Block, Blocks
from .graph import base

CELLS = ("OsCell", "WeightColumn", "SerialCell", "GroupCell")
"""Components that are a PE, or a column of them, with what it keeps."""


def _spaced(name: str) -> str:
    """SomeName as "Some name"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).capitalize()


class Words:
    """Names the blocks of a graph. ``recoder``: the class of those that there may be."""

    def __init__(self, blocks: Blocks, recoder: type | tuple = ()):
        self._recoder = recoder
        self.blocks, self.circuit = blocks, blocks.circuit
        self._read = {net for b in blocks.blocks for nets in b.inputs.values() for net in nets}

    def of(self, block: Block) -> tuple[str, list[str]]:
        """Title and further lines."""
        title, lines = getattr(self, f"_{block.kind}")(block)
        if len(block.copies) > 1 and block.kind not in ("counters", "logic", "register"):
            title = f"{len(block.copies)} × {title}"
        return title, [line for line in lines if line]

    def _port(self, block):
        return block.name, []

    _result = _port

    def _box(self, block):
        kind = self.circuit.cells[block.cells[0]].type
        if kind in CELLS:
            return "PE", [kind]
        title = _spaced(kind)
        lines = [name for name in block.name.split(", ") if name != kind]
        return title, lines + self._recoders(block)

    def _recoders(self, block):
        """Those inside of a box."""
        path = self.circuit.box_path(block.cells[0])
        found = [
            _spaced(type(component).__name__)
            for below, component in self.circuit.components.items()
            if below[:-1] == path and isinstance(component, self._recoder)
        ]
        return [f"with {len(found)} {found[0]}"] if found else []

    def _register(self, block):
        names = dict.fromkeys(base(name) for name in block.name.split(", "))
        holds = any(cell in self.blocks.holds for cell in block.cells)
        deep = max(map(self._depth, block.cells))
        title = f"{deep} registers" if deep > 1 else "register"
        return title, [", ".join(names), "with enable" if holds else ""]

    def _depth(self, cell):
        """Registers behind each other in a delay line."""
        if not isinstance(self.circuit.cells[cell], nir.Instance):
            return 1
        return self.circuit.components[self.circuit.box_path(cell)].depth

    def _multiplier(self, block):
        inputs = self.circuit.inputs(block.copies[0][0])
        sizes = [len({net for net in nets if not net.is_const}) for _, nets in inputs]
        return "multiplier", [" × ".join(map(str, sizes))]

    def _adder(self, block):
        if block.cells[0] not in self.blocks.counters.cells:
            return "adder", [f"{sum(net.cell == block.copies[0][0] for net in self._read)} bits"]
        bits = {self.blocks.counters.depth(set(cells)) for cells in block.copies}
        return "adder", [f"of {'/'.join(map(str, sorted(bits)))} bits"]

    def _counters(self, block):
        cells = set(block.cells)
        full, half = self.blocks.counters.number(cells)
        levels = self.blocks.counters.depth(cells)
        return "compressor tree", [
            f"{levels} level{'s' * (levels > 1)} of 3:2",
            " + ".join(f"{n} {kind}" for n, kind in ((full, "full"), (half, "half")) if n)
            + " adders",
        ]

    def _complement(self, block):
        return "complement", ["x or ~x"]

    def _logic(self, block):
        names = [name for name in block.name.split(", ") if name != "elaborate"]
        gates = sum(getattr(self.circuit.cells[cell], "width", 1) for cell in block.cells)
        return names[0].strip("_") if names else "logic", [f"{gates} gate{'s' * (gates > 1)}"]

    def _multiplexer(self, block):
        choices = list(dict.fromkeys(map(self._choice, block.copies)))
        if len(choices) > 1:  # one bit of a vector each
            choices = list(dict.fromkeys(re.sub(r"\[\d+\]$", "", choice) for choice in choices))
        return "gate" if choices[0].startswith("0 ") else "multiplexer", choices

    def _choice(self, cells) -> str:
        """What one multiplexer chooses from."""
        zero, constant, terms, choosing = False, False, [], []
        for cell in cells:
            if self.circuit.operator(cell) == "|":
                continue
            for role, nets in self.circuit.inputs(cell):
                real = [(place, net) for place, net in enumerate(nets) if not net.is_const]
                if role == "select":
                    choosing.append(cell)
                elif not real:
                    constant |= any(net.const for net in nets)
                    zero |= not any(net.const for net in nets)
                elif real[0][1].cell not in cells:
                    terms.append(real[0])
            zero |= self.circuit.operator(cell) == "&"
        zeros = ["0"] * zero
        if len({net for _, net in terms}) == 1:
            if len(terms) == 1 and zero and len(choosing) == 1:
                return self._gate(choosing[0])
            places = sorted(place for place, _ in terms)
            shifted = [f"x << {n}" if n else "x" for n in places]
            return ", ".join(zeros + shifted + ["constants"] * constant)
        return f"1 of {len(terms)}" + ", or 0" * zero + ", or constants" * constant

    def _gate(self, cell) -> str:
        """A multiplexer of one value and zero."""
        gate = self.circuit.cells[cell]
        if self.circuit.operator(cell) == "m":
            select, unless = gate.inputs[0][0], all(net.is_const for net in gate.inputs[2])
        elif self.circuit.operator(cell) == "&":
            select, unless = gate.inputs[self.circuit.replicated(cell)][0], True
        else:
            return "0 or x"
        name = self.circuit.name(select, gate.module_idx)
        while not name and self.circuit.operator(select.cell) == "~":
            select, unless = self.circuit.cells[select.cell].inputs[0][select.bit], not unless
            name = self.circuit.name(select, gate.module_idx)
        if not name:
            return "0 or x"
        return f"0 {'unless' if unless else 'if'} {name}"
