"""All products of all formats."""

import numpy as np

from matweave.hw import config as configuration
from matweave.hw.catalog import pes
from matweave.hw.formats import Format

from .registry import Context, Measured, gate

SIGNS = [(True, True), (True, False), (False, True), (False, False)]


@gate(
    "multipliers",
    "multipliers and PEs exhaustive",
    "all formats to 8 bits, and 16 × 16 bits; digit-serial: 8 × 8 bits, through the engine",
)
def multipliers(context: Context) -> Measured:
    """All values of both operands, signed and unsigned."""
    found = dict(zip(pes(), context.each(one_kind, pes()), strict=True))
    _, total, wrong = map(sum, zip(*found.values(), strict=True))
    figure = f"{total:,} products, {wrong} wrong"
    parts = [f"{kind}: {pairs} pairs of formats" for kind, (pairs, _, _) in found.items()]
    return Measured(figure, wrong == 0, "; ".join(parts))


def one_kind(context: Context, kind: str) -> tuple[int, int, int]:
    """Pairs of formats, products, wrong ones of a PE."""
    work = _serial(kind, context) if pes()[kind].arrays else _parallel(kind, context)
    pairs, count, wrong = map(sum, zip(*work, strict=True))
    return pairs, count, wrong


def _parallel(kind: str, context: Context):
    """(Pairs of formats, products, wrong ones): the PE's own encoder, product and resolver."""
    from .. import exhaustive

    narrow = exhaustive.narrow(context.of(8, 3))
    yield len(narrow), *exhaustive.check(kind, narrow, context.say)
    for a, b in SIGNS if not context.quick else []:
        yield 1, *exhaustive.check_wide(kind, Format(16, a), Format(16, b), context.say)


def _serial(kind: str, context: Context):
    """The same for PEs that take digits: every operand of A times every one of B, as one outer
    product on an engine."""
    from ..native import Engine

    width = context.of(8, 3)
    for signs in SIGNS:
        a, b = (Format(width, signed) for signed in signs)
        size = 1 << width
        config = configuration.load(
            f"tiny_{kind}",
            [f"a={a}", f"b={b}", f"limits={{m={size},n={size},k=1}}", "output.mode=raw"],
        )
        context.say(f"all products of {kind}, {a} × {b}")
        values = [np.arange(format.min, format.max + 1) for format in (a, b)]
        with Engine(config) as engine:
            c = engine.gemm(values[0][:, None], values[1][None, :]).c
        yield 1, c.size, int(np.count_nonzero(c != np.multiply.outer(*values)))
