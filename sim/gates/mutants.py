"""Faults in the netlist, and who notices them."""

import os
import traceback
from dataclasses import dataclass, field

from .common import engines, small_attention
from .registry import Context, Measured, gate


@dataclass
class Kind:
    """What became of the mutants of one engine, as far as it got."""

    name: str
    mutants: int = 0
    killed: int = 0
    stalled: int = 0
    equivalent: int = 0
    not_shown: list[str] = field(default_factory=list)
    crash: str = ""

    def __str__(self):
        parts = [f"{self.killed}/{self.mutants}"]
        parts += [f"{self.stalled} by proved stalls"] * bool(self.stalled)
        parts += [f"{self.equivalent} equivalent"] * bool(self.equivalent)
        parts += [f"{len(self.not_shown)} not shown"] * bool(self.not_shown)
        parts += ["crashed"] * bool(self.crash)
        return f"{self.name} " + ", ".join(parts)

    def findings(self) -> list[str]:
        return [f"{self.name}: {line}" for line in [self.crash] * bool(self.crash) + self.not_shown]


def look(context: Context, config) -> Kind:
    """Play the mutants of ``config`` and judge the survivors; a crash loses only what it stops."""
    from .. import equivalence, mutation

    count = context.of(500, 20)
    kind, survivors = Kind(config.name), []
    try:
        report = mutation.run(config, count=count, seed=context.seed, progress=context.say)
        kind.mutants, kind.killed, survivors = report.mutants, report.killed, report.survivors
        verdicts = equivalence.classify(config, report, progress=context.say)
    except Exception as error:
        if os.environ.get("MATWEAVE_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:300]
        kind.crash = f"crashed: {type(error).__name__}: {text} ({place.name}, line {place.lineno})"
        kind.not_shown = [f"{mutant}: not judged" for mutant in survivors]
        return kind
    for mutant, verdict in verdicts.items():
        kind.stalled += verdict.killed
        kind.equivalent += verdict.equivalent
        if not (verdict.killed or verdict.equivalent):
            kind.not_shown.append(f"{mutant}: {verdict.how}")
    return kind


@gate("mutants", "mutants, gate level", "at least 500 an engine, every survivor shown equivalent")
def mutants(context: Context) -> Measured:
    """Of GEMM and lookup engines of integers."""
    return played(context, [config for config in engines(context) if not config.floats])


@gate("attention_mutants", "mutants of attention", "at least 500, 98 of 100 killed or equivalent")
def attention_mutants(context: Context) -> Measured:
    """Of an attention engine. Low bits within its divider change one result in thousands, and
    whether a fault there changes any is beyond the budgets of the solvers. Of faults in an
    encoder's norms and multipliers, and in floating-point adders, too many are shown neither by a
    job nor to be none: there is no gate of them yet."""
    return played(context, [small_attention()], unshown=0.02)


def played(context: Context, configs, unshown: float = 0.0) -> Measured:
    """Mutants of the engines of ``configs``; the share of them that may be ``unshown``."""
    kinds = []
    for kind in context.each(look, configs):
        kinds.append(kind)
        context.say(str(kinds[-1]))
        for line in kinds[-1].findings():
            context.say(line)

    def total(name):
        return sum(getattr(kind, name) for kind in kinds)

    open_ones = [line for kind in kinds for line in kind.findings()]
    left = sum(len(kind.not_shown) for kind in kinds)
    figure = f"{total('killed')} of {total('mutants')} killed, {total('stalled')} by proved stalls"
    figure += f", {total('equivalent')} equivalent, {left} not shown"
    crashed = sum(bool(kind.crash) for kind in kinds)
    figure += f"; {crashed} of {len(kinds)} engines crashed" * bool(crashed)
    ok = all(
        kind.mutants and not kind.crash and len(kind.not_shown) <= unshown * kind.mutants
        for kind in kinds
    )
    return Measured(figure, ok, "; ".join(map(str, kinds)), tuple(open_ones))
