"""Whether a netlist ever reaches a state in which a fault makes a difference.

What :mod:`.invariants` cannot find (facts that follow from how several counters go together, or
that need many cycles) a model checker often does: property directed reachability (Een, Mishchenko,
Brayton, FMCAD 2011), as in ABC. Its proof is an inductive invariant, which ABC verifies.
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from matweave.hw.config import GemmConfig

from . import aiger, equivalence, toolchain
from .mutation import Mutation
from .nets import Nets
from .taint import Taint

SECONDS, UNSEEN = 20, 180
"""For one mutant: that it makes no difference in any state that is reached (most that can be proved
take a tenth of one), and that nobody sees the difference."""

LONGEST = 10_000
"""Cycles of a trace without inputs."""

Progress = Callable[[str, int, int], None]

PROVED = "Property proved"


def harmless(config: GemmConfig, nets: Nets, mutations: list[Mutation], progress: Progress) -> dict:
    """Verdicts on those of ``mutations`` that make no difference in any state that is reached."""
    how = "same function in every state that is reached (ABC)"
    return _proved(config, nets, mutations, progress, "reached states", Checker.harmless, how)


def unseen(config: GemmConfig, nets: Nets, mutations: list[Mutation], progress: Progress) -> dict:
    """Verdicts on those of ``mutations`` whose difference nobody sees."""
    how = "states may differ, and nobody sees it (ABC)"
    return _proved(config, nets, mutations, progress, "what is seen", Checker.unseen, how)


def _proved(config, nets, mutations, progress, what: str, judge, how: str) -> dict:
    if not mutations:
        return {}
    try:
        checker = Checker(nets)
    except toolchain.ToolError as error:
        progress(f"survivors of {config.name}, {what}: not asked, {error}", 0, 1)
        return {}
    proved = {}
    for done, mutation in enumerate(mutations, 1):
        if judge(checker, mutation):
            proved[mutation] = equivalence.Verdict(True, how)
        progress(f"survivors of {config.name}, {what}", done, len(mutations))
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

    def unseen(self, mutation: Mutation, seconds: int = UNSEEN) -> bool:
        """Whether it is proved, within about ``seconds``, that states may differ and nobody sees
        it: that tags (:mod:`.taint`) of the fault never get to an output or a memory. Flip-flops
        have none until a trace to one is found."""
        if not self.model.modelled(mutation):
            return False
        mutation, tags = self.model.at_buffer(mutation), {}
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            taint = Taint(self.model, mutation, tags)
            following, seen = taint.following(), taint.seen()
            latches = self.latches | {
                tag: (following.get(name, self.aig.false), 0) for name, tag in tags.items()
            }
            new = {name: tag for name, tag in following.items() if name not in tags}
            answer = self._search(latches, self.aig.any([seen, *new.values()]), round(left) + 1)
            if answer is None:
                return False
            proved, values = answer
            if proved or self.aig.value(seen, values):
                return proved
            for name, tag in new.items():
                if self.aig.value(tag, values):
                    tags |= {other: self.aig.free() for other in self._word(name) - tags.keys()}
        return False

    def _word(self, name) -> set[str]:
        """The bits of a flip-flop's register."""
        return {name}.union(*(word for word in self.model.nets.words if name in word))

    def never(self, bad: int, seconds: int = SECONDS) -> bool:
        """Whether it is proved that the literal ``bad`` is 0 in every state that is reached."""
        answer = self._search(self.latches, bad, seconds)
        return answer is not None and answer[0]

    def _search(self, latches, bad: int, seconds: int) -> tuple[bool, dict] | None:
        """Whether ``bad`` is proved never to be 1, and if it can be, all nodes' values in such a
        cycle; ``None`` if that is not known within ``seconds``."""
        if bad in (self.aig.false, self.aig.true):
            return bad == self.aig.false, {0: 0}
        with tempfile.TemporaryDirectory() as folder:
            path, trace = Path(folder) / "bad.aig", Path(folder) / "trace"
            aiger.write(self.aig, path, latches, bad)
            commands = f"read_aiger {path}; pdr -T {seconds}; write_cex -a {trace}"
            try:
                done = subprocess.run(
                    [self.abc.path, "-c", commands],
                    capture_output=True,
                    text=True,
                    cwd=folder,
                    timeout=4 * seconds + 10,
                )
            except subprocess.TimeoutExpired:
                return None
            if PROVED in done.stdout:
                return True, {}
            if not trace.exists():
                return None
            return False, self._replayed(latches, bad, trace.read_text())

    def _replayed(self, latches, bad: int, trace: str) -> dict:
        """The values in the first cycle of ABC's ``trace`` in which ``bad`` is 1: one line of
        inputs per cycle, below one of states."""
        used, inputs, _ = aiger.needed(self.aig, latches, bad)
        state = {node: latches[node][1] for node in used}
        _, *lines = trace.partition("#")[0].split("\n")
        if not inputs:  # then there are no lines, and nothing is needed to follow it
            lines = [""] * LONGEST
        for line in lines:
            values = {0: 0} | state
            values |= {node: int(bit == "1") for node, bit in zip(inputs, line, strict=True)}
            if self.aig.value(bad, values):
                return values
            state = {node: self.aig.value(latches[node][0], values) for node in used}
        raise AssertionError("ABC's trace does not show what it is to show")
