"""From a component to Verilog, every distinct cell once, and from a configuration to its files.

Deterministic: the same component and tool versions give the same bytes, whatever the hash seed,
working directory or path. No source locations, times or user names enter the output.
"""

import os
import re
from dataclasses import dataclass

# A system Yosys may be too old for Amaranth; the wheel's own is the version we test with.
os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")

from amaranth._toolchain.yosys import find_yosys
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain
from amaranth.hdl import _nir as nir
from amaranth.hdl._ast import SignalDict, Value, ValueCastable
from amaranth.hdl._ir import Fragment, PortDirection, build_netlist
from amaranth.lib import wiring

from .cells import Library, is_sequential


class _ModuleEmitter(rtlil.ModuleEmitter):
    """Amaranth's RTLIL writer, but adders and comparisons keep operands of the result's width.

    Amaranth trims sign extensions from them for looks, which Verilator (rightly) reports as
    WIDTHEXPAND. Multiplications stay trimmed: synthesis infers DSP blocks from the narrow form.
    A comparison that the operands' ranges decide (sizes of one do that) is its result (CMPCONST), a
    reduction of no bits what Amaranth says (for Yosys, ``all`` of none is 0).
    """

    _trim = True

    def shorten_operand(self, value, *, signed):
        return super().shorten_operand(value, signed=signed) if self._trim else value

    def emit_operator(self, cell_idx, cell):
        decided = _decided(cell)
        if decided is not None:
            result = self.sigspec(nir.Value([nir.Net.from_const(decided)]))
            self.builder.connect(self.cell_wires[cell_idx].name, result)
            return
        self._trim = cell.operator == "*"
        super().emit_operator(cell_idx, cell)

    def emit_memory(self, cell_idx, cell):
        # An all-zero memory needs no initial contents (ours are written before they are read);
        # spelling them out would cost a line of Verilog per word.
        if any(cell.init):
            super().emit_memory(cell_idx, cell)


def _decided(cell):
    """The result of an unsigned comparison that is the same for all values, or of a reduction of no
    bits; else ``None``."""
    if cell.operator in ("r&", "r|", "r^", "b") and not len(cell.inputs[0]):
        return int(cell.operator == "r&")
    if cell.operator not in ("u<", "u<=", "u>", "u>="):
        return None
    (a_min, a_max), (b_min, b_max) = map(_range, cell.inputs)
    if cell.operator in ("u>", "u>="):
        # a > b is b < a.
        (a_min, a_max), (b_min, b_max) = (b_min, b_max), (a_min, a_max)
    if cell.operator in ("u<=", "u>="):
        return int(a_max <= b_min) if a_max <= b_min or a_min > b_max else None
    return int(a_max < b_min) if a_max < b_min or a_min >= b_max else None


def _range(value):
    """Least and largest of an unsigned value some of whose bits are constant."""
    least = sum(net.const << bit for bit, net in enumerate(value) if net.is_const)
    unknown = sum(1 << bit for bit, net in enumerate(value) if not net.is_const)
    return least, least + unknown


def _ports(component):
    ports = {}
    for path, member, value in component.signature.flatten(component):
        if isinstance(value, ValueCastable):
            value = value.as_value()
        assert isinstance(value, Value)
        direction = PortDirection.Input if member.flow == wiring.In else PortDirection.Output
        ports["__".join(map(str, path))] = (value, direction)
    return ports


def _emit_cell(design, name, component):
    """Add one component's modules to an RTLIL design."""
    fragment = Fragment.get(component, None)
    ports = _ports(component)
    if is_sequential(component):
        domain = ClockDomain("sync")
        fragment.add_domains(domain)
        ports = {
            "clk": (domain.clk, PortDirection.Input),
            "rst": (domain.rst, PortDirection.Input),
        } | ports
    netlist = build_netlist(fragment, ports=ports, name=name)
    for module in netlist.modules[1:]:
        # Plain identifiers instead of Amaranth's escaped "parent.child".
        module.name = ("__".join(module.name),)
    empty = rtlil.EmptyModuleChecker(netlist)
    names = SignalDict()
    for index, module in enumerate(netlist.modules):
        if not empty.is_empty(index):
            builder = design.module(".".join(module.name), src_loc=None)
            if index == 0 and not design.modules.keys() - {name}:
                builder.attribute("top", 1)
            _ModuleEmitter(builder, netlist, module, names, empty_checker=empty).emit()


