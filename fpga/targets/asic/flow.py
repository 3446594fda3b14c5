"""Verilog to standard cells: Yosys and ABC, with sizing and buffering for a target period.

One flow for every design; what may differ is in :class:`Flow`. Which variants a design is tried
with is up to the caller.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....sim import cache, toolchain
from ....sim import netlist as yosys_runs
from .liberty_text import pruned
from .library import Library
from .netlist import Netlist, flatten


@dataclass(frozen=True)
class Flow:
    """How to synthesise.

    ``booth``: Yosys's Booth multipliers in the place of its default ones. ``adder_tree``: its
    ``arith_tree`` pass (sums of several numbers in carry-save). ``sizing``: ABC's buffers and gate
    sizes; ``period`` (ps): the target that they and the mapping are to reach. ``script``: one of
    :data:`SCRIPTS`.
    """

    booth: bool = False
    adder_tree: bool = False
    sizing: bool = True
    period: int | None = None
    script: str = "standard"

    def at(self, period: int | None) -> "Flow":
        return replace(self, period=period)

    @property
    def multiplier(self) -> str:
        """Which of Yosys's multipliers."""
        return ("booth" if self.booth else "default") + "-adder-tree" * self.adder_tree

    @property
    def label(self) -> str:
        words = [self.multiplier] + ["unsized"] * (not self.sizing)
        words += [self.script] * (self.script != "standard")
        return "-".join(words)


# ABC's part (`buffer -c` ends the WebAssembly build without a word). {D} is the target
# period, or nothing.
_LOGIC = "strash;&get -n;&fraig -x;&put;scorr;dc2;strash;"
# Of a core of attention ABC's `&fraig -x` does not end; `scorr` alone finds equal nodes too.
_SWEPT = "strash;scorr;dc2;strash;"
_IF = "&get -n;&st;&dch;&put;if -g -K 6;strash;dch -f;map {D};topo;"
_SIZES = "buffer -p;topo;upsize {D};dnsize {D};"
SCRIPTS = {
    # Yosys's own, but that the inputs' nets are buffered too: codes and controls have many readers.
    "standard": (_LOGIC + "&get -n;&dch -f;&nf {D};&put;", _SIZES),
    "if": (_LOGIC + _IF, _SIZES),
    "amap-if": (_LOGIC + "if -g -K 6;strash;dch -f;amap -m;topo;", _SIZES),
    "amap": (_LOGIC + "dch -f;amap -m;topo;", _SIZES),
    "swept-if": (_SWEPT + _IF, _SIZES),
    "swept-amap": (_SWEPT + "dch -f;amap -m;topo;", _SIZES),
}


@dataclass
class Mapped:
    """A synthesised design: ``modules`` is Yosys's JSON."""

    modules: dict
    top: str
    folder: Path
    _flat: Netlist | None = field(default=None, repr=False)

    @property
    def flat(self) -> Netlist:
        if self._flat is None:
            self._flat = flatten(self.modules, self.top)
        return self._flat

    def area(self, library: Library) -> float:
        return sum(library.cells[kind].area * n for kind, n in self.counts().items())

    def counts(self) -> dict[str, int]:
        return counts(self.modules, self.top)


def counts(modules: dict, top: str) -> dict[str, int]:
    """Library cells of module ``top`` by kind, those of its submodules included."""
    known = {}

    def of(name):
        if name not in known:
            total = {}
            for cell in modules[name]["cells"].values():
                kind = cell["type"]
                inner = of(kind) if kind in modules else {kind: 1}
                for each, number in inner.items():
                    total[each] = total.get(each, 0) + number
            known[name] = total
        return known[name]

    return of(top)


def instances(modules: dict, top: str, name: str) -> int:
    """How often module ``name`` is in module ``top``, its submodules included."""
    found = 0
    for cell in modules[top]["cells"].values():
        kind = cell["type"]
        found += 1 if kind == name else instances(modules, kind, name) if kind in modules else 0
    return found


def prepared(library: Library) -> Path:
    """The library as the tools read it: an absolute path that WebAssembly sees, pruned."""

    def make(folder: Path) -> None:
        (folder / "cells.lib").write_text(pruned(library))

    key = cache.digest("pruned 2", library.digest, *library.dont_use)
    return cache.build("liberty", key, make) / "cells.lib"


def script(top: str, flow: Flow, library: Library, keep: tuple[str, ...]) -> tuple[str, str]:
    """The commands for Yosys, and those for ABC; ``keep``: modules that stay apart."""
    path = prepared(library)
    options = "-booth " * flow.booth + "-arith_tree " * flow.adder_tree
    lines = ["read_verilog design.v", f"hierarchy -check -top {top}"]
    lines += [f"setattr -mod -set keep_hierarchy 1 {name}" for name in keep]
    lines += [f"synth -flatten -noabc {options}-top {top} -run begin:fine"]
    lines += [f"synth -flatten -noabc {options}-top {top} -run fine:check"]
    lines += ["opt -full", f"dfflibmap -liberty {path}", "opt"]
    target = f" -D {flow.period}" if flow.period else ""
    first, sizing = SCRIPTS[flow.script]
    commands = first + (sizing if flow.sizing else "") + "topo"
    # Yosys puts the period only into its own scripts.
    commands = commands.replace("{D}", f"-D {flow.period}" if flow.period else "")
    lines += [
        f"abc -liberty {path}{target} -constr abc.constr -script abc.script",
        "opt_clean -purge",
        "setundef -zero",
        "write_json mapped.json",
        "write_verilog -noattr -noexpr mapped.v",
    ]
    return "\n".join(lines) + "\n", commands.replace(";", "\n") + "\n"


def synthesise(
    verilog: str, top: str, library: Library, flow: Flow, *, keep: tuple[str, ...] = ()
) -> Mapped:
    """Map module ``top``, flat but for the modules in ``keep``. Cached by content."""
    commands, abc = script(top, flow, library, keep)
    register = library.flip_flop
    load = register.pins[register.next_state].capacitance * 1e3  # fF
    buffers = library.buffers()
    driver = buffers[min(1, len(buffers) - 1)].name if buffers else library.inverter().name
    files = {
        "design.v": verilog,
        "abc.script": abc,
        "abc.constr": f"set_driving_cell {driver}\nset_load {load:.4f} [all_outputs]\n",
    }
    folder = yosys_runs.yosys("asic", commands, files)
    modules = json.loads((folder / "mapped.json").read_text())["modules"]
    modules = {
        name: module
        for name, module in modules.items()
        if not module.get("attributes", {}).get("blackbox")
    }
    return Mapped(modules, top, folder)


def tool_version() -> str:
    return toolchain.yosys().version
