"""Whether a netlist ever reaches a state in which a fault makes a difference.

What :mod:`.invariants` cannot find (facts that follow from how several counters go together, or
that need many cycles) a model checker often does: property directed reachability (Een, Mishchenko,
Brayton, FMCAD 2011), as in ABC. Its proof is an inductive invariant, which ABC verifies.
"""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from matweave.hw.config import GemmConfig

from . import aiger, equivalence, toolchain
from .mutation import Mutation
from .nets import Nets

SECONDS = 5
"""For one mutant; most that can be proved take a tenth of one."""

PROVED = "Property proved"


def harmless(
    config: GemmConfig,
    nets: Nets,
    mutations: list[Mutation],
    progress: Callable[[str, int, int], None],
) -> dict[Mutation, equivalence.Verdict]:
    """Verdicts on those of ``mutations`` that are proved to be equivalent."""
    if not mutations:
        return {}
    try:
        checker = Checker(nets)
    except toolchain.ToolError as error:
        progress(f"states of {config.name} that are reached: not asked, {error}", 0, 1)
        return {}
    proved = {}
    for done, mutation in enumerate(mutations, 1):
        if checker.harmless(mutation):
            how = "same function in every state that is reached (ABC)"
            proved[mutation] = equivalence.Verdict(True, how)
        progress(f"survivors of {config.name}, reached states", done, len(mutations))
    return proved


class Checker:
    """The netlist as an and-inverter graph with its power-on values.

    Raises :class:`.toolchain.ToolError` if ABC is not installed.
    """

    def __init__(self, nets: Nets):
        self.abc = toolchain.abc()
        self.aig = aiger.Aig()
        self.model = equivalence.Model(nets, self.aig)
        self.latches = {
            self.model.state(name): (self.model.following(name), nets.initial(name))
            for name in nets.flops
        }

    def harmless(self, mutation: Mutation, seconds: int = SECONDS) -> bool:
        """Whether it is proved, within ``seconds``, that outputs, next state and what memories get
        are those of the netlist without the fault in every state that can be reached from
        power-on, whatever inputs and memories give."""
        if not self.model.modelled(mutation):
            return False
        found = self.model.differences(mutation)
        pairs = [pair for pairs in found.values() for pair in pairs]
        return self.never(self.aig.any(self.aig.differ(*pair) for pair in pairs), seconds)

    def never(self, bad: int, seconds: int = SECONDS) -> bool:
        """Whether it is proved that the literal ``bad`` is 0 in every state that is reached."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bad.aig"
            aiger.write(self.aig, path, self.latches, bad)
            commands = f"read_aiger {path}; pdr -T {seconds}"
            try:
                done = subprocess.run(
                    [self.abc.path, "-c", commands],
                    capture_output=True,
                    text=True,
                    cwd=folder,
                    timeout=4 * seconds + 10,
                )
            except subprocess.TimeoutExpired:
                return False
        return PROVED in done.stdout