def rtlil_text(component, name: str) -> str:
    """RTLIL of ``component`` as module ``name``, with every shared cell below it once."""
    design = rtlil.Design(emit_src=False)
    library = Library(name)
    with library.active():
        _emit_cell(design, name, component)
        done = 0
        while done < len(library.cells):
            cell_name, cell = list(library.cells.values())[done]
            _emit_cell(design, cell_name, cell)
            done += 1
    return str(design)


def _with_defaults(text: str) -> str:
    """Verilog whose every ``case`` has a default; Yosys drops the empty ones (CASEINCOMPLETE)."""
    lines, has_default = [], []  # the latter per open case statement
    for line in text.splitlines():
        word = line.split(maxsplit=1)[0] if line.strip() else ""
        if word in ("case", "casez"):
            has_default.append(False)
        elif word == "default:":
            has_default[-1] = True
        elif word == "endcase" and not has_default.pop():
            lines.append(line.replace("endcase", "  default: ;"))
        lines.append(line)
    return "\n".join(lines) + "\n"


_BIT = r"(?:\\\S+ |[A-Za-z_]\w* ?)\[\d+\]"
MAX_LINE = 20_000
"""Characters of a line; :func:`_with_short_lines` breaks longer ones at half of that."""
_LONG = re.compile(rf"(.{{{MAX_LINE // 2},}}?,) ")
_REPEATED = re.compile(rf"(?<![\w\]\\$.])({_BIT})(?:, \1)+(?!\w)")


def _with_replications(text: str) -> str:
    """``{x[7], x[7], x[7]}`` as ``{{3{x[7]}}}``: Yosys spells sign extensions out bit by bit, and
    simulators then take them for as many shifts (a third of the time of a 16 × 16 engine)."""
    return _REPEATED.sub(lambda bits: f"{{{bits[0].count(bits[1])}{{{bits[1]}}}}}", text)


def _with_short_lines(text: str) -> str:
    """Breaks lines of more than :data:`MAX_LINE` characters between the parts of a concatenation:
    Verilator takes at most 40,000 tokens in a line."""
    lines = text.split("\n")
    if max(map(len, lines)) <= MAX_LINE:
        return text
    return "\n".join(_LONG.sub(r"\1\n", line) if len(line) > MAX_LINE else line for line in lines)


def verilog(component, name: str) -> str:
    """Verilog-2001 of ``component`` as module ``name``.

    Ports: ``clk``, ``rst`` (synchronous) where the component has registers, then its signature
    flattened with ``__``. Each distinct shared cell is one module, named ``{name}__...``.
    Free of Verilator's default warnings.
    """
    script = [
        f"read_rtlil <<rtlil\n{rtlil_text(component, name)}\nrtlil",
        # Without opt_expr, which turns comparisons with zero into `!vector` (WIDTHTRUNC).
        "proc -nomux -norom -noopt",
        "memory_collect",
    ]
    attributes = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")
    removals = " ".join(f"-remove {attribute}" for attribute in attributes)
    script += [f"attrmap {removals}", f"attrmap -modattr {removals}", "write_verilog -norename"]
    # The one warning that remains says that processes exist, which is what we want of them.
    yosys = find_yosys(lambda version: version >= (0, 40))
    text = yosys.run(["-q", "-"], "\n".join(script), ignore_warnings=True)
    return _with_short_lines(_with_replications(_with_defaults(text)))


@dataclass(frozen=True)
class Generated:
    """An engine's Verilog, its manifest (plain JSON types) and all files by name."""

    verilog: str
    manifest: dict
    files: dict[str, str]


def generate(config) -> Generated:
    """Everything that is generated from a configuration (:class:`~.config.GemmConfig`).

    Files: ``{name}.v``, ``{name}.json``, ``{name}_regs.h``, ``{name}_regs.md``.
    """
    from . import manifest as manifests
    from .engine import build

    engine = build(config)
    text = verilog(engine, config.name)
    content = manifests.manifest(config, engine)
    return Generated(
        text,
        content,
        {
            f"{config.name}.v": text,
            f"{config.name}.json": manifests.manifest_text(content),
            f"{config.name}_regs.h": manifests.c_header(content),
            f"{config.name}_regs.md": manifests.register_markdown(content),
        },
    )
