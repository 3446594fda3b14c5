"""All products of all formats."""

from matweave.hw.catalog import pes
from matweave.hw.formats import Format

from .registry import Context, Measured, gate


@gate("multipliers", "multipliers and PEs exhaustive", "all formats to 8 bits, and 16 × 16 bits")
def multipliers(context: Context) -> Measured:
    """Every PE: all values of all pairs of formats of 2 to 8 bits, then of 16 × 16 bits."""
    from .. import exhaustive

    total = wrong = 0
    parts = []
    for kind in pes():
        work = [exhaustive.narrow(context.of(8, 3))]
        if not context.quick:
            work.append([(Format(16, signed), Format(16, signed)) for signed in (True, False)])
        for pairs in work:
            count, bad = exhaustive.check(kind, pairs, context.say)
            total += count
            wrong += bad
            parts.append(f"{kind}: {len(pairs)} pairs of formats")
    figure = f"{total:,} products, {wrong} wrong"
    return Measured(figure, wrong == 0, "; ".join(parts))
