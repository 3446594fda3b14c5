"""A design that is larger than its device: by how much, what of it, and what to change."""

from collections.abc import Sequence

from ...hw.errors import UserError
from ...sim.toolchain import ToolFailed
from .. import engines
from . import nextpnr
from .netlist import Netlist


def too_large(error: ToolFailed, netlist: Netlist, plan) -> UserError | None:
    """What to tell the user if nextpnr's ``error`` is that ``plan`` does not fit; else ``None``."""
    over = nextpnr.overflowing(error.output)
    if not over:
        return None
    names = {kind: name for name, kinds in plan.family.resources.items() for kind in kinds}
    # A DSP block of Nexus is several kinds of place, of which one is counted.
    over = {kind: pair for kind, pair in over.items() if kind in names} or over
    clauses = []
    for kind, (used, there) in over.items():
        name = names.get(kind, kind)
        largest = _largest(netlist, name, plan)
        clauses.append(f"{name}: {used:,} needed, {there:,} there, {used - there:,} too many"
                       + largest)  # fmt: skip
    advice = _advice([names.get(kind, kind) for kind in over], plan)
    return UserError(
        f"{plan.request.config.name} does not fit {plan.board.name}: {'; '.join(clauses)}; {advice}"
    )


def _largest(netlist: Netlist, name: str, plan) -> str:
    """`` (64 in the array, 32 in the requantiser)``: the parts that use most, if it is known."""
    if name == "DSP":
        kinds = plan.family.multipliers
    elif name == "BRAM":
        kinds = [kind for kind, place in plan.family.memories.items() if place == "block RAM"]
    elif name == "LUT":
        kinds = [kind for kind in netlist.cells if "LUT" in kind or "CCU2C" in kind]
    else:
        return ""
    parts = netlist.by_part(kinds).most_common(2)
    return f" ({', '.join(f'{count:,} in the {part}' for part, count in parts)})" if parts else ""


def _advice(names: Sequence[str], plan) -> str:
    """What to lower; of several resources for each, those with the same advice together."""
    found, engine = {}, engines.of(plan.request.config)
    for name in names:
        # DSP blocks that become LUTs help nobody who has too few of those as well.
        dsp = name == "DSP" and plan.request.dsp and "LUT" not in names
        found.setdefault(engine.smaller(name, dsp=dsp), []).append(name)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"for {' and '.join(which)}: {advice}" for advice, which in found.items())
