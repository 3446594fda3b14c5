"""Rung 6: what the vectors would not notice.

Yosys puts several hundred small faults (an inverted or stuck gate input or output) into one
netlist, behind an input that selects one of them; 0 selects none. :func:`run` plays the same
stimuli (:mod:`.stimuli`) to each. A mutant is killed when anything differs at the ports, and
survives when nothing does; :mod:`.equivalence` then tries to show that nothing can.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from matweave.hw.config import GemmConfig

from . import driver, kinds, native, netlist, verilate
from .harness import SEEN, SELECT, WIDTH, wrapper
from .nets import ROM_PORTS, is_rom
from .stimuli import Step, observe, stimuli

MUTATE = """
read_verilog design.v
synth -flatten -noabc -top {top} -run begin:fine
opt -fast -full
techmap
opt -full
clean
write_json netlist.json
mutate -list {count} -seed {seed} -ctrl {select} {width} 1 -o mutations.ys
"""
"""Memories stay memories: a fault in one of their cells is one that any job finds."""

MUTANTS = """
read_json netlist.json
script mutations.ys
opt_clean
write_verilog -noattr mutants.v
"""

UNCONNECTED, SPARE = ("RD_SRST", "RD_ARST"), 20
"""Ports of memories, never connected here, at which Yosys cannot have a fault, as at most of those
of read-only memories; and how many more mutants are drawn, to replace those."""

MEMORY_CLOCKS, ENABLE = ("RD_CLK", "WR_CLK"), "WR_EN"


@dataclass(frozen=True)
class Mutation:
    """One fault: ``mode`` (``inv``, ``const0``, ``const1``, ``cnot0``, ``cnot1``) at a cell's
    port bit. ``cnot``: inverted while bit ``control`` of the same port is 0 or 1."""

    number: int
    mode: str
    cell: str
    port: str
    bit: int
    control: int | None
    where: str
    """The nearest named wire and the line of the Verilog, for people."""

    def __str__(self):
        return f"{self.number}: {self.mode} at {self.cell}.{self.port}[{self.bit}] ({self.where})"


def stopped(mutation: Mutation) -> bool:
    """Whether the fault is a flip-flop without a clock, which keeps its state."""
    return mutation.port == "C" and mutation.mode.startswith("const")


@dataclass(frozen=True)
class Mutants:
    """A netlist with all its mutants."""

    verilog: str
    mutations: list[Mutation]
    netlist: dict
    """The netlist without them, as Yosys' JSON."""


@dataclass(frozen=True)
class Report:
    """What :func:`run` found."""

    mutants: int
    killed: int
    survivors: list[Mutation]
    cycles: int
    """Clock cycles of the stimuli, in which the unchanged netlist is compared with NumPy."""
    netlist: dict = field(repr=False, default_factory=dict)
    """The unchanged netlist, as Yosys' JSON."""


def mutate(verilog: str, top: str, count: int, seed: int) -> Mutants:
    """``count`` mutants of module ``top`` after synthesis, drawn with ``seed``."""
    script = MUTATE.format(top=top, count=count + SPARE, seed=seed, select=SELECT, width=WIDTH)
    folder = netlist.yosys("mutations", script, {"design.v": verilog})
    text = (folder / "netlist.json").read_text()
    module = json.loads(text)["modules"][top]
    drawn = {_mutation(line): line for line in (folder / "mutations.ys").read_text().splitlines()}
    taken = [mutation for mutation in drawn if _possible(mutation, module["cells"])][:count]
    lines = "\n".join(drawn[mutation] for mutation in taken)
    files = {"netlist.json": text, "mutations.ys": lines + "\n"}
    folder = netlist.yosys("mutants", MUTANTS, files)
    return Mutants((folder / "mutants.v").read_text(), taken, module)


def _possible(mutation: Mutation, cells: dict) -> bool:
    cell = cells[mutation.cell]
    if is_rom(cell):
        return mutation.port in ROM_PORTS
    if mutation.port in MEMORY_CLOCKS:  # of ports that see each other's data they must be the same
        masks = ("RD_TRANSPARENCY_MASK", "RD_COLLISION_X_MASK")
        return not any("1" in cell["parameters"].get(mask, "") for mask in masks)
    if mutation.port == ENABLE:  # a port per bit in Yosys' cell, one pin in any memory
        bits = cell["connections"][ENABLE]
        return bits.count(bits[mutation.bit]) == 1
    return mutation.port not in UNCONNECTED


def _mutation(line: str) -> Mutation:
    options = dict(re.findall(r"-(mode|cell|port|portbit|ctrlbit|wire|wirebit) (\S+)", line))
    number = re.search(r"-ctrl \S+ \d+ (\d+)", line)[1]
    where = [f"{options['wire']}[{options['wirebit']}]"] if "wire" in options else []
    where += re.findall(r"-src (\S+)", line)[:1]
    return Mutation(
        int(number),
        options["mode"],
        options["cell"].removeprefix("\\"),
        options["port"].removeprefix("\\"),
        int(options["portbit"]),
        int(options["ctrlbit"]) if "ctrlbit" in options else None,
        ", ".join(Path(part).name for part in where),
    )


class MutantEngine(native.Engine):
    """An engine with mutants, none of them selected; see :mod:`.harness`."""

    gates = True

    def _open(self, verilog: str, config: GemmConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self.kind = kinds.of(config)
        inputs, outputs = self.kind.stream_bytes(config)
        self._inputs = {**inputs, f"s_axis_{SELECT}": 4}
        self._outputs = {**outputs, f"m_axis_{SEEN}": 8}
        top = f"{config.name}_mutants"
        path = verilate.library(verilog, top, self._inputs, self._outputs, long=self.gates)
        self._job_type = driver.job_type(len(self._inputs), len(self._outputs))
        self._library = driver.load(path, self._job_type)
        self._handle = None
        self.restart()

    def restart(self) -> None:
        """A new instance, so that no mutant sees what another left."""
        self.close()
        self._handle = self._library.matweave_new(self.seed)


def run(
    config: GemmConfig,
    *,
    count: int = 500,
    seed: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Report:
    """Try ``count`` mutants of the engine of ``config``."""
    from matweave.hw.emit import generate

    say = progress or (lambda *_: None)
    say(f"mutating {config.name}", 0, count)
    mutants = mutate(generate(config).verilog, config.name, count, seed)
    steps = list(stimuli(config, seed))
    with MutantEngine.from_verilog(
        wrapper(mutants.verilog, config.name), config, seed=seed
    ) as engine:
        expected = play(engine, steps)
        cycles = engine.total_cycles
        survivors = []
        for done, mutation in enumerate(mutants.mutations, 1):
            if not _killed(engine, steps, expected, mutation.number):
                survivors.append(mutation)
            say(f"mutants of {config.name}", done, len(mutants.mutations))
    total = len(mutants.mutations)
    return Report(total, total - len(survivors), survivors, cycles, mutants.netlist)


def play(engine: MutantEngine, steps: list[Step]) -> list[tuple]:
    """What the ports show while nothing is broken; compared with the golden model."""
    engine.restart()
    seen = []
    for step in steps:
        seen.append(observe(engine, step, 0))
        step.check(seen[-1])
    return seen


def _killed(engine, steps, expected, number) -> bool:
    engine.restart()
    try:
        for step, reference in zip(steps, expected, strict=True):
            if observe(engine, step, number) != reference:
                return True
    except native.EngineError:
        return True
    return False
