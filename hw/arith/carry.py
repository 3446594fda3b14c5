"""Carries from slice to slice of a recoder, each generated or propagated by its slice.

``c[i + 1] = generate[i] | (propagate[i] & c[i])``, and nothing is carried into slice 0. A slice
that generates a carry may propagate one too, or not.
"""

from amaranth.hdl import Signal

__all__ = ["CARRIES", "check_carry"]


def _ripple(m, generate, propagate):
    """From the one before it: as many levels of logic as there are slices."""
    carries = []
    for index, (own, passed) in enumerate(zip(generate, propagate, strict=True)):
        carries.append(Signal(name=f"carry_{index + 1}"))
        m.d.comb += carries[-1].eq(own | (passed & carries[-2]) if index else own)
    return carries


def _prefix(m, generate, propagate):
    """By P. Kogge and H. Stone's parallel prefix: ``ceil(log2(slices))`` levels double the reach of
    groups of slices."""
    count, reach = len(generate), 1
    while reach < count:
        pair = Signal(count, name=f"generate_{reach}"), Signal(count, name=f"propagate_{reach}")
        m.d.comb += [pair[0].eq(generate), pair[1].eq(propagate)]
        generate, propagate = (
            pair[0] | (pair[1] & pair[0].shift_left(reach)[:count]),
            pair[1] & pair[1].shift_left(reach)[:count],
        )
        reach *= 2
    carries = Signal(count, name="carries")
    m.d.comb += carries.eq(generate)
    return list(carries)


CARRIES = {"ripple": _ripple, "prefix": _prefix}
"""Ways to carry, by name: ``(m, generate, propagate) -> the carry out of each slice``; generate and
propagate are values of a bit per slice, slice 0 lowest."""


def check_carry(carry: str) -> None:
    """Raise ``ValueError`` if there is no such way."""
    if carry not in CARRIES:
        raise ValueError(f"carry must be {' or '.join(CARRIES)}, not {carry!r}")
